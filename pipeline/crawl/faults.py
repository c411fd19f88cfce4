"""From the errors of urllib3 and the system to faults, in few and plain words: reasons are counted."""

from http.client import HTTPException
from urllib.parse import urlsplit

from urllib3.exceptions import (
    DecodeError,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
    TimeoutError,
)
from urllib3.exceptions import IncompleteRead as CutShort

from pipeline.crawl.address import LONGEST
from pipeline.crawl.answer import NOT_HTTP, TIMEOUT, Fault

# The first that fits counts: NameResolutionError is a NewConnectionError as well.
_WORDS: list[tuple[type[Exception], str]] = [
    (ProxyError, "proxy failed"),
    (NameResolutionError, "name not found"),
    (TimeoutError, TIMEOUT),
    (NewConnectionError, "no connection"),
    (SSLError, "TLS failed"),
]


def bad_address(url: str) -> Fault | None:
    """The fault of an address that no request can be made of."""
    if len(url) > LONGEST:
        return Fault(reason="address too long", outcome="rejected")
    try:
        parts = urlsplit(url)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole, parts = False, None
    if parts is not None and parts.scheme not in ("http", "https"):
        return Fault(reason=NOT_HTTP, outcome="rejected")
    return None if whole else Fault(reason="bad address", outcome="rejected")


def of_error(error: Exception) -> Fault:
    """The fault that an error of urllib3, http.client or the system stands for; any other is named."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return Fault(reason=_system_words(error) or words, passing=True, answered=False)
    if isinstance(error, DecodeError):
        return Fault(reason="body not decodable")
    if isinstance(error, ProtocolError | OSError):
        # Only a body has a length to fall short of: the host did answer.
        cut = isinstance(error.args[-1], CutShort) if error.args else False
        return Fault(reason="body cut short" if cut else "connection broken", passing=True, answered=cut)
    if isinstance(error, ValueError):  # urllib3's LocationValueError is one
        return Fault(reason="bad address", outcome="rejected")
    if isinstance(error, HTTPException | InvalidHeader):
        return Fault(reason="not HTTP")
    return Fault(reason=f"unexpected {type(error).__name__}")


def _system_words(error: Exception) -> str:
    """What the system said of a connection that could not be made, such as "connection refused"."""
    cause = error.__cause__
    named = isinstance(error, NewConnectionError) and not isinstance(error, NameResolutionError)
    return (cause.strerror or "").lower() if named and isinstance(cause, OSError) else ""
