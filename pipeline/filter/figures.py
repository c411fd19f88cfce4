"""What a saved classifier says of itself, checked before anything is made of it: its figures, and its arrays' forms."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.filter import features, patches
from pipeline.filter.kernel import FOLDS
from pipeline.store import verified
from pipeline.store.npz import Damaged, Foreign, Form, Forms, or_damaged, shown

NAME = "classifier.json"
MOST = 1 << 20  # bytes; it has some hundreds
MOST_KNOWN = 100_000  # pictures that others are compared with
PACKED = ("float16", "float32")  # whichever takes less and loses nothing
Positive = Annotated[float, Field(gt=0)]


class Part(BaseModel):
    """A part of the figures: of just the types that were written, and no number that is not finite."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class ScaleFigures(Part):
    """Those of a `Scale`."""

    mean: float
    spread: Positive


class CalibrationFigures(Part):
    """Those of a `Calibration`."""

    slope: float
    intercept: float
    prior: Annotated[float, Field(gt=0, lt=1)]


class Figures(Part):
    """All of them. `thresholds` and `energy` are of a dictionary of patches, which a backbone does without."""

    calibration: CalibrationFigures
    machine_scale: ScaleFigures
    network_scales: Annotated[tuple[ScaleFigures, ...], Field(max_length=64)]
    widths: tuple[Positive, ...]
    thresholds: tuple[float, float] | None = None
    energy: Positive | None = None
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def read_figures(folder: Path) -> tuple[Figures, Mapping[str, Any]]:
    """Those in `folder`, and the same as JSON has them, which the digest is of.

    Errors: `Damaged`, `Foreign`; `DamagedState` if they are not what the manifest says.
    """
    path = folder / NAME
    if not path.is_file() or path.stat().st_size > MOST:
        raise Damaged(f"holds no {NAME} of at most {MOST:,} bytes")
    data = verified.read_bytes(folder, NAME)
    with or_damaged(f"holds a {NAME} that is not JSON"):
        tree = json.loads(data)
    try:
        return Figures.model_validate_json(data), tree
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{each}: " for each in first["loc"][:1])
        raise Foreign(f"holds a {NAME} that was not written here: {place}{shown(first['msg'])}") from None


def kernel_forms(kinds: tuple[str, ...], *, backbone: bool) -> Forms:
    """What kernel.npz holds, with views of the `kinds`: without a `backbone` the dictionary of patches too."""
    known = {"histograms": features.SIZE, "patches": patches.SIZE, "colours": features.COLOURS}
    return {
        "weights": Form(("float64",), (None, 1 + FOLDS), most=MOST_KNOWN),
        **{f"support_{kind}": Form(PACKED, (None, known.get(kind)), most=MOST_KNOWN) for kind in kinds},
        **({} if backbone else _dictionary()),
    }


def _dictionary() -> Forms:
    """A first layer on patches of colour, and a second on neighbouring cells of what the first answers."""
    pixels, cells = 3 * patches.PATCH**2, 2 * patches.WORDS[0]
    blocks = patches.CHANNELS * patches.NEIGHBOURS**2
    shapes = {
        "first_directions": (pixels, patches.WORDS[0]),
        "first_offsets": (patches.WORDS[0],),
        "centre": (cells,),
        "channels": (cells, patches.CHANNELS),
        "second_directions": (blocks, patches.WORDS[1]),
        "second_offsets": (patches.WORDS[1],),
    }
    return {name: Form(("float32",), shape) for name, shape in shapes.items()}
