"""Read an HTTP response: its body within the size limit, a fault, or the URL that it redirects to."""

import math
from collections.abc import Iterator
from urllib.parse import urljoin

from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from pipeline.crawl import robots
from pipeline.crawl.request import (
    MAX_SIZE_VALUE,
    NOAI,
    TOO_LARGE,
    RequestFault,
    RequestPolicy,
    Response,
    ResponseOrRedirect,
    fault_of_status,
)
from pipeline.crawl.url import MAX_URL_LENGTH, normalize_url, shorten_url

CHUNK_BYTES = 1 << 16
MAX_DATE, MAX_DIGITS = 50, 8  # characters of a Retry-After: of a date, and of a number of seconds (three years)


class _TooLarge(Exception):
    """The body is larger than allowed; the argument is its size in bytes, None if that is not plausible."""


def read_response(url: str, response: BaseHTTPResponse, policy: RequestPolicy, agent: str) -> ResponseOrRedirect:
    """Read `response` to a request for `url`: its body, the fault, or the URL that it redirects to.

    `agent` is the product token that X-Robots-Tag may name. Raises what urllib3 raises while it reads the body.
    """
    if target := response.get_redirect_location():
        if len(target) > MAX_URL_LENGTH:
            return shorten_url(target)
        return normalize_url(urljoin(url, _decode_header(target)))
    status, kind = response.status, response.headers.get("Content-Type", "")
    if not 200 <= status < 300:
        return fault_of_status(status, _retry_after(response.headers.get("Retry-After")))
    if policy.content_types and kind and not kind.lower().startswith(policy.content_types):
        return RequestFault(reason=f"not a page: {kind.split(';')[0]}", outcome="rejected", status=status)
    if policy.robots and (word := robots.robots_tag_refusal(response.headers.getlist("X-Robots-Tag"), agent)):
        return RequestFault(reason=f"{NOAI}: {word}", outcome="rejected", status=status)
    try:
        if policy.require_whole:
            _check_length(response.headers.get("Content-Length", ""), policy.max_bytes)
        data = policy.receive(_chunks(response, policy))
    except _TooLarge as error:
        return RequestFault(reason=TOO_LARGE, outcome="rejected", status=status, bytes=error.args[0])
    return Response(url=url, data=data, status=status, content_type=kind)


def _check_length(announced: str, max_bytes: int) -> None:
    """Raise `_TooLarge` if a Content-Length is more than `max_bytes`; ignore a header that is no number."""
    digits = announced.lstrip("0")
    if not (digits.isascii() and digits.isdecimal()):
        return
    length = int(digits) if len(digits) <= len(str(MAX_SIZE_VALUE)) else math.inf  # int() refuses thousands of digits
    if length > max_bytes:
        raise _TooLarge(length if length <= MAX_SIZE_VALUE else None)


def _chunks(response: BaseHTTPResponse, policy: RequestPolicy) -> Iterator[bytes]:
    """Yield the decoded body in chunks, in total at most `policy.max_bytes` bytes."""
    count = 0
    # read1, not stream: stream waits until a whole chunk has arrived, regardless of how slow the server is.
    while chunk := response.read1(CHUNK_BYTES, decode_content=True):
        count += len(chunk)
        if count > policy.max_bytes and policy.require_whole:
            raise _TooLarge(count)
        yield chunk[: len(chunk) - max(0, count - policy.max_bytes)]
        if count >= policy.max_bytes and not policy.require_whole:
            return


def _retry_after(header: str | None) -> float | None:
    """Parse Retry-After, a number of seconds or a date (RFC 9110, 10.2.3); returns seconds, None if it cannot be
    parsed or is not plausible.
    """
    if not header or len(header) > MAX_DATE or (header.isdecimal() and len(header) > MAX_DIGITS):
        return None
    try:
        return Retry().parse_retry_after(header)
    except (InvalidHeader, ValueError, OverflowError):  # numbers and dates that are out of range
        return None


def _decode_header(header: str) -> str:
    """Decode a header that contains UTF-8; http.client decodes headers as Latin-1."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header
