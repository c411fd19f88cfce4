"""The stage gan: train a generator on the kept pictures."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.devices import ComputeMode, prepare_devices
from pipeline.errors import DamagedState, Stopped, UserError
from pipeline.filter.scores import kept_ids
from pipeline.gan.config import Definition, read
from pipeline.gan.config.resolutions import definition_warnings
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
    """Train a generator on the kept pictures; write it, its sheets, statistics and last checkpoint into `folder`.

    `definition` is a file of models/, `kept` the folder of the stage filter. An interrupted training in `folder` is
    resumed bit-identically. `classifier`, if given, scores the samples if there is no pretrained network. `live`, if
    given, gets each sheet, plot and row as it is made; `download`, if given, tells the model card where the pictures
    come from.

    Errors: `UserError` for a wrong definition, a size that no network can be built for, too few pictures, too few
    epochs to grow in, losses that stay NaN, lack of memory; `Stopped` after a checkpoint.
    """
    loaded = read(definition)
    ids = kept_ids(kept)
    check_count(len(ids))
    images = read_images(normalize, ids).images
    compute_mode = recorded_compute_mode(folder) or _choose_mode(
        loaded.definition, options, images, progress, should_stop
    )
    prepare_devices(compute_mode.threads)
    evaluator = SampleEvaluator(images, extractor=choose_extractor(options.extractor, classifier), seed=options.seed)
    observer = Observer(folder, live=live, epochs=options.epochs, evaluator=evaluator)
    training = Trainer(
        _train_config(options), loaded.definition, images, folder=folder, observer=observer, compute_mode=compute_mode
    )
    try:
        if training.steps_done > training.step_planner.steps:
            found = f"{folder} is at step {training.steps_done}, beyond the last"
            raise DamagedState(f"{found}; move it away to start again")
        training.step_planner.check_growth()
        training.run(progress, should_stop)
    finally:
        training.log.close()
    lineage = read_lineage(ids, normalize=normalize, kept=kept, download=download)
    return _write_outputs(training, lineage, definition_warnings(loaded, file=definition.name, size=images.shape[1]))


def _choose_mode(
    definition: Definition, options: GanOptions, images: np.ndarray, progress: Progress, should_stop: ShouldStop
) -> ComputeMode:
    """The compute mode in which this machine trains fastest."""
    steps = options.epochs * len(images) // definition.batch
    _, size, _, channels = images.shape
    compute_mode = choose_compute_mode(
        definition,
        size=size,
        channels=channels,
        steps=steps,
        notify=lambda line: progress(0, 0, line),
        should_stop=should_stop,
    )
    if should_stop():  # before the mode is recorded: an interrupted measurement may choose another mode
        raise Stopped("stopped before the first step; the next run starts there")
    return compute_mode


def _train_config(options: GanOptions) -> TrainConfig:
    return TrainConfig(
        epochs=options.epochs,
        seed=options.seed,
        sample_every=options.sample_every,
        checkpoint_every=options.checkpoint_every,
        minutes=options.max_minutes,
        xla=options.xla,
        name=options.definition,
    )


def _write_outputs(training: Trainer, lineage: Lineage, warnings: list[str]) -> Result:
    """Write networks, video and model card; keep the last checkpoint, from which more epochs could be trained."""
    folder, state, observer = training.folder, training.state, training.observer
    assert isinstance(observer, Observer)  # `train_gan` made it
    evaluator = observer.evaluator
    write_definition(training.definition, folder)
    _keep_final_checkpoint(training)
    # The best epoch is only chosen by features of a pretrained network: late in a training the KIDs by textures differ
    # by less than their standard errors
    best = training.best.weights() if evaluator is not None and evaluator.extractor.pretrained else None
    if best:
        state.restore_average(best)
    write_networks(training.definition, folder, generator=state.average, discriminator=state.discriminator)
    _write_videos(training, observer)
    epoch = training.best.epoch if best else training.epoch
    write_card(training, folder, epoch=epoch, lineage=lineage, warnings=warnings)
    weights = {name: array for name, array in state.arrays().items() if name.startswith("average/")}
    outputs = {"generator": digest_arrays(weights), "sheets": observer.sheets.digest()}
    summary = {**_summary(training, epoch=epoch), "notices": [*warnings, *_notices(training.log.rows)]}
    return Result(outputs=outputs, summary=summary)


def _keep_final_checkpoint(training: Trainer) -> None:
    """Keep only the newest checkpoint, as final.npz; an attempt that was interrupted here may have moved it already."""
    folder, final = training.folder / CHECKPOINTS, training.folder / FINAL
    if (found := checkpoints(folder)) and read_arrays(final, training.forms) is None:
        found[0].replace(final)
    shutil.rmtree(folder, ignore_errors=True)


def _write_videos(training: Trainer, observer: Observer) -> None:
    """Write the videos of the sample sheets, also to the live folder; without an MP4 encoder only the GIF."""
    for out in {training.folder / "plots", observer.live or training.folder / "plots"}:
        with contextlib.suppress(UserError):
            animate(observer.sheets.folder, out)


def _summary(training: Trainer, *, epoch: int) -> dict[str, Any]:
    rows, state = training.log.rows, training.state
    seconds = sum(row["seconds"] for row in rows)
    timed = len(rows) * training.step_planner.images_seen(
        training.batches.steps
    )  # lines that a disk has lost tell no time
    return {
        "epochs": training.epoch,
        "epoch_kept": epoch,
        "images": len(training.images),
        "images_seen": training.step_planner.images_seen(training.steps_done),
        "images_per_second": round(timed / seconds, 1) if seconds else 0.0,
        "seconds": round(seconds, 1),
        "size": training.images.shape[1],
        "precision": training.compute_mode.precision,
        "parameters": state.generator.parameters + state.discriminator.parameters,
    }


def _notices(rows: list[Row]) -> list[str]:
    """Notes and alarms of the training."""
    return [text for row in rows for text in [*filter(None, [row.get("note")]), *row.get("alarms", [])]]
