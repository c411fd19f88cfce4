"""The stage gan: train a generator on the kept pictures."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.devices import ComputeMode, prepare_devices
from pipeline.errors import DamagedState, Stopped, UserError
from pipeline.filter.scores import kept_ids
from pipeline.gan.card_text import Lineage
from pipeline.gan.classes import Classes, read_classes
from pipeline.gan.config import Definition, read
from pipeline.gan.config.resolutions import definition_warnings
from pipeline.gan.continuation import Continuation, newest_step
from pipeline.gan.evaluation.diagnostics import alarm_summary
from pipeline.gan.evaluation.evaluator import SampleEvaluator
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.gan.model_card import read_lineage, write_card
from pipeline.gan.networks.export import GENERATOR, write_networks
from pipeline.gan.sheet_names import SHEETS
from pipeline.gan.start import copy_networks
from pipeline.gan.stats_log import LAST, best_row, chosen_epoch, skipped_steps
from pipeline.gan.tensorboard_events import EventLog, remove_events
from pipeline.gan.training.checkpoint import checkpoints, digest_arrays, read_arrays
from pipeline.gan.training.ending import MIN_STEPS, TrainConfig, check_automatic
from pipeline.gan.training.loop import CHECKPOINTS, FINAL, Trainer
from pipeline.gan.training.observer import Observer
from pipeline.gan.training.saved import holds_checkpoint, recorded_compute_mode, take_over, write_definition
from pipeline.gan.training.step_inputs import check_count
from pipeline.gan.tuning import choose_compute_mode
from pipeline.gan.video import animate, film_notice
from pipeline.images.dataset import read_images
from pipeline.images.packed import Images
from pipeline.options import GanOptions
from pipeline.progress import Progress, ShouldStop, StageProgress, tell
from pipeline.result import Result
from pipeline.store.artifacts import ArtifactStore

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
    continues: Continuation | None = None,
    start: Path | None = None,
) -> Result:
    """Train a generator on the kept pictures; write it, its sheets, statistics and last checkpoint into `folder`.

    `definition` is a file of models/, `kept` the folder of the stage filter. An interrupted training in `folder` is
    resumed bit-identically. If there is none, the training that `continues` names goes on, if given: it must be of the
    same definition, pictures and seed, and of no more epochs. One that begins takes its networks from the checkpoint
    `start`, if given. `progress` is told where training goes on, or why from
    nothing. `classifier`, if given, scores the samples if there is no pretrained network. `live`, if given, gets each
    sheet, plot and row as it is made, and the events for TensorBoard; `download`, if given, tells the model card where
    the pictures come from.

    Errors: `UserError` for a wrong definition, one that cannot train without a number of epochs, a size that no network
    can be built for, too few pictures, too few epochs to grow in, losses that stay NaN, lack of memory; `Stopped` after
    a checkpoint. If the minutes of the options are over, the result is `unfinished`, and a later call with `continues`
    goes on from it.
    """
    loaded = read(definition)
    if options.epochs is None:
        check_automatic(loaded.definition, options.definition)
    ids = kept_ids(kept)
    check_count(len(ids))
    kept_images = read_images(normalize, ids, progress=StageProgress(progress, should_stop).report)
    images, classes = kept_images.images, _classes(loaded.definition, kept_images.ids, download)
    if classes:
        tell(progress, classes.in_words())
    continues, resumes = continues or Continuation(), holds_checkpoint(folder)
    source = None if resumes else continues.folder
    if source and not take_over(source, folder, epochs=options.epochs):
        continues = Continuation(why_not=f"{source} cannot be read")
    compute_mode = recorded_compute_mode(folder) or _choose_mode(
        loaded.definition, options, images, progress, should_stop
    )
    prepare_devices(compute_mode.threads)
    evaluator = SampleEvaluator(images, extractor=choose_extractor(options.extractor, classifier), seed=options.seed)
    write_definition(loaded.definition, folder, classes.names if classes else ())
    events = _event_log(options, folder, live=live, notify=lambda line: tell(progress, line))
    observer = Observer(folder, live=live, evaluator=evaluator, events=events)
    training = Trainer(
        _train_config(options),
        loaded.definition,
        images,
        folder=folder,
        observer=observer,
        compute_mode=compute_mode,
        classes=classes,
    )
    _point_latest(live)
    if start and not training.steps_done:  # also where no checkpoint could be read
        tell(progress, f"begins with {copy_networks(start, training.state)}")
    if line := _resumption(training) if resumes else replace(continues, epochs=training.epoch).remark:
        tell(progress, line)
    try:
        if training.steps_done > training.step_planner.steps:
            found = f"{folder} is at step {training.steps_done}, beyond the last"
            raise DamagedState(f"{found}; move it away to start again")
        training.step_planner.check_growth()
        training.run(progress, should_stop)
    finally:
        training.log.close()
        if events:
            events.close()
    lineage = read_lineage(ids, normalize=normalize, kept=kept, download=download, start=start)
    warnings = definition_warnings(loaded, file=definition.name, size=images.shape[1])
    return _write_outputs(training, lineage, [*warnings, *_limit_notices(training)])


def _classes(definition: Definition, ids: Sequence[str], download: Path | None) -> Classes | None:
    """The classes of the pictures `ids` for a conditional `definition`; None for another one."""
    if not definition.conditional:
        return None
    if download is None:
        raise UserError("the definition is conditional, and the download that says the classes was deleted; run again")
    return read_classes(ids, download)


def _resumption(training: Trainer) -> str:
    """Where `training`, which an earlier run began in its folder, resumes; empty if it had not taken a step."""
    if training.steps_done:
        return f"resumes at epoch {training.epoch + (not training.is_done)} {training.length}"
    folder = training.folder
    was_begun = newest_step(folder) or (folder / FINAL).exists()
    return f"no checkpoint in {folder} can be read; trains from nothing" if was_begun else ""


def _point_latest(live: Path | None) -> None:
    """Let `latest` beside the folder `live` name it, so that people find the training that runs."""
    if live is not None:
        live.mkdir(parents=True, exist_ok=True)
        ArtifactStore(live.parent).point_latest(live)


def _event_log(
    options: GanOptions, folder: Path, *, live: Path | None, notify: Callable[[str], None]
) -> EventLog | None:
    """The events for TensorBoard, in the folder `live`, if the options ask for them."""
    if live is None:
        return None
    if options.tensorboard:
        return EventLog(live, sheets=folder / SHEETS, notify=notify)
    try:
        remove_events(live)  # those of an earlier run, which would end where that run ended
    except OSError as error:
        notify(f"old events of TensorBoard in {live} cannot be deleted ({error}); the training goes on")
    return None


def _limit_notices(training: Trainer) -> list[str]:
    """A notice if the time was over before the first epoch was."""
    if training.epoch:
        return []
    return [f"the time was over in the first epoch, at step {training.steps_done}: the samples say little yet"]


def _choose_mode(
    definition: Definition, options: GanOptions, images: Images, progress: Progress, should_stop: ShouldStop
) -> ComputeMode:
    """The compute mode in which this machine trains fastest."""
    _, size, _, channels = images.shape
    compute_mode = choose_compute_mode(
        definition,
        size=size,
        channels=channels,
        steps=MIN_STEPS,  # not those of this training, which may go on: its mode must not depend on its end
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
        most_steps=options.most_steps,
        sample_every=options.sample_every,
        checkpoint_every=options.checkpoint_every,
        minutes=options.max_minutes,
        total_minutes=options.total_minutes,
        xla=options.xla,
        name=options.definition,
    )


def _write_outputs(training: Trainer, lineage: Lineage, warnings: list[str]) -> Result:
    """Write networks, video and model card; keep the last checkpoint, from which more epochs could be trained."""
    folder, state, observer = training.folder, training.state, training.observer
    assert isinstance(observer, Observer)  # `train_gan` made it
    evaluator = observer.evaluator
    _keep_final_checkpoint(training)
    # The best epoch is only chosen by features of a pretrained network: late in a training the KIDs by textures differ
    # by less than their standard errors
    chooses = evaluator is not None and evaluator.extractor.pretrained
    best = training.best.weights() if chooses and not _is_last_better(training) else None
    if best:
        state.restore_average(best)
    write_networks(training.definition, folder, generator=state.average, discriminator=state.discriminator)
    _write_videos(training, observer)
    epoch = training.best.epoch if best else training.epoch
    write_card(training, folder, epoch=epoch, lineage=lineage, warnings=warnings)
    weights = {name: array for name, array in state.arrays().items() if name.startswith("average/")}
    outputs = {"generator": digest_arrays(weights), "sheets": observer.sheets.digest()}
    summary = {
        **_summary(training, epoch=epoch),
        **alarm_summary(training.log.rows, warnings, plateau=not training.is_at_plateau),
    }
    if notice := film_notice():
        summary["notices"] = [*summary["notices"], notice]
    return Result(outputs=outputs, summary=summary, unfinished="" if training.is_done else training.extent)


def _is_last_better(training: Trainer) -> bool:
    """Whether the state of `training` is better than its best checkpoint, which no epoch replaces that has a score only
    because the training ended there: if it goes on, the best epoch must be the same as without that end."""
    row = training.log.rows[-1] if training.log.rows else {}
    return LAST in row and row["step"] == training.steps_done and training.best.is_better(row)


def _keep_final_checkpoint(training: Trainer) -> None:
    """Keep only the newest checkpoint, as final.npz; an attempt that was interrupted here may have moved it already."""
    folder, final = training.folder / CHECKPOINTS, training.folder / FINAL
    if (found := checkpoints(folder)) and read_arrays(final, training.forms) is None:
        found[0].replace(final)
    shutil.rmtree(folder, ignore_errors=True)


def _write_videos(training: Trainer, observer: Observer) -> None:
    """Write the videos of the sample sheets, also to the live folder."""
    for out in {training.folder / "plots", observer.live or training.folder / "plots"}:
        out.mkdir(exist_ok=True)  # before the first epoch there is no plot
        animate(observer.sheets.folder, out)


def _summary(training: Trainer, *, epoch: int) -> dict[str, Any]:
    rows, state = training.log.rows, training.state
    best = best_row(rows)
    seconds = sum(row["seconds"] for row in rows)  # of whole epochs
    timed = len(rows) * training.step_planner.images_seen(
        training.batches.steps
    )  # lines that a disk has lost tell no time
    return {
        "epochs": training.epoch,
        "end": training.end,
        "epoch_kept": epoch,
        "drawn_from": chosen_epoch(epoch, last=training.epoch, best=best),
        "best_epoch": best["epoch"] if best else None,
        "best_kid": best["kid"] if best else None,
        "best_kid_error": best["kid_error"] if best else None,
        "steps": training.steps_done,
        "skipped_steps": skipped_steps(rows),
        "images": len(training.images),
        "images_seen": training.step_planner.images_seen(training.steps_done),
        "images_per_second": round(timed / seconds, 1) if seconds else 0.0,
        "seconds": round(training.trained_seconds, 1),
        "size": training.images.shape[1],
        "precision": training.compute_mode.precision,
        "parameters": state.generator.parameters + state.discriminator.parameters,
    }
