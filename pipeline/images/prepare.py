"""One raw picture to one normalised square on the disk. What the worker processes do."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline.errors import DamagedState
from pipeline.images.crop import centre, fit, whole
from pipeline.images.decode import Decoded, decode
from pipeline.images.hashing import phash_both_ways
from pipeline.images.png import encode_png
from pipeline.images.quality import SIZE, Quality, assess
from pipeline.images.raster import resize
from pipeline.images.rejected import Rejected
from pipeline.options import NormalizeOptions
from pipeline.store import digest

COMPARED = 32  # side of the square into which the whole picture is squashed to be compared with others
LOOK = 16  # side of the small copy by which two pictures are compared once their hashes are near


class Picture(NamedTuple):
    """A raw picture: its id, which is the SHA-256 of its bytes, and the file that holds them."""

    id: str
    path: Path


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What became of one raw picture, in values that JSON knows.

    `reason` is empty for a picture that is on the disk as a square; then the last seven fields are filled: the SHA-256
    of the PNG file, the perceptual hashes of the square and of its mirror image (16 hex digits), and `look`, its
    (16, 16, C) uint8 area average in base64; and the same of the whole picture, stretched to a square. `width` and
    `height` are the original's, None where not known, and `quality` the scores by name, None where it was not decoded.
    """

    id: str
    bytes: int = 0
    reason: str = ""
    width: int | None = None
    height: int | None = None
    quality: dict[str, float] | None = field(default=None, hash=False)
    sha256: str = ""
    phash: str = ""
    mirror: str = ""
    look: str = ""
    whole_phash: str = ""
    whole_mirror: str = ""
    whole_look: str = ""


def prepare(raw: Picture, *, options: NormalizeOptions, folder: Path) -> Prepared:
    """Write the square of `raw` to `folder`/<id>.png; nothing is written when it is rejected.

    Errors: `DamagedState` when the raw file is missing or is not what its id promises.
    """
    cv2.setNumThreads(1)  # the processes have the cores among them
    data = _read(raw)
    picture = decode(data, options)
    if isinstance(picture, Rejected):
        return Prepared(id=raw.id, bytes=len(data), reason=picture.reason, width=picture.width, height=picture.height)
    square = fit(picture.raster, options)
    quality = _quality(picture, square, options)
    size: dict[str, Any] = {"width": picture.width, "height": picture.height, "quality": quality._asdict()}
    if issue := quality.issue(options):
        return Prepared(id=raw.id, bytes=len(data), reason=issue, **size)
    png = encode_png(square)
    (folder / f"{raw.id}.png").write_bytes(png)  # it may be cut short: a resumed run checks digests, publishing syncs
    return Prepared(
        id=raw.id,
        bytes=len(data),
        **size,
        sha256=digest.of_bytes(png),
        **_view(square, ""),
        **_view(whole(picture.raster, COMPARED), "whole_"),  # a copy may be cropped by us and stretched by others
    )


def _view(pixels: np.ndarray, name: str) -> dict[str, Any]:
    """The fields by which `pixels`, a square, are compared with those of other pictures."""
    ahead, mirror = phash_both_ways(pixels)
    look = base64.b64encode(resize(pixels, LOOK, LOOK).tobytes()).decode()
    return {f"{name}phash": f"{ahead:016x}", f"{name}mirror": f"{mirror:016x}", f"{name}look": look}


def _quality(picture: Decoded, square: np.ndarray, options: NormalizeOptions) -> Quality:
    if (options.fit, options.colour, options.size) != ("crop", "rgb", SIZE):
        square = centre(picture.raster, SIZE)
    return assess(square, width=picture.width, height=picture.height)


def _read(raw: Picture) -> bytes:
    way_out = "`python -m tasks rerun download` fetches it again"
    try:
        data = raw.path.read_bytes()
    except OSError as error:
        raise DamagedState(f"{raw.path} cannot be read ({error.strerror}); {way_out}") from None
    if digest.of_bytes(data) != raw.id:
        raise DamagedState(f"{raw.path} is not what was downloaded; {way_out}")
    return data
