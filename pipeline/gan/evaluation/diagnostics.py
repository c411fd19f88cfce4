"""Diagnose a training from the rows of stats.jsonl: mode collapse, lost balance, memorisation, plateau.

An alarm begins at one epoch, and ends at another or lasts. All of it follows from the rows, so a training that was
killed and resumed tells the same alarms. One line says what is wrong and which field of the definition to change.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipeline.gan.stats_log import Row, best_in_words, best_row, current_scores, full_size, notes

COLLAPSE, BALANCE, MEMORISING, PLATEAU = "collapse", "balance", "memorising", "plateau"
# Fields of the definition that the alarms advise to change; R1 excludes batch norm in D, which the default has
AUGMENT, R1 = "augment", 'penalties.r1 (with discriminator.norm "none")'
SKIP_ABOVE, MINIBATCH = "balance.skip_above", "discriminator.minibatch"
D_RATE, G_RATE = "discriminator.optimizer.learning_rate", "generator.optimizer.learning_rate"

EARLY_SCORED, EARLY_EPOCHS = 2, 10  # scored epochs, and epochs, without alarms: every GAN looks bad at first
PATIENCE = 10  # epochs for which the balance must be lost: it fluctuates
ENOUGH_STEPS = 2000  # if epochs are long, so many steps are enough; a KID that stands still before may fall again
MIN_DIVERSITY = 0.5  # of the reals' diversity
RECALL_FALLS, MIN_RECALL = 3, 0.1  # falls in a row; below that recall a fall may be chance
MAX_ACCURACY = 0.98  # of D; above it D is too far ahead
MIN_GRADIENT_SHARE = 0.01  # of G's gradient in the first epochs; below it G no longer learns
GUESSING_MARGIN = 0.03  # D guesses if its accuracy is within this of one half
MIN_ACCURACY = 0.4  # of D; below it D is wrong more often than by chance
SAME_PROBABILITY = 0.02  # D guesses if its mean probabilities on reals and fakes differ by less
STILL_RANGE = 0.01  # D has given up if these probabilities vary by less
MAX_MEMORISED, MEMORISED_SCORED = 0.2, 2  # share of copies, and scored epochs: a few new pictures look like copies
MIN_SCORED = 6  # scored epochs before a plateau can be detected
MIN_LATE, MIN_WAITED = 2, 3  # of them in the last third of the training, and since the last fall or drop
MIN_GAIN = 2.0  # standard errors by which the KID falls in the last third of a training that goes well


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that is wrong with a training, or was: its kind, its epochs, and one line that says what to do."""

    kind: str
    start: int  # the first epoch with the problem
    end: int | None  # the first epoch without it; None while it lasts
    told: int  # the epoch at whose end the problem was certain
    recovered: int | None  # the epoch at whose end the recovery was certain
    problem: str  # in a few words
    text: str


def alarms(rows: Sequence[Row]) -> tuple[Alarm, ...]:
    """Every alarm of a training with `rows`, one row per epoch in order; at a time at most one of a kind.

    It has ended when the problem was absent for as many epochs, or scored epochs, as it takes to raise it. Missing
    values and None raise no alarm: only epochs with a sample sheet have `kid` and the other scores, and the rows of a
    critic have no `d_accuracy`.
    """
    scored = current_scores(rows)
    early, patience = (_epochs_to_wait(rows, epochs) for epochs in (EARLY_EPOCHS, PATIENCE))
    found = [
        *_follow(COLLAPSE, _collapse(), scored[EARLY_SCORED:]),
        *_follow(BALANCE, _balance(rows, early, patience), rows[early:], patience=patience),
        *_follow(MEMORISING, _memorising(), scored[EARLY_SCORED:], patience=MEMORISED_SCORED),
        *_follow(PLATEAU, [_Plateau()], full_size(scored)),
    ]
    return tuple(sorted(found, key=lambda alarm: alarm.told))


