"""Pictures for the browser: squares small enough for a grid, and originals that a browser may safely show."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path

from PIL import Image

LARGE = 50_000  # bytes of a square from which a page of them would be slow
SIDE = 256  # pixels: the largest tile on a sharp screen
HEAD = 32
KINDS = {  # what a browser shows as pixels and never runs
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}


def raster_type(head: bytes) -> str | None:
    """The content type of a picture that begins with `head`; None for all that is none of `KINDS` or WebP."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in KINDS.items() if head.startswith(magic)), None)


def thumbnail(path: Path, folder: Path) -> tuple[bytes, str]:
    """A square as bytes with their content type, made smaller if it is large.

    Errors: `OSError` if it is gone, or does not lie below `folder`.
    """
    if not path.resolve(strict=True).is_relative_to(folder.resolve()):
        raise FileNotFoundError(path)
    stat = path.stat()
    if stat.st_size <= LARGE:
        data = path.read_bytes()
        return data, raster_type(data[:HEAD]) or "application/octet-stream"
    return _smaller(path, stat.st_mtime_ns), "image/jpeg"


@lru_cache(maxsize=4096)  # some 40 MB at most
def _smaller(path: Path, stamp: int) -> bytes:
    with Image.open(path) as picture:
        small = picture.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        made = BytesIO()
        small.save(made, "JPEG", quality=85)
    return made.getvalue()


def original(id: str, *, raw: Path, download: Path | None) -> tuple[Path, str] | None:
    """The file of a picture as it was downloaded, with its content type; None if no browser shows it as it is.

    `id` must be one that the catalogue knows.
    """
    for folder in (raw / id[:2], *([download / "images"] if download else [])):
        for path in sorted(folder.glob(f"{id}.*")):
            if kind := _kind(path, folder):
                return path, kind
    return None


def _kind(path: Path, folder: Path) -> str | None:
    """The content type of a file that lies in `folder` and nowhere else."""
    try:
        if path.resolve().parent != folder.resolve():
            return None
        with path.open("rb") as file:
            return raster_type(file.read(HEAD))
    except OSError:
        return None
