"""One job of gpu_check.py: whether a training that is resumed from its checkpoint is bit-identical.

The second half is trained twice: by the process that trained the first half, and by another process from the
checkpoint. What a processor or GPU compiles, times and selects again in the other process must not change the result.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu_device import facts
from benchmarks.gpu_step import make_definition, noise_pictures
from pipeline.devices import prepare_devices
from pipeline.gan.training.ending import TrainConfig
from pipeline.gan.training.loop import CHECKPOINTS, Trainer
from pipeline.gan.training.null_observer import NullObserver
from pipeline.gan.tuning import share_cores
from pipeline.progress import never, silent

STEPS = 12  # of each half
OF_THE_CLOCK = {"seconds"}  # the only array that is not deterministic


def train_whole(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Train both halves in the folder of `job`, and save the result there."""
    training = _make_trainer(job, Path(job["folder"]) / "whole", tell)
    _train(training)
    np.savez(Path(job["folder"]) / "whole.npz", **_computed(training))


def train_again(job: dict[str, Any], tell: Callable[..., None]) -> None:
    """Train the second half from the checkpoint after the first, and report the difference from the whole training."""
    folder = Path(job["folder"])
    shutil.copytree(folder / "whole", folder / "again")
    max((folder / "again" / CHECKPOINTS).glob("step-*.npz")).unlink()
    training = _make_trainer(job, folder / "again", tell)
    if training.steps_done != STEPS:
        raise RuntimeError(f"the training was taken up at step {training.steps_done}, not at {STEPS}")
    _train(training)
    with np.load(folder / "whole.npz") as whole:
        tell(**compared(dict(whole), _computed(training)))


def compared(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> dict[str, Any]:
    """Compare arrays of the same names: `bit_identical`, how many differ, and the largest difference."""
    differing = [name for name in one if not np.array_equal(one[name], other[name], equal_nan=_is_float(one[name]))]
    largest = max((float(np.abs(one[name].astype(float) - other[name]).max()) for name in differing), default=0.0)
    return {
        "bit_identical": not differing,
        "arrays": len(one),
        "arrays_that_differ": len(differing),
        "largest_difference": largest,
        "steps": STEPS,
    }


def _make_trainer(job: dict[str, Any], folder: Path, tell: Callable[..., None]) -> Trainer:
    definition = make_definition(job)
    prepare_devices(share_cores(definition, size=job["side"]))
    tell(device=facts())
    folder.mkdir(parents=True, exist_ok=True)
    images = noise_pictures(definition.batch * STEPS, side=job["side"])
    config = TrainConfig(epochs=2, seed=0, sample_every=1, checkpoint_every=1, xla=job["xla"])
    return Trainer(config, definition, images, folder=folder, observer=NullObserver())


def _train(training: Trainer) -> None:
    try:
        training.run(silent, never)
    finally:
        training.log.close()


def _computed(training: Trainer) -> dict[str, np.ndarray]:
    return {name: array for name, array in training.arrays().items() if name not in OF_THE_CLOCK}


def _is_float(array: np.ndarray) -> bool:
    return np.issubdtype(array.dtype, np.floating)
