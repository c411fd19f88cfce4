"""Images for the browser: squares small enough for a grid, and original pictures that a browser may show safely."""

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


def _type_within(path: Path, folder: Path) -> str | None:
    """The content type of a file directly inside `folder`; None if it is elsewhere."""
    try:
        if path.resolve().parent != folder.resolve():
            return None
        with path.open("rb") as file:
            return raster_type(file.read(HEAD))
    except OSError:
        return None
