"""The row of statistics of one epoch, a line of stats.jsonl without the scores of samples; the note on progress."""

import operator
import typing

from pipeline.gan.stats_log import Row
from pipeline.gan.training.losses import find_loss
from pipeline.gan.training.train_step import METRICS, count_skipped, stack_metrics

if typing.TYPE_CHECKING:
    from pipeline.gan.training.loop import Trainer

PROBABILITY_METRICS = ("d_accuracy", "d_real", "d_fake", "d_sureness")


def epoch_row(training: "Trainer") -> Row:
    """The row of the epoch of `training` that has just ended: means over its steps."""
    metrics, planner = stack_metrics(training.metrics), training.step_planner
    # + 0.0: the mean of marks of skipped steps is -0.0
    means = dict(zip(METRICS, (metrics.mean(axis=0, dtype=float).round(6) + 0.0).tolist(), strict=True))
    if find_loss(training.definition.loss).is_critic:  # its D gives no probabilities
        means = {name: value for name, value in means.items() if name not in PROBABILITY_METRICS}
    seen = len(training.metrics) * training.batches.images_per_step
    smoothing = planner.definition.smoothing
    g_rate, d_rate = map(operator.mul, planner.rates(training.steps_done - 1), training.rate_scales)
    return {
        "epoch": training.epoch,
        "step": training.steps_done,
        "images_seen": planner.images_seen(training.steps_done),
        **means,
        "d_skipped": count_skipped(metrics),
        "g_rate": g_rate,
        "d_rate": d_rate,
        "batch": training.batches.batch,
        "smoothing_real": smoothing.real,
        "smoothing_fake": smoothing.fake,
        "images_per_second": round(seen / training.seconds, 2),
        "seconds": round(training.seconds, 3),
        **({} if planner.is_full_size(training.steps_done - 1) else {"growing": 1}),
        **({"note": training.note} if training.note else {}),
    }


def progress_note(training: "Trainer") -> str:
    """The epoch of `training` and, after the first one, what the last epoch came to; for a progress bar."""
    note = f"epoch {training.epoch + (not training.is_done)} {training.length}"
    if not training.config.epochs:  # how many steps there will be is not known, so only those that are done are shown
        note = f"steps, {note}"
    if not training.log.rows:
        return note
    row = training.log.rows[-1]
    return f"{note}, D {row['d_loss']:.2f}, G {row['g_loss']:.2f}, {row['images_per_second']:.0f} images/s"