def alarm_events(rows: Sequence[Row]) -> dict[str, list[str]]:
    """What the last of `rows` tells, as fields for it: the `alarms` that began, and those that have `recovered`.

    Both are of the epochs since the sample sheet before. An alarm that began and ended in them has only recovered.
    """
    before = next((row["epoch"] for row in reversed(rows[:-1]) if row.get("kid") is not None), 0)
    found = alarms(rows)
    told = {
        "alarms": [alarm.text for alarm in found if alarm.end is None and alarm.told > before],
        "recovered": [alarm.text for alarm in found if alarm.recovered is not None and alarm.recovered > before],
    }
    return {name: texts for name, texts in told.items() if texts}


def alarm_summary(rows: Sequence[Row], warnings: Sequence[str] = (), *, plateau: bool = True) -> dict[str, Any]:
    """What a summary says about a training: its `alarms` as JSON values, and the same in lines for a person.

    `notices` are `warnings`, the notes of the rows, and the alarms that last; `recovered` are the other alarms. Without
    `plateau` it is left out: the training ended there by itself, so it needs no advice.
    """
    found = [alarm for alarm in alarms(rows) if plateau or alarm.kind != PLATEAU or alarm.end is not None]
    return {
        "notices": [*warnings, *notes(rows), *(alarm.text for alarm in found if alarm.end is None)],
        "recovered": [alarm.text for alarm in found if alarm.end is not None],
        "alarms": [asdict(alarm) for alarm in found],
    }


def plateau_epoch(rows: Sequence[Row]) -> int | None:
    """The epoch since which the KID has not fallen by MIN_GAIN errors; None if it still falls, or that is too new.

    A KID counts as a fall if it is below the last one that did by more than MIN_GAIN of its own standard errors. The
    plateau begins at the last fall, and is certain when a third of the epochs so far, with at least MIN_LATE scores,
    came after it. So it depends on the rows of the epochs done, whatever the training's planned length is. A learning
    rate that dropped at a plateau (`plateau_drops` counts them) starts the wait again.
    """
    plateau = _Plateau()
    for row in full_size(current_scores(rows)):
        plateau.see(row)
    return plateau.rows[0]["epoch"] if plateau.rows else None


@dataclass(kw_only=True)
class _Condition:
    """One thing that can be wrong, and the rows in succession in which it is, up to the last one seen."""

    problem: str
    describe: Callable[[list[Row]], str]  # of `rows`: what is found, what it means, what to do
    is_wrong: Callable[[Row], bool]
    least: int = 1  # rows, before it is certain
    proof: Callable[[list[Row]], bool] = lambda rows: True  # that `rows` must give too
    rows: list[Row] = field(default_factory=list)

    def see(self, row: Row) -> None:
        """Take the next row into account."""
        if self.is_wrong(row):
            self.rows.append(row)
        else:
            self.rows = []

    @property
    def is_certain(self) -> bool:
        """Whether it has been wrong for long enough."""
        return len(self.rows) >= self.least and self.proof(self.rows)


@dataclass(kw_only=True)
class _Open:
    """An alarm that has begun: its cause, the rows that are wrong, and the epochs since then without a problem."""

    cause: _Condition
    start: int
    told: int
    wrong: list[Row]
    right: list[int] = field(default_factory=list)

    def lasting(self, kind: str) -> Alarm:
        """The alarm if the problem lasts."""
        text = f"alarm since epoch {self.start}: {self.cause.describe(self.wrong)}"
        return self._alarm(kind, text, end=None, recovered=None)

    def ended(self, kind: str, *, recovered: int) -> Alarm:
        """The alarm if the problem was absent until the epoch `recovered`."""
        text = f"recovered at epoch {self.right[0]}: {self.cause.problem}, which began at epoch {self.start}"
        return self._alarm(kind, text, end=self.right[0], recovered=recovered)

    def _alarm(self, kind: str, text: str, *, end: int | None, recovered: int | None) -> Alarm:
        given = {"kind": kind, "problem": self.cause.problem, "text": text}
        return Alarm(start=self.start, told=self.told, end=end, recovered=recovered, **given)


