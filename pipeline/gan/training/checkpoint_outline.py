"""What a training is of, as its checkpoints record it, and what can be read of them without their weights.

No TensorFlow here: a plan asks as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.errors import UserError
from pipeline.gan.class_names import names_digest
from pipeline.gan.config import Definition, definition_digest
from pipeline.gan.config.resolutions import NETWORKS
from pipeline.gan.training.phase import FIRST, Phase
from pipeline.gan.validation import MAX_NAME, MIN_IMAGES, Shape, check_shape
from pipeline.store.npz import ArrayForm, Arrays, ForeignFile, Npz, shown

if TYPE_CHECKING:
    from pipeline.devices import ComputeMode

MAX_TEXT_BYTES = 1 << 14  # of a note and of an origin, which have a few hundred
MAX_IMAGES = 10**9
MAX_STEP = 10**15
Count = Annotated[int, Field(ge=0, le=4096)]  # of threads
INTEGER_FORM = ArrayForm(("int64",))
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
    def compute_mode(self) -> "ComputeMode | None":
        """How the training computes, and must compute when it resumes; None if an earlier version did not record it."""
        from pipeline.devices import BFLOAT16, ComputeMode, Threads  # here, as it loads TensorFlow

        if self.precision is None or self.threads is None:
            return None
        within, between = self.threads
        dtype = BFLOAT16 if self.precision == "bfloat16" else "float32"
        return ComputeMode(dtype=dtype, threads=Threads(within=within, between=between))

    @property
    def shape(self) -> Shape:
        """The shape (S, S, C) of one picture."""
        return self.images[1:]


@dataclass(frozen=True)
class CheckpointOutline:
    """What can be read of a checkpoint without its weights; whether it is intact is not known yet."""

    path: Path
    steps_done: int
    origin: Origin | None  # None in checkpoints of an early version
    bytes: dict[str, int]  # of the weights of each of NETWORKS

    @property
    def phase(self) -> Phase:
        """The phase of the training; the first if the checkpoint does not say."""
        return self.origin.phase if self.origin else FIRST


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
    origin = origin_of(arrays["origin"]) if "origin" in arrays else None
    return CheckpointOutline(path, step_of(arrays["step"]), origin, sizes)


def step_of(array: np.ndarray) -> int:
    """The number of steps done in the array `step` of a checkpoint. Errors: `ForeignFile`."""
    if not 0 <= (step := int(array)) <= MAX_STEP:
        raise ForeignFile(f"is of step {step}, which is out of bounds")
    return step


def origin_of(array: np.ndarray) -> Origin:
    """The origin in the array `origin` of a checkpoint. Errors: `ForeignFile`."""
    try:
        return Origin.model_validate_json(array.tobytes())
    except ValidationError as error:
        first = error.errors()[0]
        field_name = "".join(f"{each}: " for each in first["loc"][:1])
        raise ForeignFile(f"has an origin that no training writes: {field_name}{shown(first['msg'])}") from None
