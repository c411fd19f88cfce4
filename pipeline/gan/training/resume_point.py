"""The resume point of a training: the validated contents of a checkpoint beside networks and optimizers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.devices import rounding
from pipeline.gan.class_names import names_digest
from pipeline.gan.config import definition_digest
from pipeline.gan.training.checkpoint import load_arrays
from pipeline.gan.training.checkpoint_outline import INTEGER_FORM, TEXT_FORM, Origin, origin_of, step_of
from pipeline.gan.training.phase import FIRST
from pipeline.gan.training.recovery import RETRIES
from pipeline.gan.training.train_step import METRICS, stack_metrics
from pipeline.images.contact_sheet import GRID
from pipeline.store.npz import ArrayForm, ArrayForms, Arrays, ForeignFile

if TYPE_CHECKING:
    from pipeline.gan.training.loop import Trainer
    from pipeline.gan.training.step_inputs import Batches

FLOAT_FORM = ArrayForm(("float64",))


@dataclass(frozen=True, kw_only=True)
class ResumePoint:
    """The validated contents of one checkpoint."""

    steps_done: int  # steps done
    retries: int
    metrics: np.ndarray  # (steps of this epoch so far, METRICS) float32
    latents: np.ndarray  # (GRID², latent) float32
    note: str
    seconds: float
    accuracy_average: float
    lr_scale: float
    origin: Origin
    arrays: Arrays  # all arrays of the file, with those of the state

    def note_with(self, now: str) -> str:
        """The note for the next row of a training that computes with the rounding `now`: it also says if results will
        not be bit-identical to those of an uninterrupted training."""
        if self.origin.rounding in (None, now):
            return self.note
        change = f"resumed with {now} after {self.origin.rounding}, which rounds differently"
        return "; ".join(filter(None, [self.note, change]))


def point_forms(batches: "Batches", *, latent: int) -> ArrayForms:
    """The forms of the arrays that every checkpoint of a training on `batches` holds beside its state."""
    return {
        "step": INTEGER_FORM,
        "retries": INTEGER_FORM,
        "metrics": ArrayForm(("float32",), (None, len(METRICS)), most=batches.steps),
        "latents": ArrayForm(("float32",), (GRID**2, latent)),
        "note": TEXT_FORM,
        "origin": TEXT_FORM,
        **dict.fromkeys(("seconds", "lead", "caution"), FLOAT_FORM),
    }


def point_arrays(training: "Trainer") -> Arrays:
    """The contents of a checkpoint: all that later steps depend on, and the statistics of the current epoch."""
    mode = training.compute_mode
    # The pictures and noise of each step follow from `seed`, `images` and `phase`
    origin: dict[str, Any] = {
        "seed": training.config.seed,
        "images": training.images.shape,
        "name": training.config.name,
        "definition": definition_digest(training.definition),
        "rounding": rounding(mode.dtype),
        "precision": mode.precision,
        "threads": [mode.threads.within, mode.threads.between],
    }
    if training.classes:
        origin["classes"] = names_digest(training.classes.names)
    if training.phase != FIRST:
        origin["phase"] = training.phase.model_dump()
    numbers = {
        "seconds": training.seconds,
        "lead": training.accuracy_average.accuracy,
        "caution": training.lr_scale,
    }
    return {
        "step": np.asarray(np.int64(training.steps_done)),
        "retries": np.asarray(np.int64(training.retries)),
        "metrics": stack_metrics(training.metrics),
        "latents": training.latents,
        "note": np.frombuffer(training.note.encode(), np.uint8),
        "origin": np.frombuffer(json.dumps(origin).encode(), np.uint8),
        **{name: np.asarray(np.float64(value)) for name, value in numbers.items()},
        **training.state.arrays(),
    }


def load_point(path: Path, forms: ArrayForms, batches: "Batches") -> ResumePoint:
    """Read and validate the checkpoint `path` of a training on `batches`; `forms` are those of all its arrays.

    Errors: `DamagedFile`; `ForeignFile` if it is of something else, or holds numbers that no training reaches.
    """
    arrays = load_arrays(path, forms)
    found = ResumePoint(
        steps_done=step_of(arrays["step"]),
        retries=int(arrays["retries"]),
        metrics=arrays["metrics"],
        latents=arrays["latents"],
        note=_text(arrays["note"], "note"),
        origin=origin_of(arrays["origin"]),
        arrays=arrays,
        seconds=float(arrays["seconds"]),
        accuracy_average=float(arrays["lead"]),
        lr_scale=float(arrays["caution"]),
    )
    in_bounds = 0 <= found.retries <= RETRIES and found.seconds >= 0
    if not (in_bounds and 0 <= found.accuracy_average <= 1 and 0 < found.lr_scale <= 1):
        raise ForeignFile("holds retries, seconds, lead or caution out of bounds")
    if found.steps_done < found.origin.phase.step:
        raise ForeignFile(f"is of step {found.steps_done}, before the first of its phase")
    if len(found.metrics) != batches.clock.steps_into(found.steps_done):
        raise ForeignFile(f"holds metrics of {len(found.metrics)} steps, which does not fit step {found.steps_done}")
    return found


def _text(array: np.ndarray, name: str) -> str:
    try:
        text = array.tobytes().decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise ForeignFile(f"holds a {name} that is not one line of text")
    return text
