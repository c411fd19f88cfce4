"""Tell what a body is from its first bytes, whatever its name or its server says."""

import re
import warnings
from collections.abc import Callable
from typing import BinaryIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

EXTENSIONS = {"jpeg": "jpg", "png": "png", "gif": "gif", "webp": "webp", "bmp": "bmp", "tiff": "tif"}
# A header may have as many blocks as the file has room for; those of real pictures keep far below both
READS = 10_000
READ_BYTES = 64_000_000

# The plugin classes and not Image.open: that one tries other decoders too, and warns on the console of large pictures.
_READERS: dict[str, Callable[..., ImageFile]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "gif": GifImageFile,
    "webp": WebPImageFile,
    "bmp": BmpImageFile,
    "tiff": TiffImageFile,
}

# Each has one length, so that no text makes it go back and forth; what has not is told by `_markup`
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
]
_KINDS = [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _MAGIC]
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1f]")

_BOM = b"\xef\xbb\xbf"
_WORD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
_HTML = {b"html", b"head", b"body", b"script", b"meta", b"title", b"p", b"h1", b"div"}

warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of damaged headers, on the console


def detect_type(data: bytes) -> str:
    """One of `EXTENSIONS` for a picture; otherwise a word for what it is instead: "html", "svg", "empty", "text".

    `data` is what a file begins with; a kilobyte will do.
    """
    head = data[:1024]
    for kind, pattern in _KINDS:
        if pattern.match(head):
            return kind
    if not head:
        return "empty"
    return _markup(head.removeprefix(_BOM).lstrip()) or ("binary" if _BINARY.search(head) else "text")


def image_size(file: BinaryIO, kind: str) -> tuple[int | None, int | None]:
    """Width and height in pixels as the header has them; `(None, None)` when the header cannot be read."""
    try:
        with _READERS[kind](_Budget(file)) as picture:
            return picture.size
    except Exception:  # a damaged header may raise anything in a decoder; normalising will say what is wrong
        return None, None


def _markup(text: bytes) -> str:
    """The kind of `text` if it is JSON or has tags: told by its first element, after comments and declarations."""
    if text.startswith((b"{", b"[")):
        return "json"
    declared, rest = text.startswith(b"<?xml"), text
    while rest.startswith((b"<!", b"<?")):
        if rest[:14].lower() == b"<!doctype html":
            return "html"
        rest = _after_declaration(rest).lstrip()
    name = _name(rest)
    if name.lower() in _HTML:
        return "html"
    return "svg" if name == b"svg" else "xml" if name or declared else ""


def _after_declaration(text: bytes) -> bytes:
    """What follows on the comment or declaration that `text` begins with; nothing if that has no end."""
    if text.startswith(b"<!--"):
        return text.partition(b"-->")[2]
    before, _, after = text.partition(b">")
    if b"[" in before:  # a document type with declarations of its own
        return text.partition(b"]")[2].partition(b">")[2]
    return after


def _name(text: bytes) -> bytes:
    """The name of the element that `text` begins with; empty if it begins with none."""
    if text[:1] != b"<" or not text[1:2].isalpha():
        return b""
    rest = text[1:].lstrip(_WORD)
    return text[1 : len(text) - len(rest)]


class _Budget:
    """A file that lets a decoder read so often and so much, and then raises OSError."""

    def __init__(self, file: BinaryIO) -> None:
        self._reads, self._bytes, self._read = READS, READ_BYTES, file.read
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Read as the file does."""
        data = self._read(size)
        self._reads, self._bytes = self._reads - 1, self._bytes - len(data)
        if self._reads < 0 or self._bytes < 0:
            raise OSError("the header is longer than that of any picture")
        return data
