"""Diagnose a training from the rows of stats.jsonl: mode collapse, lost balance, memorisation, plateau.

Each alarm says in one line what is wrong and which field of the definition to change.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.gan.stats_log import Row, comparable

COLLAPSE, BALANCE, MEMORISING, PLATEAU = "collapse", "balance", "memorising", "plateau"
# Fields of the definition that the alarms advise to change; R1 excludes batch norm in D, which the default has
AUGMENT, R1 = "augment", 'penalties.r1 (with discriminator.norm "none")'
SKIP_ABOVE, MINIBATCH = "balance.skip_above", "discriminator.minibatch"
D_RATE, G_RATE = "discriminator.optimizer.learning_rate", "generator.optimizer.learning_rate"

EARLY_SCORED, EARLY_EPOCHS = 2, 10  # scored epochs, and epochs, without alarms: every GAN looks bad at first
PATIENCE = 10  # epochs for which the balance must be lost: it fluctuates
ENOUGH_STEPS = 2000  # if epochs are long, this many steps are enough instead of the epochs above
MIN_DIVERSITY = 0.5  # of the reals' diversity
RECALL_FALLS, MIN_RECALL = 3, 0.1  # falls in a row; below that recall a fall may be chance
MAX_ACCURACY = 0.98  # of D; above it D is too far ahead
MIN_GRADIENT_SHARE = 0.01  # of G's gradient in the first epochs; below it G no longer learns
GUESSING_MARGIN = 0.03  # D guesses if its accuracy is within this of one half
MIN_ACCURACY = 0.4  # of D; below it D is wrong more often than by chance
SAME_PROBABILITY = 0.02  # D guesses if its mean probabilities on reals and fakes differ by less
STILL_RANGE = 0.01  # D has given up if these probabilities vary by less
MAX_MEMORISED = 0.2  # share of copies; a few percent of new pictures look like copies
MIN_SCORED = 6  # scored epochs before a plateau can be detected


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something that is wrong with a training: its kind, the epoch when it began, and one line that says what to do."""

    kind: str
    epoch: int
    text: str


def alarms(rows: Sequence[Row]) -> tuple[Alarm, ...]:
    """The alarms at the end of `rows`, one row per epoch in order; at most one alarm of a kind.

    A problem that has ended raises no alarm. Missing values and None raise no alarm: only epochs with a sample sheet
    have `kid` and the other scores, and the rows of a critic have no `d_accuracy`.
    """
    scored = [row for row in comparable(rows) if row.get("kid") is not None]
    found = _collapse(scored[EARLY_SCORED:]), _balance(rows), _memorising(scored[EARLY_SCORED:]), _plateau(scored)
    return tuple(alarm for alarm in found if alarm)


def new_alarms(rows: Sequence[Row]) -> tuple[Alarm, ...]:
    """The alarms at the end of `rows` whose kind was not raised at the last sample sheet before."""
    before = max((index for index, row in enumerate(rows[:-1], start=1) if row.get("kid") is not None), default=0)
    known = {alarm.kind for alarm in alarms(rows[:before])}
    return tuple(alarm for alarm in alarms(rows) if alarm.kind not in known)


def _collapse(scored: Sequence[Row]) -> Alarm | None:
    remedy = f'strengthen {AUGMENT}, set {MINIBATCH} to "stddev", lower {G_RATE}, or raise {R1}'
    if start := _start_of_final_run(scored, lambda row: _value(row, "diversity") < MIN_DIVERSITY):
        finding = f"samples differ only {scored[-1]['diversity']:.2f} times as much as reals"
        return _alarm(COLLAPSE, start, f"{finding}: mode collapse, a few pictures again and again; {remedy}")
    if start := _recall_loss(scored):
        finding = f"recall fell from {start['recall']:.2f} to {scored[-1]['recall']:.2f}"
        return _alarm(COLLAPSE, start, f"{finding}: mode collapse, fewer and fewer kinds of pictures; {remedy}")
    return None


def _recall_loss(scored: Sequence[Row]) -> Row | None:
    """The scored row from which recall fell RECALL_FALLS times in a row to under half, and stayed there."""
    recalls = [_value(row, "recall") for row in scored]
    for start in range(len(recalls) - RECALL_FALLS):
        run, later = recalls[start : start + RECALL_FALLS + 1], recalls[start + RECALL_FALLS :]
        falls = all(before > after for before, after in itertools.pairwise(run))
        if falls and run[0] >= MIN_RECALL and all(recall < run[0] / 2 for recall in later):
            return scored[start]
    return None


