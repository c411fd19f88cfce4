"""Convert one picture to a square file and its comparison data; the work of a worker process."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline.errors import DamagedState
from pipeline.images.crop import crop_centre, fit_to_square, squash_to_square
from pipeline.images.decode import Decoded, decode
from pipeline.images.hashing import phash_both_ways
from pipeline.images.png import encode_png
from pipeline.images.quality import SIZE, Quality, assess
from pipeline.images.raster import resize
from pipeline.images.rejected import Rejected
from pipeline.options import NormalizeOptions
from pipeline.store import digest

COMPARED_SIDE = 32  # pixels of the square to which the whole picture is squashed for comparison
THUMBNAIL_SIDE = 16  # pixels along each side of the thumbnail by which pictures with near hashes are compared


class Picture(NamedTuple):
    """A picture file in `folder`, named by its id, the SHA-256 of its bytes in hex; of `any_size` if it is not too
    small to be used."""

    id: str
    folder: Path
    suffix: str = ""
    any_size: bool = False

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / (self.id + self.suffix)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The result for one picture, in JSON values; also a row of the journal.

    `reason` is empty if the square was written; then the last seven fields are set: the SHA-256 of the PNG file, the
    perceptual hashes of the square and of its mirror image (16 hex digits), and `look`, its thumbnail (S, S, C) uint8
    in base64, with S = THUMBNAIL_SIDE; and the same for the whole picture squashed to a square. `width` and `height`
    (pixels) are the original's, None if unknown; `quality` has the scores by name, None if the picture was not decoded.
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


def prepare(picture: Picture, *, options: NormalizeOptions, folder: Path) -> Prepared:
    """Write the square of `picture` to `folder`/<id>.png, or return why it is rejected; then nothing is written.

    Raises:
        DamagedState: the file is missing or its SHA-256 is not its id.
    """
    cv2.setNumThreads(1)  # one thread per process; the processes share the cores
    data = _read_picture(picture)
    decoded = decode(data, options.model_copy(update={"min_side": 1}) if picture.any_size else options)
    if isinstance(decoded, Rejected):
        return Prepared(
            id=picture.id, bytes=len(data), reason=decoded.reason, width=decoded.width, height=decoded.height
        )
    square = fit_to_square(decoded.raster, options)
    quality = _quality(decoded, square, options)
    size: dict[str, Any] = {"width": decoded.width, "height": decoded.height, "quality": quality._asdict()}
    if issue := quality.issue(options):
        return Prepared(id=picture.id, bytes=len(data), reason=issue, **size)
    png = encode_png(square)
    (folder / f"{picture.id}.png").write_bytes(png)  # without fsync: a resumed run checks digests, and publishing syncs
    return Prepared(
        id=picture.id,
        bytes=len(data),
        **size,
        sha256=digest.of_bytes(png),
        **_comparison_fields(square, ""),
        # The whole picture too, because a copy may be stretched instead of cropped
        **_comparison_fields(squash_to_square(decoded.raster, COMPARED_SIDE), "whole_"),
    )


def _comparison_fields(pixels: np.ndarray, name: str) -> dict[str, Any]:
    """The fields by which the square `pixels` is compared with other pictures."""
    phash, mirror = phash_both_ways(pixels)
    thumbnail = base64.b64encode(resize(pixels, THUMBNAIL_SIDE, THUMBNAIL_SIDE).tobytes()).decode()
    return {f"{name}phash": f"{phash:016x}", f"{name}mirror": f"{mirror:016x}", f"{name}look": thumbnail}


def _quality(picture: Decoded, square: np.ndarray, options: NormalizeOptions) -> Quality:
    if (options.fit, options.colour, options.size) != ("crop", "rgb", SIZE):
        square = crop_centre(picture.raster, SIZE)
    return assess(square, width=picture.width, height=picture.height)


def _read_picture(picture: Picture) -> bytes:
    remedy = "`python -m tasks rerun download` fetches it again"
    try:
        data = picture.path.read_bytes()
    except OSError as error:
        raise DamagedState(f"{picture.path} cannot be read ({error.strerror}); {remedy}") from None
    if digest.of_bytes(data) != picture.id:
        raise DamagedState(f"{picture.path} is not what was downloaded; {remedy}")
    return data
