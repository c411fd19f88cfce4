"""Addresses as they are compared, archived and sent: whole, in ASCII, without a fragment."""

from urllib.parse import urldefrag, urljoin, urlsplit


def tidy(url: str) -> str:
    """`url` in the one spelling that it is known by; what is no web address stays as it is, for the fetch to judge."""
    from urllib3.util import parse_url  # not loaded when options are only checked

    try:
        whole = urldefrag(url.strip()).url
        return parse_url(whole).url if urlsplit(whole).scheme in ("http", "https") else url
    except ValueError:  # urllib3's LocationParseError is one
        return url


def absolute(root: str, href: str) -> str:
    """The tidy URL that `href` stands for on the page `root`; empty if it is none."""
    try:
        return tidy(urljoin(root, href.strip())) if href.strip() else ""
    except ValueError:
        return ""


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