def _follow(kind: str, conditions: Sequence[_Condition], rows: Sequence[Row], *, patience: int = 1) -> Iterator[Alarm]:
    """The alarms of one kind along `rows`.

    An alarm begins with the first of `conditions` that is certain, and ends when none holds for `patience` rows.
    """
    begun: _Open | None = None
    for row in rows:
        for condition in conditions:
            condition.see(row)
        certain = next((condition for condition in conditions if condition.is_certain), None)
        if begun is None:
            if certain:
                start = certain.rows[0]["epoch"]
                begun = _Open(cause=certain, start=start, told=row["epoch"], wrong=certain.rows)
        elif any(condition.rows for condition in conditions):
            begun.cause = begun.cause if begun.cause.rows else certain or begun.cause
            begun.wrong, begun.right = begun.cause.rows or begun.wrong, []
        else:
            begun.right.append(row["epoch"])
            if len(begun.right) == patience:
                yield begun.ended(kind, recovered=row["epoch"])
                begun = None
    if begun:
        yield begun.lasting(kind)


def _collapse() -> list[_Condition]:
    remedy = f'strengthen {AUGMENT}, set {MINIBATCH} to "stddev", lower {G_RATE}, or raise {R1}'
    few = _Condition(
        problem="mode collapse",
        describe=lambda rows: (
            f"samples differ only {rows[-1]['diversity']:.2f} times as much as reals: mode collapse, a few pictures"
            f" again and again; {remedy}"
        ),
        is_wrong=lambda row: _value(row, "diversity") < MIN_DIVERSITY,
    )
    return [few, _RecallLoss(remedy)]


class _RecallLoss(_Condition):
    """The recall fell RECALL_FALLS times in a row to under half, and stays there."""

    def __init__(self, remedy: str) -> None:
        super().__init__(
            problem="mode collapse",
            describe=lambda rows: (
                f"recall fell from {rows[0]['recall']:.2f} to {rows[-1]['recall']:.2f}: mode collapse, fewer and fewer"
                f" kinds of pictures; {remedy}"
            ),
            is_wrong=lambda row: _value(row, "recall") < self.rows[0]["recall"] / 2,
        )
        self._last: list[Row] = []  # the last rows, as many as the falls have ends

    def see(self, row: Row) -> None:
        self._last = [*self._last, row][-RECALL_FALLS - 1 :]
        if self.rows:
            super().see(row)
        elif self._has_fallen([_value(each, "recall") for each in self._last]):
            self.rows = self._last

    def _has_fallen(self, recalls: list[float]) -> bool:
        falls = len(recalls) > RECALL_FALLS and all(before > after for before, after in itertools.pairwise(recalls))
        return falls and recalls[0] >= MIN_RECALL and recalls[-1] < recalls[0] / 2


def _balance(rows: Sequence[Row], early: int, patience: int) -> list[_Condition]:
    normal = statistics.median(_value(row, "g_gradient") for row in rows[:early]) if rows else math.nan
    is_critic = bool(rows) and rows[-1].get("d_accuracy") is None  # a critic has no accuracy
    skip = "" if is_critic else f"set {SKIP_ABOVE} to 0.9, "
    weaken = f"{skip}lower {D_RATE}, strengthen {AUGMENT}, or raise {R1}"
    strengthen = f"raise {D_RATE}, lower {G_RATE}, or weaken {AUGMENT} or penalties"
    return [
        _Condition(
            problem="the discriminator too far ahead",
            describe=lambda rows: (
                f"the discriminator's accuracy is {rows[-1]['d_accuracy']:.1%}: it is too far ahead, and the generator"
                f" learns little; {weaken}"
            ),
            is_wrong=lambda row: _value(row, "d_accuracy") > MAX_ACCURACY,
            least=patience,
        ),
        _Condition(
            problem="a generator that learns nothing",
            describe=lambda rows: (
                f"the generator's gradient is {rows[-1]['g_gradient']:.2g}, after {normal:.2g} at first: it learns"
                f" nothing from the discriminator; {weaken}"
            ),
            is_wrong=lambda row: _value(row, "g_gradient") < MIN_GRADIENT_SHARE * normal,
            least=patience,
        ),
        _Condition(
            problem="a discriminator that cannot keep up",
            describe=lambda rows: (
                f"the discriminator is right only {rows[-1]['d_accuracy']:.0%} of the time: it cannot keep up with the"
                f" generator; {strengthen}"
            ),
            is_wrong=lambda row: _value(row, "d_accuracy") < MIN_ACCURACY,
            least=patience,
        ),
        _Condition(
            problem="a discriminator that has given up",
            describe=lambda rows: (
                "the discriminator gives reals and samples the same probability,"
                f" {rows[-1]['d_real']:.2f}: it has given up; {strengthen}"
            ),
            is_wrong=_is_guessing,
            least=PATIENCE,
            proof=lambda rows: _is_still(rows[-PATIENCE:]),
        ),
    ]


