"""The stage gan: from the kept pictures to a trained generator."""

import json
import shutil
from pathlib import Path

from pipeline.callbacks import Progress, ShouldStop
from pipeline.filter.kept import kept_ids
from pipeline.gan.batches import check_count
from pipeline.gan.checkpoint import digest_arrays
from pipeline.gan.definition import as_tree, read_definition
from pipeline.gan.runtime import keras, prepare_devices
from pipeline.gan.training import CHECKPOINTS, FINAL, Training
from pipeline.images.image_set import read_images
from pipeline.options import GanOptions
from pipeline.result import Result

GENERATOR = "generator.keras"


def train_gan(
    options: GanOptions,
    *,
    definition: Path,
    normalize: Path,
    kept: Path,
    folder: Path,
    live: Path | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> Result:
    """Train a generator on the kept pictures; leave it, its sheets, its figures and its last checkpoint in `folder`.

    `definition` is a file of models/, `kept` the folder of filter. What an earlier attempt left in `folder` is gone
    on from, bit for bit. `live`, if given, gets each sheet as it is made. Errors: `UserError` for a wrong definition,
    a size that no network fits, too few pictures, losses that are no numbers; `Stopped` after a checkpoint.
    """
    plan = read_definition(definition)
    prepare_devices()
    ids = kept_ids(kept)
    check_count(len(ids))
    training = Training(options, plan, read_images(normalize, ids).images, folder=folder, live=live)
    try:
        training.run(progress, should_stop)
    finally:
        training.log.close()
    _leave(training)
    return Result(outputs=_outputs(training), summary=_summary(training))


def _leave(training: Training) -> None:
    """Write what others read, and let the last checkpoint stay as the one from which more epochs could go on."""
    folder, state = training.folder, training.state
    state.average.save(folder / GENERATOR)
    state.discriminator.save(folder / "discriminator.keras")
    (folder / "definition.json").write_text(json.dumps(as_tree(training.definition), indent=2) + "\n", encoding="utf-8")
    checkpoints = sorted((folder / CHECKPOINTS).glob("step-*.npz"))
    if checkpoints:
        checkpoints[-1].replace(folder / FINAL)
        shutil.rmtree(folder / CHECKPOINTS)


def _outputs(training: Training) -> dict[str, str]:
    weights = {name: array for name, array in training.state.arrays().items() if name.startswith("average/")}
    return {"generator": digest_arrays(weights), "sheets": training.sheets.digest()}


def _summary(training: Training) -> dict[str, float]:
    rows, state = training.log.rows, training.state
    seconds, seen = sum(row["seconds"] for row in rows), training.number * training.batches.batch
    return {
        "epochs": training.epoch,
        "images": len(training.images),
        "images_seen": seen,
        "images_per_second": round(seen / seconds, 1),
        "seconds": round(seconds, 1),
        "size": training.images.shape[1],
        "parameters": _parameters(state.generator) + _parameters(state.discriminator),
    }


def _parameters(network: keras.Model) -> int:
    return sum(weight.value.shape.num_elements() for weight in network.trainable_variables)
