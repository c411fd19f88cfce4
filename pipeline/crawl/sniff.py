"""Tell what a body is from its first bytes, whatever its name or its server says."""

import re
import warnings
from typing import BinaryIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

EXTENSIONS = {"jpeg": "jpg", "png": "png", "gif": "gif", "webp": "webp", "bmp": "bmp", "tiff": "tif"}

# The plugin classes and not Image.open: that one tries other decoders too, and warns on the console of large pictures.
_READERS = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "gif": GifImageFile,
    "webp": WebPImageFile,
    "bmp": BmpImageFile,
    "tiff": TiffImageFile,
}

_MAGIC = [
    ("jpeg", rb"\xff\xd8\xff"),
    ("png", rb"\x89PNG\r\n\x1a\n"),
    ("gif", rb"GIF8[79]a"),
    ("webp", rb"RIFF....WEBP"),
    # "BM" alone begins many a text: the size of the second header tells.
    ("bmp", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ("tiff", rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]"),
    ("avif", rb"....ftypavi[fs]"),
    ("heic", rb"....ftyp(?:hei|hev|mif|msf)"),
    ("video", rb"....ftyp|\x1aE\xdf\xa3"),
    ("pdf", rb"%PDF-"),
    ("zip", rb"PK\x03\x04"),
    ("gzip", rb"\x1f\x8b"),
    ("html", rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?i:!doctype html|html|head|body|script|meta|title|p|h1|div)\b"),
    ("svg", rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!.*?>\s*)*<svg\b"),
    ("xml", rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|[A-Za-z])"),
    ("json", rb"\s*[{\[]"),
]
_KINDS = [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _MAGIC]

warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of damaged headers, on the console


def kind_of(data: bytes) -> str:
    """One of `EXTENSIONS` for a picture; otherwise a word for what it is instead: "html", "svg", "empty", "text".

    `data` is what a file begins with; a kilobyte will do.
    """
    head = data[:1024]
    for kind, pattern in _KINDS:
        if pattern.match(head):
            return kind
    if not head:
        return "empty"
    return "binary" if re.search(rb"[\x00-\x08\x0e-\x1f]", head) else "text"


def size_of(file: BinaryIO, kind: str) -> tuple[int | None, int | None]:
    """Width and height in pixels as the header has them; `(None, None)` when the header cannot be read."""
    try:
        with _READERS[kind](file) as picture:
            return picture.size
    except Exception:  # a damaged header may raise anything in a decoder; normalising will say what is wrong
        return None, None
