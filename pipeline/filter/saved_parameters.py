"""Validate a saved classifier before it is built: its parameters (classifier.json) and the shapes of its arrays."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from pipeline.filter import features, patches
from pipeline.filter.kernel import FOLDS
from pipeline.option_types import StrictModel
from pipeline.store import verified
from pipeline.store.npz import ArrayForm, ArrayForms, DamagedFile, ForeignFile, or_damaged_file, shown

FILE_NAME = "classifier.json"
MAX_BYTES = 1 << 20  # bytes; it has a few hundred
MAX_SUPPORT = 100_000  # training squares that others are compared with
PACKED = ("float16", "float32")  # float16 where that loses nothing
Positive = Annotated[float, Field(gt=0)]


class SavedPart(StrictModel, extra="ignore"):
    """A part of classifier.json. Fields that another version added are ignored."""


class SavedScale(SavedPart):
    """The fields of a `Scale`."""

    mean: float
    spread: Positive


class SavedCalibration(SavedPart):
    """The fields of a `Calibration`."""

    slope: float
    intercept: float
    prior: Annotated[float, Field(gt=0, lt=1)]


class SavedParameters(SavedPart):
    """All fields of classifier.json; `thresholds` and `energy` belong to a patch dictionary, which a backbone does not
    need."""

    calibration: SavedCalibration
    machine_scale: SavedScale
    network_scales: Annotated[tuple[SavedScale, ...], Field(max_length=64)]
    widths: tuple[Positive, ...]
    thresholds: tuple[float, float] | None = None
    energy: Positive | None = None
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def read_parameters(folder: Path) -> tuple[SavedParameters, Mapping[str, Any]]:
    """Read classifier.json in `folder`.

    Returns:
        The parameters, and the raw JSON tree that the digest is computed from.

    Raises:
        DamagedFile: If the file is missing, too large or not JSON.
        ForeignFile: If it has other fields or types.
        DamagedState: If its content differs from the manifest.
    """
    path = folder / FILE_NAME
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise DamagedFile(f"holds no {FILE_NAME} of at most {MAX_BYTES:,} bytes")
    data = verified.read_bytes(folder, FILE_NAME)
    with or_damaged_file(f"holds a {FILE_NAME} that is not JSON"):
        raw = json.loads(data)
    try:
        return SavedParameters.model_validate_json(data), raw
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in first["loc"][:1])
        raise ForeignFile(
            f"holds a {FILE_NAME} that this program did not write: {where}{shown(first['msg'])}"
        ) from None


def kernel_array_forms(kinds: tuple[str, ...], *, backbone: bool) -> ArrayForms:
    """The shapes of the arrays in kernel.npz, for views of the `kinds`; without a `backbone` also those of the patch
    dictionary."""
    sizes = {"histograms": features.SIZE, "patches": patches.SIZE, "colours": features.COLOURS}
    return {
        "weights": ArrayForm(("float64",), (None, 1 + FOLDS), most=MAX_SUPPORT),
        **{f"support_{kind}": ArrayForm(PACKED, (None, sizes.get(kind)), most=MAX_SUPPORT) for kind in kinds},
        **({} if backbone else _dictionary_forms()),
    }


def _dictionary_forms() -> ArrayForms:
    """Shapes of the two layers: the first on patches of colour, the second on 2 x 2 neighbouring cells of the first."""
    pixels, cells = 3 * patches.PATCH**2, 2 * patches.DICTIONARY_SIZES[0]
    blocks = patches.CHANNELS * patches.NEIGHBOURS**2
    shapes = {
        "first_directions": (pixels, patches.DICTIONARY_SIZES[0]),
        "first_offsets": (patches.DICTIONARY_SIZES[0],),
        "centre": (cells,),
        "channels": (cells, patches.CHANNELS),
        "second_directions": (blocks, patches.DICTIONARY_SIZES[1]),
        "second_offsets": (patches.DICTIONARY_SIZES[1],),
    }
    return {name: ArrayForm(("float32",), shape) for name, shape in shapes.items()}
