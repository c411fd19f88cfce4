"""The stage gan: from the kept pictures to a trained generator."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.devices import ComputeMode, prepare_devices
from pipeline.errors import DamagedState, Stopped, UserError
from pipeline.filter.scores import kept_ids
from pipeline.gan.config.__init__ import Definition, read
from pipeline.gan.config.resolutions import cautions
from pipeline.gan.evaluation.evaluator import SampleEvaluator
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.gan.model_card import Lineage, read_lineage, write_card
from pipeline.gan.networks.export import GENERATOR, write_networks
from pipeline.gan.stats_log import Row
from pipeline.gan.training.checkpoint import checkpoints, digest_arrays, read_arrays
from pipeline.gan.training.loop import CHECKPOINTS, FINAL, TrainConfig, Trainer
from pipeline.gan.training.observer import Observer
from pipeline.gan.training.saved import recorded_compute_mode, write_definition
from pipeline.gan.training.step_inputs import check_count
from pipeline.gan.tuning import choose_compute_mode
from pipeline.gan.video import animate
from pipeline.images.dataset import read_images
from pipeline.options import GanOptions
from pipeline.progress import Progress, ShouldStop
from pipeline.result import Result

__all__ = ["GENERATOR", "train_gan"]


def train_gan(
    options: GanOptions,
    *,
    definition: Path,
    normalize: Path,
    kept: Path,
    classifier: Path | None,
    folder: Path,
    live: Path | None,
    progress: Progress,
    should_stop: ShouldStop,
    download: Path | None = None,
) -> Result:
    """Train a generator on the kept pictures; leave it, its sheets, its figures and its last checkpoint in `folder`.

    `definition` is a file of models/, `kept` the folder of filter. What an earlier attempt left in `folder` is gone
    on from, bit for bit. `classifier`, if given, is what samples are scored with where no pretrained network is at
    hand. `live`, if given, gets each sheet, plot and line as it is made; from `download`, if given, the model card
    knows where the pictures come from. Errors: `UserError` for a wrong definition, a size that no network fits, too few
    pictures, too few epochs to grow in, losses that stay no numbers, too little memory; `Stopped` after a checkpoint.
    """
    reading = read(definition)
    ids = kept_ids(kept)
    check_count(len(ids))
    images = read_images(normalize, ids).images
    way = recorded_compute_mode(folder) or _fastest(reading.definition, options, images, progress, should_stop)
    prepare_devices(way.threads)
    monitor = SampleEvaluator(images, extractor=choose_extractor(options.extractor, classifier), seed=options.seed)
    watch = Observer(folder, live=live, epochs=options.epochs, monitor=monitor)
    training = Trainer(_terms(options), reading.definition, images, folder=folder, watch=watch, way=way)
    try:
        if training.number > training.director.steps:
            raise DamagedState(f"{folder} is at step {training.number}, beyond the last; move it away to begin anew")
        training.director.check_growth()
        training.run(progress, should_stop)
    finally:
        training.log.close()
    lineage = read_lineage(ids, normalize=normalize, kept=kept, download=download)
    return _leave(training, lineage, cautions(reading, file=definition.name, size=images.shape[1]))


def _fastest(
    definition: Definition, options: GanOptions, images: np.ndarray, progress: Progress, should_stop: ShouldStop
) -> ComputeMode:
    """How this machine computes the steps fastest."""
    steps = options.epochs * len(images) // definition.batch
    _, size, _, channels = images.shape
    asked = {"say": lambda line: progress(0, 0, line), "should_stop": should_stop}
    way = choose_compute_mode(definition, size=size, channels=channels, steps=steps, **asked)
    if should_stop():  # before the way is recorded: it may not be the one that a whole measurement comes to
        raise Stopped("stopped before the first step; the next run begins there")
    return way


def _terms(options: GanOptions) -> TrainConfig:
    return TrainConfig(
        epochs=options.epochs,
        seed=options.seed,
        sample_every=options.sample_every,
        checkpoint_every=options.checkpoint_every,
        minutes=options.max_minutes,
        xla=options.xla,
        name=options.definition,
    )


def _leave(training: Trainer, lineage: Lineage, warnings: list[str]) -> Result:
    """Write what others read, and let the last checkpoint stay as the one from which more epochs could go on."""
    folder, state, monitor = training.folder, training.state, training.watch.monitor
    write_definition(training.definition, folder)
    _keep_last(training)
    # Features of a network that was trained on these labels, or of none, are not enough to choose by
    best = training.best.weights() if monitor is not None and monitor.extractor.pretrained else None
    if best:
        state.restore_average(best)
    write_networks(training.definition, folder, generator=state.average, discriminator=state.discriminator)
    _film(training)
    epoch = training.best.epoch if best else training.epoch
    write_card(training, folder, epoch=epoch, lineage=lineage, warnings=warnings)
    weights = {name: array for name, array in state.arrays().items() if name.startswith("average/")}
    outputs = {"generator": digest_arrays(weights), "sheets": training.watch.sheets.digest()}
    summary = {**_summary(training, epoch=epoch), "notices": [*warnings, *_told(training.log.rows)]}
    return Result(outputs=outputs, summary=summary)


def _keep_last(training: Trainer) -> None:
    """The newest checkpoint alone, as final.npz; an attempt that was cut off here may have left it already, whole."""
    folder, final = training.folder / CHECKPOINTS, training.folder / FINAL
    if (found := checkpoints(folder)) and read_arrays(final, training.forms) is None:
        found[0].replace(final)
    shutil.rmtree(folder, ignore_errors=True)


def _film(training: Trainer) -> None:
    """The sheets as a film, for those who watch too; without a coder for MP4 there is the GIF alone."""
    for out in {training.folder / "plots", training.watch.live or training.folder / "plots"}:
        with contextlib.suppress(UserError):
            animate(training.watch.sheets.folder, out)


def _summary(training: Trainer, *, epoch: int) -> dict[str, Any]:
    rows, state = training.log.rows, training.state
    seconds = sum(row["seconds"] for row in rows)
    timed = len(rows) * training.director.seen(training.batches.steps)  # lines that a disk has lost tell no time
    return {
        "epochs": training.epoch,
        "epoch_kept": epoch,
        "images": len(training.images),
        "images_seen": training.director.seen(training.number),
        "images_per_second": round(timed / seconds, 1) if seconds else 0.0,
        "seconds": round(seconds, 1),
        "size": training.images.shape[1],
        "precision": training.way.precision,
        "parameters": state.generator.parameters + state.discriminator.parameters,
    }


def _told(rows: list[Row]) -> list[str]:
    """What the training had to say: breakdowns, and alarms."""
    return [text for row in rows for text in [*filter(None, [row.get("note")]), *row.get("alarms", [])]]
