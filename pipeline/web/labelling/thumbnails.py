"""Images for the browser: squares small enough for a grid, and original pictures that a browser may show safely."""

import threading
from collections import OrderedDict
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from PIL import Image

MAX_DIRECT_BYTES = 50_000  # larger squares would make a page of them slow
SIDE = 256  # pixels: the largest tile on a high-density screen
HEAD = 32
SIGNATURES = {  # types that a browser shows as pixels and never executes
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}


def raster_type(head: bytes) -> str | None:
    """The content type of a picture that begins with `head`; None if it is neither in `SIGNATURES` nor WebP."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in SIGNATURES.items() if head.startswith(magic)), None)


def thumbnail(path: Path, folder: Path) -> tuple[bytes, str]:
    """A square as bytes with its content type, scaled down if it is large.

    Raises:
        OSError: If the file is missing, or is not inside `folder`.
    """
    if not path.resolve(strict=True).is_relative_to(folder.resolve()):
        raise FileNotFoundError(path)
    stat = path.stat()
    if stat.st_size <= MAX_DIRECT_BYTES:
        data = path.read_bytes()
        return data, raster_type(data[:HEAD]) or "application/octet-stream"
    return _shrink(path, stat.st_mtime_ns), "image/jpeg"


@lru_cache(maxsize=4096)  # some 40 MB at most
def _shrink(path: Path, stamp: int) -> bytes:
    with Image.open(path) as picture:
        small = picture.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        made = BytesIO()
        small.save(made, "JPEG", quality=85)
    return made.getvalue()


def original(id: str, *, raw: Path, download: Path | None) -> tuple[Path, str] | None:
    """The file of a picture as it was downloaded, with its content type; None if browsers cannot show it.

    `id` must be one of the index.
    """
    for folder in (raw / id[:2], *([download / "images"] if download else [])):
        for path in sorted(folder.glob(f"{id}.*")):
            if kind := _type_within(path, folder):
                return path, kind
    return None


MAX_ORIGINAL_BYTES = 64_000_000  # of a file that is decoded for a thumbnail
MAX_ORIGINAL_PIXELS = 50_000_000  # decoded at once: 150 MB; of larger pictures the grid shows the square
ORIGINAL_SIDE = 512  # pixels of the longer side: a hover preview
CACHE_BYTES = 48_000_000  # some thousand thumbnails; browsers keep theirs
_DECODING = threading.BoundedSemaphore(2)  # pictures at a time, each of which may take MAX_ORIGINAL_PIXELS


class ThumbnailCache:
    """The thumbnails of originals that were asked for last, as JPEG by id, limited in bytes."""

    def __init__(self, most: int = CACHE_BYTES) -> None:
        self.most = most
        self.bytes = 0
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, id: str, path: Path) -> bytes | None:
        """The thumbnail of the original `path`; None if it cannot be decoded within the limits."""
        with self._lock:
            if id in self._held:
                self._held.move_to_end(id)
                return self._held[id]
        with _DECODING:
            made = original_thumbnail(path)
        if made is not None:
            self._keep(id, made)
        return made

    def _keep(self, id: str, made: bytes) -> None:
        with self._lock:
            self.bytes += len(made) - len(self._held.pop(id, b""))
            self._held[id] = made
            while self.bytes > self.most:
                _, dropped = self._held.popitem(last=False)
                self.bytes -= len(dropped)


def original_thumbnail(path: Path) -> bytes | None:
    """An original as a JPEG of at most `ORIGINAL_SIDE` pixels; None if it is damaged or exceeds a limit.

    Its header is checked before pixels are decoded, and a large JPEG is decoded at a part of its size.
    """
    from pipeline.images.decode import UNLIMITED_ASPECT, decode  # loads OpenCV, which takes a moment
    from pipeline.images.rejected import Rejected
    from pipeline.options import NormalizeOptions

    options = NormalizeOptions(
        size=ORIGINAL_SIDE, min_side=1, max_aspect=UNLIMITED_ASPECT, max_pixels=MAX_ORIGINAL_PIXELS
    )
    try:
        if path.stat().st_size > MAX_ORIGINAL_BYTES:
            return None
        found = decode(path.read_bytes(), options)
    except OSError:
        return None
    if isinstance(found, Rejected):
        return None
    small, made = Image.fromarray(found.pixels), BytesIO()
    small.thumbnail((ORIGINAL_SIDE, ORIGINAL_SIDE))
    small.save(made, "JPEG", quality=82)
    return made.getvalue()


def _type_within(path: Path, folder: Path) -> str | None:
    """The content type of a file directly inside `folder`; None if it is elsewhere."""
    try:
        if path.resolve().parent != folder.resolve():
            return None
        with path.open("rb") as file:
            return raster_type(file.read(HEAD))
    except OSError:
        return None
