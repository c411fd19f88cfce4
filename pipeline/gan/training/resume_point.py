"""Where a training stands: what a checkpoint holds beside networks and optimizers, checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.devices import BFLOAT16, ComputeMode, Threads
from pipeline.errors import UserError
from pipeline.gan.config import Definition, definition_digest
from pipeline.gan.config.resolutions import NETWORKS
from pipeline.gan.sampling import GRID
from pipeline.gan.training.checkpoint import load_arrays
from pipeline.gan.training.recovery import RETRIES
from pipeline.gan.training.step_inputs import FEWEST
from pipeline.gan.training.train_step import METRICS
from pipeline.gan.validation import Shape, check_shape
from pipeline.store.npz import Arrays, Foreign, Form, Forms, Npz, shown

if TYPE_CHECKING:
    from pipeline.gan.training.step_inputs import Batches

LONGEST = 1 << 14  # bytes of a note, and of what a training says of itself; they have some hundreds
MOST_PICTURES = 10**9
LAST_STEP = 10**15
Count = Annotated[int, Field(ge=0, le=4096)]  # of threads
NUMBER, WHOLE, TEXT = Form(("float64",)), Form(("int64",)), Form(("uint8",), (None,), most=LONGEST)


class Origin(BaseModel):
    """What a training said of itself: which pictures and noise a step gets follows from `seed` and `images`, their
    shape (N, S, S, C). `definition` is a digest; earlier versions left out what may be None."""

    model_config = ConfigDict(frozen=True, strict=True)

    seed: int = Field(ge=0)
    images: tuple[int, int, int, int]
    name: str = Field(max_length=255)
    definition: str | None = None
    rounding: str | None = Field(None, max_length=255)
    precision: Literal["float32", "bfloat16"] | None = None
    threads: tuple[Count, Count] | None = None  # within a layer, and between layers

    @field_validator("images")
    @classmethod
    def _can_be_drawn(cls, images: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        if not FEWEST <= images[0] <= MOST_PICTURES:
            raise ValueError(f"expected {FEWEST} pictures or more")
        try:
            check_shape(images[1:])
        except UserError as error:
            raise ValueError(str(error)) from None
        return images

    @field_validator("name", "rounding")
    @classmethod
    def _can_be_told(cls, text: str | None) -> str | None:
        if text and not text.isprintable():
            raise ValueError("expected one line of text")
        return text

    def is_of(self, seed: int, images: tuple[int, ...], definition: Definition) -> bool:
        """Whether a training by `seed` and `definition` on `images`, their shape, says the same of itself."""
        known = self.definition in (None, definition_digest(definition))
        return known and (self.seed, self.images) == (seed, tuple(images))

    @property
    def way(self) -> ComputeMode | None:
        """How the training computes, and has to go on; None where an earlier version did not say."""
        if self.precision is None or self.threads is None:
            return None
        within, between = self.threads
        dtype = BFLOAT16 if self.precision == "bfloat16" else "float32"
        return ComputeMode(dtype=dtype, threads=Threads(within=within, between=between))

    @property
    def shape(self) -> Shape:
        """Of one picture, (S, S, C)."""
        return self.images[1:]


@dataclass(frozen=True, kw_only=True)
class ResumePoint:
    """The numbers of one checkpoint, checked."""

    number: int  # steps done
    retries: int
    metrics: np.ndarray  # (steps of this epoch so far, METRICS) float32
    latents: np.ndarray  # (GRID², latent) float32
    note: str
    seconds: float
    lead: float
    caution: float
    origin: Origin
    arrays: Arrays  # all that the file holds, those of the state among them


@dataclass(frozen=True)
class CheckpointOutline:
    """What can be told of a checkpoint without reading its weights; whether it is whole cannot."""

    path: Path
    number: int
    origin: Origin | None  # None in one of an early version
    bytes: dict[str, int]  # that each of NETWORKS takes


def point_forms(batches: "Batches", *, latent: int) -> Forms:
    """What every checkpoint of a training on `batches` holds beside its state."""
    return {
        "step": WHOLE,
        "retries": WHOLE,
        "metrics": Form(("float32",), (None, len(METRICS)), most=batches.steps),
        "latents": Form(("float32",), (GRID**2, latent)),
        "note": TEXT,
        "origin": TEXT,
        **dict.fromkeys(("seconds", "lead", "caution"), NUMBER),
    }


def load_point(path: Path, forms: Forms, batches: "Batches") -> ResumePoint:
    """The checkpoint `path` of a training on `batches`, which holds arrays of `forms`, those of the state included.

    Errors: `Damaged`; `Foreign` if it is of something else, or holds numbers that no training comes to.
    """
    arrays = load_arrays(path, forms)
    numbers = {name: float(arrays[name]) for name in ("seconds", "lead", "caution")}
    found = ResumePoint(
        number=_step(arrays["step"]),
        retries=int(arrays["retries"]),
        metrics=arrays["metrics"],
        latents=arrays["latents"],
        note=_text(arrays["note"], "note"),
        origin=_origin(arrays["origin"]),
        arrays=arrays,
        **numbers,
    )
    if not (0 <= found.retries <= RETRIES and found.seconds >= 0 and 0 <= found.lead <= 1 and 0 < found.caution <= 1):
        raise Foreign("holds retries, seconds, lead or caution out of bounds")
    if len(found.metrics) != found.number % batches.steps:
        raise Foreign(f"holds metrics of {len(found.metrics)} steps, which is not how far step {found.number} is")
    return found


def load_outline(path: Path) -> CheckpointOutline:
    """What the checkpoint `path` says of itself. It takes next to no memory. Errors: `Damaged`, `Foreign`."""
    with Npz(path) as file:
        headers = {name: file.header(name) for name in file.names}
        small: Arrays = {}
        for name, form in (("step", WHOLE), ("origin", TEXT)):
            if name in headers and not form.fits(headers[name]):
                raise Foreign(f"{name} is {headers[name]} where {form} is expected")
            small |= {name: file.array(name, headers[name])} if name in headers else {}
    if "step" not in small:
        raise Foreign("holds no step")
    sizes = {
        network: sum(header.bytes for name, header in headers.items() if name.startswith(f"{network}/"))
        for network in NETWORKS
    }
    return CheckpointOutline(path, _step(small["step"]), _origin(small["origin"]) if "origin" in small else None, sizes)


def _step(array: np.ndarray) -> int:
    if not 0 <= (step := int(array)) <= LAST_STEP:
        raise Foreign(f"says that it is of step {step}")
    return step


def _origin(array: np.ndarray) -> Origin:
    try:
        return Origin.model_validate_json(array.tobytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{each}: " for each in first["loc"][:1])
        raise Foreign(f"has an origin that no training writes: {place}{shown(first['msg'])}") from None


def _text(array: np.ndarray, name: str) -> str:
    try:
        text = array.tobytes().decode()
    except UnicodeDecodeError:
        text = "\0"
    if not text.isprintable():
        raise Foreign(f"holds a {name} that is not one line of text")
    return text