def _balance(rows: Sequence[Row]) -> Alarm | None:
    early, patience = (_epochs_to_wait(rows, epochs) for epochs in (EARLY_EPOCHS, PATIENCE))
    normal = statistics.median(_value(row, "g_gradient") for row in rows[:early]) if rows else math.nan
    rows = rows[early:]
    is_critic = bool(rows) and rows[-1].get("d_accuracy") is None  # a critic has no accuracy
    skip = "" if is_critic else f"set {SKIP_ABOVE} to 0.9, "
    weaken = f"{skip}lower {D_RATE}, strengthen {AUGMENT}, or raise {R1}"
    if start := _start_of_final_run(rows, lambda row: _value(row, "d_accuracy") > MAX_ACCURACY, least=patience):
        finding = f"the discriminator's accuracy is {rows[-1]['d_accuracy']:.1%}"
        return _alarm(BALANCE, start, f"{finding}: it is too far ahead, and the generator learns little; {weaken}")
    if start := _start_of_final_run(
        rows, lambda row: _value(row, "g_gradient") < MIN_GRADIENT_SHARE * normal, least=patience
    ):
        finding = f"the generator's gradient is {rows[-1]['g_gradient']:.2g}, after {normal:.2g} at first"
        return _alarm(BALANCE, start, f"{finding}: it learns nothing from the discriminator; {weaken}")
    strengthen = f"raise {D_RATE}, lower {G_RATE}, or weaken {AUGMENT} or penalties"
    if start := _start_of_final_run(rows, lambda row: _value(row, "d_accuracy") < MIN_ACCURACY, least=patience):
        finding = f"the discriminator is right only {rows[-1]['d_accuracy']:.0%} of the time"
        return _alarm(BALANCE, start, f"{finding}: it cannot keep up with the generator; {strengthen}")
    if (start := _start_of_final_run(rows, _is_guessing, least=PATIENCE)) and _is_still(rows[-PATIENCE:]):
        finding = f"the discriminator gives reals and samples the same probability, {rows[-1]['d_real']:.2f}"
        return _alarm(BALANCE, start, f"{finding}: it has given up; {strengthen}")
    return None


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


def _memorising(scored: Sequence[Row]) -> Alarm | None:
    if start := _start_of_final_run(scored, lambda row: _value(row, "memorised") > MAX_MEMORISED, least=2):
        finding = f"{scored[-1]['memorised']:.0%} of the samples are copies of kept pictures"
        remedy = f"train for fewer epochs, collect more pictures, or strengthen {AUGMENT}"
        return _alarm(MEMORISING, start, f"{finding}: the generator memorises them; {remedy}")
    return None


def _plateau(scored: Sequence[Row]) -> Alarm | None:
    if len(scored) < MIN_SCORED:
        return None
    late, earlier = scored[-(len(scored) // 3) :], scored[: -(len(scored) // 3)]
    known = min(row["kid"] for row in earlier)
    if any(row["kid"] < known - row["kid_error"] for row in late):
        return None
    best = min(scored, key=lambda row: row["kid"])
    finding = (
        f"the KID by {best.get('extractor', 'an unknown extractor')} is no better than {best['kid']:.4f} ±"
        f" {best['kid_error']:.4f}, and epoch {best['epoch']} was best"
    )
    remedy = f"stop early, or change {AUGMENT}, the learning rates, the widths or the number of pictures"
    return _alarm(PLATEAU, best, f"{finding}: a plateau, more training does not improve it; {remedy}")


def _start_of_final_run(rows: Sequence[Row], is_wrong: Callable[[Row], bool], *, least: int = 1) -> Row | None:
    """The first row of the final run of rows that are all wrong; None if the run is shorter than `least`."""
    last = list(itertools.takewhile(is_wrong, reversed(rows)))
    return last[-1] if len(last) >= least else None


def _value(row: Row, name: str) -> float:
    """The value called `name`; NaN if it is missing, which compares false with everything."""
    value = row.get(name)
    return math.nan if value is None else float(value)


def _alarm(kind: str, start: Row, text: str) -> Alarm:
    return Alarm(kind=kind, epoch=start["epoch"], text=f"since epoch {start['epoch']}: {text}")
