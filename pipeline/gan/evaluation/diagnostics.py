"""What the lines of a training's stats.jsonl say is wrong, in words that say what to change."""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.gan.stats_log import Row, comparable

COLLAPSE, BALANCE, MEMORISING, PLATEAU = "collapse", "balance", "memorising", "plateau"
# What a definition calls what can be changed; batch norm in D, which the default has, does not go with R1
AUGMENT, R1 = "augment", 'penalties.r1 (with discriminator.norm "none")'
SKIP, MINIBATCH = "balance.skip_above", "discriminator.minibatch"
D_RATE, G_RATE = "discriminator.optimizer.learning_rate", "generator.optimizer.learning_rate"

EARLY_LOOKS, EARLY_EPOCHS = 2, 10  # that are not judged: every GAN looks bad then
PATIENCE = 10  # epochs that a balance must be lost for: it comes and goes
LONG = 2000  # steps that are enough of either where epochs are long
ALIKE = 0.5  # of the reals' diversity
FALLS, LEAST_RECALL = 3, 0.1  # looks running; below that recall a fall is chance
AHEAD = 0.98  # D's accuracy
DYING = 0.01  # G's gradient, as a share of what it was
GUESSING = 0.03  # how far from one half D's accuracy is, at most, if it guesses
FOOLED = 0.4  # D's accuracy: it is taken in more often than by chance
SAME, STILL = 0.02, 0.01  # how far reals' and fakes' mean probabilities are apart then, and how far either wanders
COPIED = 0.2  # share of copies; of new pictures a few hundredths look like some
FEWEST_LOOKS = 6  # before more training can be said not to pay


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that is wrong, since which epoch, and one line about it that says what to do."""

    kind: str
    epoch: int
    text: str


def alarms(rows: Sequence[Row]) -> tuple[Alarm, ...]:
    """What is wrong at the end of `rows`, one an epoch in order; at most one alarm of a kind.

    What was wrong and came right again is not named. Figures that a row lacks or that are None raise no alarm: only
    epochs with a sheet have `kid` and its like, and the rows of a critic should have no `d_accuracy`.
    """
    looks = [row for row in comparable(rows) if row.get("kid") is not None]
    found = _collapse(looks[EARLY_LOOKS:]), _balance(rows), _memorising(looks[EARLY_LOOKS:]), _plateau(looks)
    return tuple(alarm for alarm in found if alarm)


def news(rows: Sequence[Row]) -> tuple[Alarm, ...]:
    """Those alarms at the end of `rows` that are of no kind raised at the look before."""
    before = max((place for place, row in enumerate(rows[:-1], start=1) if row.get("kid") is not None), default=0)
    known = {alarm.kind for alarm in alarms(rows[:before])}
    return tuple(alarm for alarm in alarms(rows) if alarm.kind not in known)


def _collapse(looks: Sequence[Row]) -> Alarm | None:
    cure = f'strengthen {AUGMENT}, set {MINIBATCH} to "stddev", lower {G_RATE}, or raise {R1}'
    if since := _since(looks, lambda row: _figure(row, "diversity") < ALIKE):
        seen = f"samples differ only {looks[-1]['diversity']:.2f} times as much as the reals do"
        return _alarm(COLLAPSE, since, f"{seen}: the generator draws a few pictures again and again; {cure}")
    if since := _recall_lost(looks):
        seen = f"recall fell from {since['recall']:.2f} to {looks[-1]['recall']:.2f}"
        return _alarm(COLLAPSE, since, f"{seen}: the generator draws fewer and fewer kinds of pictures; {cure}")
    return None


def _recall_lost(looks: Sequence[Row]) -> Row | None:
    """The look from which recall fell FALLS times running to under half, unless it has come back since."""
    recalls = [_figure(row, "recall") for row in looks]
    for start in range(len(recalls) - FALLS):
        run, later = recalls[start : start + FALLS + 1], recalls[start + FALLS :]
        falls = all(before > after for before, after in itertools.pairwise(run))
        if falls and run[0] >= LEAST_RECALL and all(recall < run[0] / 2 for recall in later):
            return looks[start]
    return None


def _balance(rows: Sequence[Row]) -> Alarm | None:
    early, patience = (_lasting(rows, epochs) for epochs in (EARLY_EPOCHS, PATIENCE))
    usual = statistics.median(_figure(row, "g_gradient") for row in rows[:early]) if rows else math.nan
    rows = rows[early:]
    skip = "" if rows and rows[-1].get("d_accuracy") is None else f"set {SKIP} to 0.9, "  # a critic has no accuracy
    weaken = f"{skip}lower {D_RATE}, strengthen {AUGMENT}, or raise {R1}"
    if since := _since(rows, lambda row: _figure(row, "d_accuracy") > AHEAD, least=patience):
        seen = f"the discriminator tells {rows[-1]['d_accuracy']:.1%} of reals and samples apart"
        return _alarm(BALANCE, since, f"{seen}: the generator learns little from it; {weaken}")
    if since := _since(rows, lambda row: _figure(row, "g_gradient") < DYING * usual, least=patience):
        seen = f"the generator's gradient is {rows[-1]['g_gradient']:.2g}, it was {usual:.2g}"
        return _alarm(BALANCE, since, f"{seen}: the discriminator tells it nothing any more; {weaken}")
    strengthen = f"raise {D_RATE}, lower {G_RATE}, or weaken {AUGMENT} or penalties"
    if since := _since(rows, lambda row: _figure(row, "d_accuracy") < FOOLED, least=patience):
        seen = f"the discriminator is right only {rows[-1]['d_accuracy']:.0%} of the time"
        return _alarm(BALANCE, since, f"{seen}: it cannot keep up with the generator; {strengthen}")
    if (since := _since(rows, _guesses, least=PATIENCE)) and _still(rows[-PATIENCE:]):
        seen = f"the discriminator takes reals and samples alike for real with probability {rows[-1]['d_real']:.2f}"
        return _alarm(BALANCE, since, f"{seen}: it has given up; {strengthen}")
    return None


def _lasting(rows: Sequence[Row], epochs: int) -> int:
    """So many epochs, or as few as have LONG steps; at least two, as one may be chance."""
    steps = _figure(rows[0], "step") / _figure(rows[0], "epoch") if rows else math.nan
    return epochs if math.isnan(steps) else max(2, min(epochs, math.ceil(LONG / steps)))


def _guesses(row: Row) -> bool:
    apart = abs(_figure(row, "d_real") - _figure(row, "d_fake"))
    return abs(_figure(row, "d_accuracy") - 0.5) < GUESSING and apart < SAME


def _still(rows: Sequence[Row]) -> bool:
    """Whether the discriminator's answers stay the same, to reals and to samples."""
    sides = ([row[name] for row in rows] for name in ("d_real", "d_fake"))
    return all(max(side) - min(side) < STILL for side in sides)


