"""The resume point of a training: the validated contents of a checkpoint beside networks and optimizers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.devices import BFLOAT16, ComputeMode, Threads, rounding
from pipeline.errors import UserError
from pipeline.gan.class_names import names_digest
from pipeline.gan.config import Definition, definition_digest
from pipeline.gan.config.resolutions import NETWORKS
from pipeline.gan.training.checkpoint import load_arrays
from pipeline.gan.training.phase import FIRST, Phase
from pipeline.gan.training.recovery import RETRIES
from pipeline.gan.training.step_inputs import MIN_IMAGES
from pipeline.gan.training.train_step import METRICS, stack_metrics
from pipeline.gan.validation import MAX_NAME, Shape, check_shape
from pipeline.images.contact_sheet import GRID
from pipeline.store.npz import ArrayForm, ArrayForms, Arrays, ForeignFile, Npz, shown

if TYPE_CHECKING:
    from pipeline.gan.training.loop import Trainer
    from pipeline.gan.training.step_inputs import Batches

MAX_TEXT_BYTES = 1 << 14  # of a note and of an origin, which have a few hundred
MAX_IMAGES = 10**9
MAX_STEP = 10**15
Count = Annotated[int, Field(ge=0, le=4096)]  # of threads
FLOAT_FORM, INTEGER_FORM = ArrayForm(("float64",)), ArrayForm(("int64",))
TEXT_FORM = ArrayForm(("uint8",), (None,), most=MAX_TEXT_BYTES)


class Origin(BaseModel):
    """What a training is of, as its checkpoints record it.

    The pictures and noise of a step follow from `seed` and `images`, their shape (N, S, S, C). `definition` is a
    digest, and `classes` one of the names of the classes, None if it is not conditional. The other fields that may be
    None are missing in checkpoints of earlier versions. `phase` is missing in the first
    phase, and is no part of the origin itself: checkpoints of several phases belong to one training.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    seed: int = Field(ge=0)
    images: tuple[int, int, int, int]
    name: str = Field(max_length=MAX_NAME)
    definition: str | None = None
    classes: str | None = None
    rounding: str | None = Field(None, max_length=255)
    precision: Literal["float32", "bfloat16"] | None = None
    threads: tuple[Count, Count] | None = None  # within a layer, and between layers
    phase: Phase = FIRST

    @field_validator("images")
    @classmethod
    def _check_images(cls, images: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        if not MIN_IMAGES <= images[0] <= MAX_IMAGES:
            raise ValueError(f"expected {MIN_IMAGES} pictures or more")
        try:
            check_shape(images[1:])
        except UserError as error:
            raise ValueError(str(error)) from None
        return images

    @field_validator("name", "rounding")
    @classmethod
    def _check_text(cls, text: str | None) -> str | None:
        if text and not text.isprintable():
            raise ValueError("expected one line of text")
        return text

    def matches(
        self, seed: int, images: tuple[int, ...], definition: Definition, class_names: Sequence[str] = ()
    ) -> bool:
        """Whether a training with `seed`, `definition` and classes on images of shape `images` has this origin."""
        known = self.definition in (None, definition_digest(definition))
        own = (self.seed, self.images, self.classes)
        return known and own == (seed, tuple(images), names_digest(class_names))

    def is_same_training(self, other: "Origin | None") -> bool:
        """Whether a checkpoint of the origin `other` is of the same training, in whichever phase."""
        return other is not None and self.model_copy(update={"phase": other.phase}) == other

    @property
    def compute_mode(self) -> ComputeMode | None:
        """How the training computes, and must compute when it resumes; None if an earlier version did not record it."""
        if self.precision is None or self.threads is None:
            return None
        within, between = self.threads
        dtype = BFLOAT16 if self.precision == "bfloat16" else "float32"
        return ComputeMode(dtype=dtype, threads=Threads(within=within, between=between))

    @property
    def shape(self) -> Shape:
        """The shape (S, S, C) of one picture."""
        return self.images[1:]


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


@dataclass(frozen=True)
class CheckpointOutline:
    """What can be read of a checkpoint without its weights; whether it is intact is not known yet."""

    path: Path
    steps_done: int
    origin: Origin | None  # None in checkpoints of an early version
    bytes: dict[str, int]  # of the weights of each of NETWORKS


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
        steps_done=_step(arrays["step"]),
        retries=int(arrays["retries"]),
        metrics=arrays["metrics"],
        latents=arrays["latents"],
        note=_text(arrays["note"], "note"),
        origin=_origin(arrays["origin"]),
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


def load_outline(path: Path) -> CheckpointOutline:
    """Read the step, origin and sizes of the checkpoint `path`, with little memory.

    Errors: `DamagedFile`, `ForeignFile`.
    """
    with Npz(path) as file:
        headers = {name: file.header(name) for name in file.names}
        arrays: Arrays = {}
        for name, form in (("step", INTEGER_FORM), ("origin", TEXT_FORM)):
            if name in headers and not form.fits(headers[name]):
                raise ForeignFile(f"{name} is {headers[name]} where {form} is expected")
            arrays |= {name: file.array(name, headers[name])} if name in headers else {}
    if "step" not in arrays:
        raise ForeignFile("holds no step")
    sizes = {
        network: sum(header.bytes for name, header in headers.items() if name.startswith(f"{network}/"))
        for network in NETWORKS
    }
    origin = _origin(arrays["origin"]) if "origin" in arrays else None
    return CheckpointOutline(path, _step(arrays["step"]), origin, sizes)


def _step(array: np.ndarray) -> int:
    if not 0 <= (step := int(array)) <= MAX_STEP:
        raise ForeignFile(f"is of step {step}, which is out of bounds")
    return step


def _origin(array: np.ndarray) -> Origin:
    try:
        return Origin.model_validate_json(array.tobytes())
    except ValidationError as error:
        first = error.errors()[0]
        field_name = "".join(f"{each}: " for each in first["loc"][:1])
        raise ForeignFile(f"has an origin that no training writes: {field_name}{shown(first['msg'])}") from None


def _text(array: np.ndarray, name: str) -> str:
    try:
        text = array.tobytes().decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise ForeignFile(f"holds a {name} that is not one line of text")
    return text
