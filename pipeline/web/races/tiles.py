"""The tile of an entry: 10 by 10 samples, or an uploaded picture, as a PNG without metadata and of one size."""

import io
import warnings
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageOps

from pipeline.errors import UserError
from pipeline.images.contact_sheet import contact_sheet
from pipeline.images.png import encode_png
from pipeline.images.raster import resize

ROWS = 10  # and columns of a tile
SAMPLES = ROWS * ROWS
GAP = 2  # pixels between samples
MAX_SIDE = 256  # pixels of a sample on a tile; a tile of 2.6 megapixels is large enough to judge
MAX_UPLOAD_BYTES = 32 << 20
MAX_UPLOAD_PIXELS = 50_000_000
PAPER = 255


def tile_side(size: int) -> int:
    """The side in pixels of the tiles of a race of samples of `size` px."""
    return ROWS * (min(size, MAX_SIDE) + GAP) - GAP


def tile_of_samples(samples: Sequence[np.ndarray], size: int) -> bytes:
    """The PNG of the first hundred of `samples`, (H, W, C) uint8, C 1 or 3; each is scaled to `size` px.

    Small samples are enlarged by repeated pixels where a whole factor fits, so that none looks smoother than it is.
    """
    if len(samples) < SAMPLES:
        raise UserError(f"a tile needs {SAMPLES} samples, and {len(samples)} were drawn")
    cells = [_cell(each, min(size, MAX_SIDE)) for each in samples[:SAMPLES]]
    return encode_png(contact_sheet(cells, ROWS, gap=GAP, background=PAPER))


def tile_of_upload(data: bytes, size: int) -> bytes:
    """The PNG of an uploaded PNG or JPEG: decoded, without metadata, scaled into a tile's side.

    Raises:
        UserError: If it is too large, or is no such picture.
    """
    if len(data) > MAX_UPLOAD_BYTES:
        raise UserError(f"a picture may have {MAX_UPLOAD_BYTES >> 20} MiB at most")
    side = tile_side(size)
    pixels = _decoded(data)
    height, width = pixels.shape[:2]
    scale = min(side / width, side / height)
    fitted = _scaled(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
    tile = np.full((side, side, 3), PAPER, np.uint8)
    top, left = (side - fitted.shape[0]) // 2, (side - fitted.shape[1]) // 2
    tile[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    return encode_png(tile)


def _decoded(data: bytes) -> np.ndarray:
    """The pixels (H, W, 3) of a PNG or JPEG; transparent parts become white."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > MAX_UPLOAD_PIXELS:
                    raise UserError(f"a picture may have {MAX_UPLOAD_PIXELS // 1_000_000} megapixels at most")
                upright = ImageOps.exif_transpose(picture).convert("RGBA")
        paper = Image.new("RGBA", upright.size, "white")
        return np.asarray(Image.alpha_composite(paper, upright).convert("RGB"))
    except UserError:
        raise
    except Exception as error:  # a decoder may raise any exception for a damaged file
        raise UserError("this is not a whole PNG or JPEG picture; nothing was added") from error


def _cell(sample: np.ndarray, size: int) -> np.ndarray:
    colour = np.ascontiguousarray(np.broadcast_to(sample, (*sample.shape[:2], 3)))
    return _scaled(colour, size, size)


def _scaled(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """`pixels` (H, W, 3) at another size: repeated pixels for a whole factor, else averaged or bicubic."""
    rows, columns = pixels.shape[:2]
    if (rows, columns) == (height, width):
        return pixels
    if height % rows == 0 and width % columns == 0:
        return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST)
    return resize(pixels, width, height)
