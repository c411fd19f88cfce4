"""Addresses as they are compared, archived and sent: whole, in ASCII, without a fragment, and of a bearable length."""

import hashlib
from urllib.parse import urldefrag, urljoin, urlsplit

LONGEST = 4096  # characters of an address that is asked for; browsers and servers go little further
_MARK = 17  # characters that stand for what was cut off


def tidy(url: str) -> str:
    """`url` in the one spelling that it is known by; what is no web address stays as it is, for the fetch to judge.

    So does, in short, one that is longer than may be asked for.
    """
    from urllib3.util import parse_url  # not loaded when options are only checked

    if len(url) > LONGEST:
        return shortened(url)
    try:
        whole = urldefrag(url.strip()).url
        return shortened(parse_url(whole).url if urlsplit(whole).scheme in ("http", "https") else url)
    except ValueError:  # urllib3's LocationParseError is one
        return url


def absolute(root: str, href: str) -> str:
    """The tidy URL that `href` stands for on the page `root`; empty if it is none."""
    if len(href) > LONGEST:
        return _too_long(root, href)
    try:
        return tidy(urljoin(root, href.strip())) if href.strip() else ""
    except ValueError:
        return ""


def shortened(url: str) -> str:
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
        return shortened(href.strip()) if scheme.lower() in ("http", "https") else ""
    return shortened(f"{urljoin(root, '/')}{href.strip()}") if host_of(root) else ""