def _epochs_to_wait(rows: Sequence[Row], epochs: int) -> int:
    """`epochs`, or fewer if ENOUGH_STEPS steps take fewer; at least two, as one may be chance."""
    steps = _value(rows[0], "step") / _value(rows[0], "epoch") if rows else math.nan
    return epochs if math.isnan(steps) else max(2, min(epochs, math.ceil(ENOUGH_STEPS / steps)))


def _is_guessing(row: Row) -> bool:
    difference = abs(_value(row, "d_real") - _value(row, "d_fake"))
    return abs(_value(row, "d_accuracy") - 0.5) < GUESSING_MARGIN and difference < SAME_PROBABILITY


def _is_still(rows: Sequence[Row]) -> bool:
    """Whether the discriminator's mean probabilities on reals and on samples stay the same."""
    sides = ([row[name] for row in rows] for name in ("d_real", "d_fake"))
    return all(max(side) - min(side) < STILL_RANGE for side in sides)


def _memorising() -> list[_Condition]:
    remedy = f"train for fewer epochs, collect more pictures, or strengthen {AUGMENT}"
    return [
        _Condition(
            problem="memorised pictures",
            describe=lambda rows: (
                f"{rows[-1]['memorised']:.0%} of the samples are copies of kept pictures: the generator memorises them;"
                f" {remedy}"
            ),
            is_wrong=lambda row: _value(row, "memorised") > MAX_MEMORISED,
            least=MEMORISED_SCORED,
        )
    ]


class _Plateau(_Condition):
    """The rule of `plateau_epoch`; `rows` are the last fall and the newest row, once the plateau is certain."""

    def __init__(self) -> None:
        super().__init__(problem="a plateau", describe=self._describe, is_wrong=lambda row: not self._falls(row))
        self._scored: list[Row] = []
        self._fall, self._waits_since, self._drops = 0, 0, 0.0  # index of the last fall; epoch of it or of a later drop

    def see(self, row: Row) -> None:
        drops, epoch = row.get("plateau_drops") or 0.0, int(row["epoch"])
        falls = not self.is_wrong(row)
        if falls:
            self._fall = len(self._scored)
        if falls or drops > self._drops:
            self._waits_since = epoch
        self._drops = drops
        self._scored.append(row)
        # A third of the epochs, not of the sheets: these are far apart at the end of a training
        late_since = epoch - epoch // 3
        late, waited = (
            sum(each["epoch"] > since for each in self._scored) for since in (late_since, self._waits_since)
        )
        enough = len(self._scored) >= MIN_SCORED and late >= MIN_LATE and waited >= MIN_WAITED
        certain = enough and self._waits_since <= late_since
        self.rows = [self._scored[self._fall], row] if certain else []

    def _falls(self, row: Row) -> bool:
        """Whether the KID is below that of the last fall by more than chance."""
        if not self._scored:
            return True
        return row["kid"] < self._scored[self._fall]["kid"] - MIN_GAIN * (row.get("kid_error") or 0.0)

    def _describe(self, rows: list[Row]) -> str:
        lowest = f", and the lowest is {best_in_words(best)}" if (best := best_row(self._scored)) else ""
        is_early, extractor = _value(rows[-1], "step") < ENOUGH_STEPS, rows[-1].get("extractor", "an unknown extractor")
        advice = f"wait until step {ENOUGH_STEPS}" if is_early else "more training does not improve it; stop early"
        return (
            f"the KID by {extractor} no longer falls by two of its errors{lowest}: a plateau, {advice}, or change"
            f" {AUGMENT}, the learning rates, the widths or the number of pictures"
        )


def _value(row: Row, name: str) -> float:
    """The value called `name`; NaN if it is missing, which compares false with everything."""
    value = row.get(name)
    return math.nan if value is None else float(value)
