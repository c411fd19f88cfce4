"""What one HTTP answer says: a body, a fault, or another URL to ask."""

import math
from collections.abc import Iterator
from urllib.parse import urljoin

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from pipeline.crawl import answer, robots_tag
from pipeline.crawl.address import LONGEST, shortened
from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.errand import Ask

PIECE = 1 << 16


class _TooLarge(Exception):
    """More bytes came than may; the argument is how many, or None where the server names no size that can be."""


def read(url: str, response: BaseHTTPResponse, ask: Ask, agent: str) -> Body | Fault | str:
    """The body of `response` to `url`, why there is none, or the URL that it redirects to.

    `agent` is the name by which we are spoken to in X-Robots-Tag. Raises what urllib3 raises while the body comes.
    """
    if target := response.get_redirect_location():
        return urljoin(url, _as_sent(target)) if len(target) <= LONGEST else shortened(target)
    status, kind = response.status, response.headers.get("Content-Type", "")
    if not 200 <= status < 300:
        return answer.of_status(status, _retry_after(response.headers.get("Retry-After")))
    if ask.types and kind and not kind.lower().startswith(ask.types):
        return Fault(reason=f"not a page: {kind.split(';')[0]}", outcome="rejected", status=status)
    if ask.robots and (word := robots_tag.refusal(response.headers.getlist("X-Robots-Tag"), agent)):
        return Fault(reason=f"{answer.NOAI}: {word}", outcome="rejected", status=status)
    try:
        if ask.whole:
            _check_length(response.headers.get("Content-Length", ""), ask.most)
        data = ask.receive(_pieces(response, ask))
    except _TooLarge as error:
        return Fault(reason=answer.TOO_LARGE, outcome="rejected", status=status, bytes=error.args[0])
    return Body(url=url, data=data, status=status, content_type=kind)


def _check_length(announced: str, most: int) -> None:
    """Raise `_TooLarge` if a Content-Length is more than `most`; what is no number does not count."""
    digits = announced.lstrip("0")
    if not (digits.isascii() and digits.isdecimal()):
        return
    length = int(digits) if len(digits) <= len(str(answer.MOST_BYTES)) else math.inf  # int() takes no million digits
    if length > most:
        raise _TooLarge(length if length <= answer.MOST_BYTES else None)


def _pieces(response: BaseHTTPResponse, ask: Ask) -> Iterator[bytes]:
    """The body as it comes, decoded, never more than `ask.most` bytes of it at a time or in all."""
    count = 0
    # read1, not stream: that one waits until a whole piece has come, however slowly.
    while piece := response.read1(PIECE, decode_content=True):
        count += len(piece)
        if count > ask.most and ask.whole:
            raise _TooLarge(count)
        yield piece[: len(piece) - max(0, count - ask.most)]
        if count >= ask.most and not ask.whole:
            return


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, from a number or a date."""
    try:
        return Retry().parse_retry_after(header) if header else None
    except (InvalidHeader, ValueError, OverflowError):  # numbers and dates beyond all bounds
        return None


def _as_sent(header: str) -> str:
    """A header that holds UTF-8, which is read as Latin-1 by the rules."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header
