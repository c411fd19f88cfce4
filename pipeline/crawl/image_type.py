"""Detect the file type from the first bytes, regardless of the file name and the Content-Type."""

import re
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

EXTENSIONS = {"jpeg": "jpg", "png": "png", "gif": "gif", "webp": "webp", "bmp": "bmp", "tiff": "tif"}
# A header may have as many blocks as fit into the file; real pictures stay far below both limits
MAX_READS = 10_000
MAX_READ_BYTES = 64_000_000
SHORT = 1 << 16  # bytes

# Plugin classes instead of Image.open, which also tries other decoders and prints warnings about large pictures.
_READERS: dict[str, Callable[..., ImageFile]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "gif": GifImageFile,
    "webp": WebPImageFile,
    "bmp": BmpImageFile,
    "tiff": TiffImageFile,
}

# Each pattern has a fixed length, so that no input causes backtracking; `_markup_type` detects the other types
_MAGIC = [
    ("jpeg", rb"\xff\xd8\xff"),
    ("png", rb"\x89PNG\r\n\x1a\n"),
    ("gif", rb"GIF8[79]a"),
    ("webp", rb"RIFF....WEBP"),
    # "BM" alone may begin a text, so the size of the second header is checked too.
    ("bmp", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ("tiff", rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]"),
    ("avif", rb"....ftypavi[fs]"),
    ("heic", rb"....ftyp(?:hei|hev|mif|msf)"),
    ("video", rb"....ftyp|\x1aE\xdf\xa3"),
    ("pdf", rb"%PDF-"),
    ("zip", rb"PK\x03\x04"),
    ("gzip", rb"\x1f\x8b"),
]
_TYPES = [(type_name, re.compile(pattern, re.DOTALL)) for type_name, pattern in _MAGIC]
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")

_BOM = b"\xef\xbb\xbf"
_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_HTML = {b"html", b"head", b"body", b"script", b"meta", b"title", b"p", b"h1", b"div"}

warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # about damaged headers


def detect_type(data: bytes) -> str:
    """Detect the type of a file: a key of `EXTENSIONS` for a picture, else for example "html", "svg", "text" or
    "empty".

    Args:
        data: the beginning of the file; 1024 bytes are used.
    """
    head = data[:1024]
    for type_name, pattern in _TYPES:
        if pattern.match(head):
            return type_name
    if not head:
        return "empty"
    return _markup_type(head.removeprefix(_BOM).lstrip()) or ("binary" if _BINARY.search(head) else "text")


def image_size(file: BinaryIO, type_name: str) -> tuple[int | None, int | None]:
    """Read width and height in pixels from the header; `(None, None)` if the header cannot be read."""
    try:
        with _READERS[type_name](file if _is_short(file) else _LimitedFile(file)) as picture:
            return picture.size
    except Exception:  # a decoder may raise any exception for a damaged header; the normalise stage reports the reason
        return None, None


def _markup_type(text: bytes) -> str:
    """The type of JSON or markup, from its first element after comments and declarations; empty for other text."""
    if text.startswith((b"{", b"[")):
        return "json"
    declared, rest = text.startswith(b"<?xml"), text
    while rest.startswith((b"<!", b"<?")):
        if rest[:14].lower() == b"<!doctype html":
            return "html"
        rest = _after_declaration(rest).lstrip()
    name = _element_name(rest)
    if name.lower() in _HTML:
        return "html"
    return "svg" if name == b"svg" else "xml" if name or declared else ""


def _after_declaration(text: bytes) -> bytes:
    """The text after the comment or declaration at the beginning of `text`; empty if that does not end."""
    if text.startswith(b"<!--"):
        return text.partition(b"-->")[2]
    before, _, after = text.partition(b">")
    if b"[" in before:  # a document type with an internal subset
        return text.partition(b"]")[2].partition(b">")[2]
    return after


def _element_name(text: bytes) -> bytes:
    """The name of the element at the beginning of `text`; empty if there is none."""
    if text[:1] != b"<" or not text[1:2].isalpha():
        return b""
    rest = text[1:].lstrip(_WORD)
    return text[1 : len(text) - len(rest)]


def _is_short(file: BinaryIO) -> bool:
    """Whether a file in memory is so short that it can be read without a limit, which takes time."""
    return isinstance(file, BytesIO) and file.getbuffer().nbytes <= SHORT


class _LimitedFile:
    """A file that raises OSError after `MAX_READS` reads or `MAX_READ_BYTES` bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._reads, self._bytes, self._read = MAX_READS, MAX_READ_BYTES, file.read
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes from the file."""
        data = self._read(size)
        self._reads, self._bytes = self._reads - 1, self._bytes - len(data)
        if self._reads < 0 or self._bytes < 0:
            raise OSError("the header is too long for a picture")
        return data
