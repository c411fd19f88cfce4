"""URLs in one normal form (complete, ASCII, no fragment, limited length), and the local files that sources read."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urldefrag, urljoin, urlsplit

from pipeline.errors import UserError
from pipeline.text import plain

LONGEST = 4096  # characters of an address that is asked for; browsers and servers go little further
_MARK = 17  # characters that stand for what was cut off


def normalize_url(url: str) -> str:
    """`url` in the one spelling that it is known by; what is no web address stays as it is, for the fetch to judge.

    So does, in short, one that is longer than may be asked for.
    """
    from urllib3.util import parse_url  # not loaded when options are only checked

    if len(url) > LONGEST:
        return shorten_url(url)
    try:
        whole = urldefrag(url.strip()).url
        return shorten_url(parse_url(whole).url if urlsplit(whole).scheme in ("http", "https") else url)
    except ValueError:  # urllib3's LocationParseError is one
        return url


def absolute_url(root: str, href: str) -> str:
    """The tidy URL that `href` stands for on the page `root`; empty if it is none."""
    if len(href) > LONGEST:
        return _too_long(root, href)
    try:
        return normalize_url(urljoin(root, href.strip())) if href.strip() else ""
    except ValueError:
        return ""


def shorten_url(url: str) -> str:
    """`url`; one that is too long to be asked for is cut, with a digest of the whole, and still too long by that."""
    if len(url) <= LONGEST + _MARK:
        return url
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{url[:LONGEST]}…{digest[: _MARK - 1]}"


def host_of(url: str) -> str:
    """Host and port of a web address; empty for anything else."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.netloc if parts.scheme in ("http", "https") else ""


def authority(url: str) -> str:
    """The one spelling of whom a web address speaks to, `example.org:443`: turns are for this. Empty for all else."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.scheme not in ("http", "https"):
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _too_long(root: str, href: str) -> str:
    """What stands for an `href` that is too long: a web address that no request is made of, or empty if it is none.

    It is not joined by the rules, as that takes time and memory for each of its parts.
    """
    scheme, colon, _ = href[:32].lstrip().partition(":")
    if colon and scheme.isalnum():
        return shorten_url(href.strip()) if scheme.lower() in ("http", "https") else ""
    return shorten_url(f"{urljoin(root, '/')}{href.strip()}") if host_of(root) else ""


LONGEST_LINE = 100_000  # bytes; a line that is longer is cut, and too long for an address either way
STANDARD_INPUT = "-"  # instead of a file of addresses


def files_below(folder: Path) -> list[Path]:
    """Every file below `folder`, sorted by its path, on every system alike."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def addresses_in(path: Path) -> Iterator[str]:
    """The addresses in a file: one a line; empty lines and those that begin with # do not count."""
    with path.open("rb") as file:
        for data in _lines(file):
            for line in data.decode("utf-8-sig", "replace").splitlines():
                if line.strip() and not line.strip().startswith("#"):
                    yield line.strip()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, each as far as it may be long."""
    whole = True
    while data := file.readline(LONGEST_LINE):
        if whole:
            yield data
        whole = data.endswith(b"\n")


def absolute_path(text: str) -> Path:
    """The absolute path that a user's text names; ~ is their home."""
    try:
        return Path(text).expanduser().resolve()
    except RuntimeError:
        raise UserError(f"{plain(text, 200)}: there is no user of that name, or no home; give the whole path") from None
