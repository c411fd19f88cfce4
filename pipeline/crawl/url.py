"""URLs in one normal form (absolute, ASCII, no fragment, limited length), and the paths that sources read."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from urllib.parse import urldefrag, urljoin, urlsplit

from pipeline.errors import UserError
from pipeline.text import to_plain_line

MAX_URL_LENGTH = 4096  # characters of a URL that is requested; browsers and servers accept little more
DIGEST_LENGTH = 17  # characters that replace the rest of a longer URL: an ellipsis and 16 hex digits
STANDARD_INPUT = "-"  # in place of a file of URLs
# Most URLs of the web, which need no change: no upper case in the host, no dot segments, nothing to be encoded
_NORMAL = re.compile(
    r"https?://[a-z0-9._-]+(?::[1-9][0-9]{0,4})?"
    r"(?:/(?:[A-Za-z0-9_~!$&'()*+,;=:@-]|/(?!\.)|(?<!/)\.|%[0-9A-F]{2})*)?"
    r"(?:\?(?:[A-Za-z0-9_~!$&'()*+,;=:@/?.-]|%[0-9A-F]{2})*)?"
)


def normalize_url(url: str) -> str:
    """The normal form of `url` (RFC 3986); text that is no web URL stays unchanged and is rejected when it is
    requested.

    A URL that is longer than `MAX_URL_LENGTH` is shortened.
    """
    from urllib3.util import parse_url  # not loaded when options are only checked

    if len(url) > MAX_URL_LENGTH:
        return shorten_url(url)
    if _NORMAL.fullmatch(url):  # ten times as fast, and a list may have a million
        return url
    try:
        stripped = urldefrag(url.strip()).url
        return shorten_url(parse_url(stripped).url if urlsplit(stripped).scheme in ("http", "https") else url)
    except ValueError:  # urllib3's LocationParseError is one
        return url


def absolute_url(base: str, href: str) -> str:
    """The normal form of the URL that `href` refers to on a page with the URL `base`; empty if it is no URL."""
    if len(href) > MAX_URL_LENGTH:
        return _overlong_url(base, href)
    try:
        return normalize_url(urljoin(base, href.strip())) if href.strip() else ""
    except ValueError:
        return ""


def shorten_url(url: str) -> str:
    """Shorten an overlong URL to its beginning and a digest of the whole; it stays longer than `MAX_URL_LENGTH`."""
    if len(url) <= MAX_URL_LENGTH + DIGEST_LENGTH:
        return url
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{url[:MAX_URL_LENGTH]}…{digest[: DIGEST_LENGTH - 1]}"


def host_of(url: str) -> str:
    """Host and port of a web URL; empty for other text."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts.netloc if parts.scheme in ("http", "https") else ""


@lru_cache(maxsize=1024)  # it is asked for several times while a URL is requested
def authority(url: str) -> str:
    """The authority of a web URL in one spelling, `example.org:443`, which identifies a rate limit; empty for other
    text.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.scheme not in ("http", "https"):
        return ""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def files_below(folder: Path) -> Iterator[Path]:
    """Yield every file below `folder`, in the order of their paths with forward slashes, the same on every system.

    Only the names of one folder and of those around it are in memory. A link to a folder is not entered.
    """
    with suppress(PermissionError):
        for name in sorted(_names_in(folder)):
            if name.endswith("/"):
                yield from files_below(folder / name[:-1])
            else:
                yield folder / name


def _names_in(folder: Path) -> Iterator[str]:
    """The names of the files in a folder, and those of the folders with a slash, by which their files are ordered."""
    with os.scandir(folder) as found:
        for each in found:
            if each.is_dir(follow_symlinks=False):
                yield f"{each.name}/"
            elif each.is_file():
                yield each.name


def absolute_path(text: str) -> Path:
    """The absolute path for a path in the user's options; ~ is the home folder."""
    try:
        return Path(text).expanduser().resolve()
    except RuntimeError:
        raise UserError(
            f"{to_plain_line(text, 200)}: there is no such user or no home folder; give a full path"
        ) from None


def _overlong_url(base: str, href: str) -> str:
    """The shortened URL of an overlong `href`, which is never requested; empty if it is no web URL.

    It is not resolved against `base`, because that takes time and memory for each of its segments.
    """
    scheme, colon, _ = href[:32].lstrip().partition(":")
    if colon and scheme.isalnum():
        return shorten_url(href.strip()) if scheme.lower() in ("http", "https") else ""
    return shorten_url(f"{urljoin(base, '/')}{href.strip()}") if host_of(base) else ""