def _memorising(looks: Sequence[Row]) -> Alarm | None:
    if since := _since(looks, lambda row: _figure(row, "memorised") > COPIED, least=2):
        seen = f"{looks[-1]['memorised']:.0%} of the samples are copies of kept pictures"
        cure = f"take fewer epochs, gather more pictures, or strengthen {AUGMENT}"
        return _alarm(MEMORISING, since, f"{seen}: the generator learns them by heart; {cure}")
    return None


def _plateau(looks: Sequence[Row]) -> Alarm | None:
    if len(looks) < FEWEST_LOOKS:
        return None
    late, earlier = looks[-(len(looks) // 3) :], looks[: -(len(looks) // 3)]
    known = min(row["kid"] for row in earlier)
    if any(row["kid"] < known - row["kid_error"] for row in late):
        return None
    best = min(looks, key=lambda row: row["kid"])
    seen = f"the KID is no better than {best['kid']:.4f} ± {best['kid_error']:.4f}, and epoch {best['epoch']} was best"
    cure = f"stop here, or change something: {AUGMENT}, the learning rates, the widths, more pictures"
    return _alarm(PLATEAU, best, f"{seen}: more training like this no longer pays; {cure}")


def _since(rows: Sequence[Row], wrong: Callable[[Row], bool], *, least: int = 1) -> Row | None:
    """The first of the rows up to the last that are all `wrong`; None if there are fewer than `least`."""
    last = list(itertools.takewhile(wrong, reversed(rows)))
    return last[-1] if len(last) >= least else None


def _figure(row: Row, name: str) -> float:
    """NaN where it is not there: nothing is below or above that."""
    value = row.get(name)
    return math.nan if value is None else float(value)


def _alarm(kind: str, since: Row, text: str) -> Alarm:
    return Alarm(kind=kind, epoch=since["epoch"], text=f"since epoch {since['epoch']}: {text}")
