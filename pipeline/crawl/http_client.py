"""The HTTP client: get one URL within its rate limit, deadline and size limit. Every result is a value, never raised.

The result is a `Response`, or a `Fault` with the reason why there is none. Errors of urllib3 and of the system become
one of a few plain reasons, because reasons are counted.
"""

import logging
import math
import os
import random
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

import certifi
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
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
from urllib3.util import Retry

from pipeline.crawl import request, robots
from pipeline.crawl.rate_limit import REFUSALS, RateLimiter
from pipeline.crawl.request import NOT_HTTP, TIMEOUT, Fault, Request, RequestPolicy, Response
from pipeline.crawl.robots import Robots
from pipeline.crawl.storage import TempFile, Unwritable
from pipeline.crawl.transport import Exchange, PrivateAddress, Watchdog, names_private, watched
from pipeline.crawl.url import LONGEST, authority, shorten_url
from pipeline.options import DownloadOptions

BACKOFF = 0.5  # seconds before the first further try; doubled for each one after it
LONGEST_REST = 60.0  # seconds; a server that asks for more is left to a later crawl
ROBOTS_BYTES = 512 * 1024  # RFC 9309, 2.5: crawlers read so much at least; Google leaves off the rest as well
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")  # where users name the certificates they trust

logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of odd headers and names, in words of the server


@dataclass
class Reach:
    """Which hosts answered anything at all, and why the others did not."""

    reached: set[str] = field(default_factory=set)
    unreached: dict[str, str] = field(default_factory=dict)

    def note(self, url: str, answer: Response | Fault | str) -> None:
        """Remember what asking for `url` came to; a redirect, given as its target, is an answer as well."""
        host = urlsplit(url).netloc
        if isinstance(answer, Fault) and not answer.answered:
            self.unreached.setdefault(host, answer.reason)
        else:
            self.reached.add(host)


class HttpClient:
    """Gets URLs for the threads of one crawl, which may all call it at once."""

    def __init__(self, options: DownloadOptions) -> None:
        self.options = options
        self.watch = Watchdog()
        self.reach = Reach()
        self.hosts = RateLimiter(options)
        self.stopping = threading.Event()
        self.agent = (options.user_agent.replace("/", " ").split() or [""])[0]  # the name that rules for robots are for
        self._robots = {private: self._robots_for(private) for private in (False, True)}
        self._managers: dict[str, PoolManager] = {}
        self._lock = threading.Lock()
        self._proxies = urllib.request.getproxies()

    def get(self, url: str, ask: RequestPolicy) -> Response | Fault:
        """Get `url`, waiting for turns and for what servers ask to wait, through redirects and further tries."""
        errand, got = Request(url, ask), None
        while got is None and not self.stopping.wait(errand.pause):
            host = errand.host
            if not self.hosts.wait(host, self.stopping.is_set):
                break
            try:
                got = self.step(errand)
            finally:
                self.hosts.end(host)
        return got or Fault(reason=request.STOPPED)

    def step(self, errand: Request) -> Response | Fault | None:
        """Make the next request of `errand`, whose turn it is; None if it goes on elsewhere or later."""
        if refused := self._refusal(errand.url, errand.ask):
            return refused
        got = self._hop(errand.url, errand.ask)
        self.reach.note(errand.url, got)
        self.hosts.note(errand.host, got)
        if isinstance(got, str):
            return self._redirected(errand, got)
        return self._failed(errand, got) if isinstance(got, Fault) and got.passing else got

    def stop(self) -> None:
        """End every request under way and every wait; later ones end at once."""
        self.stopping.set()
        self.watch.cut_all()

    def close(self) -> None:
        """Close the connections kept alive."""
        for manager in self._managers.values():
            manager.clear()

    def _robots_for(self, private: bool) -> Robots:
        ask = RequestPolicy(most=ROBOTS_BYTES, whole=False, allow_private=private, robots=False)
        return Robots(lambda url: self._get_robots(url, ask), self.agent, self.hosts)

    def _get_robots(self, url: str, ask: RequestPolicy) -> Response | Fault:
        """Get robots.txt within the turn of the request that it is asked for."""
        errand, got = Request(url, ask), None
        while got is None and not self.stopping.wait(errand.pause):
            got = self.step(errand)
        return got or Fault(reason=request.STOPPED)

    def _redirected(self, errand: Request, url: str) -> Fault | None:
        if errand.redirects >= self.options.redirects:
            return Fault(reason="too many redirects")
        errand.follow(url)
        return None

    def _failed(self, errand: Request, fault: Fault) -> Fault | None:
        """Prepare another try after a passing fault; the fault itself when there are no more, or it is not worth it."""
        pause = fault.retry_after
        if pause is None:
            pause = BACKOFF * 2**errand.tries * random.uniform(1, 2)
        elif pause <= LONGEST_REST and fault.status in REFUSALS:
            self.hosts.rest(errand.host, pause)
        if errand.tries >= self.options.retries or pause > LONGEST_REST:
            return fault
        errand.retry(pause)
        return None

    def _refusal(self, url: str, ask: RequestPolicy) -> Fault | None:
        """Why `url` is not to be asked for, if so."""
        if self.stopping.is_set():
            return Fault(reason=request.STOPPED)
        if bad := bad_address(url):
            return bad
        if not ask.allow_private and names_private(url):
            return Fault(reason=request.PRIVATE, outcome="rejected")
        if lost := self.hosts.given_up(authority(url)):
            return Fault(reason=lost, passing=True, answered=False)
        return self._robots[ask.allow_private].refusal(url) if ask.robots else None

    def _hop(self, url: str, ask: RequestPolicy) -> Response | Fault | str:
        """One request: its body, its fault, or the URL that it redirects to."""
        proxy, deadline = self._proxy_of(url), time.monotonic() + self.options.timeout
        # A proxy stands in a private network as a rule; it alone looks up names, so that it alone can judge them.
        with self.watch.exchange(deadline=deadline, allow_private=ask.allow_private or bool(proxy)) as exchange:
            try:
                got = self._request(url, ask, exchange, proxy)
            except PrivateAddress:
                return Fault(reason=request.PRIVATE, outcome="rejected")
            except Unwritable:
                raise
            except Exception as error:  # the web finds ways to upset any library; one URL must not end the crawl
                got = of_error(error)
        if not exchange.cut_by:
            return got
        if isinstance(got, Response) and isinstance(got.data, TempFile):
            got.data.discard()  # whatever came: it ends where it was cut, not where the server ended it
        return Fault(reason=exchange.cut_by, passing=exchange.cut_by == request.TIMEOUT, answered=False)

    def _request(self, url: str, ask: RequestPolicy, exchange: Exchange, proxy: str) -> Response | Fault | str:
        headers = {"User-Agent": self.options.user_agent, "Accept": ask.accept, "Accept-Encoding": "identity"}
        headers |= {"Referer": ask.referer} if ask.referer else {}
        got = self._manager(proxy).urlopen(
            "GET",
            url,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=Timeout(connect=exchange.remaining, read=exchange.remaining),
        )
        try:
            return read(url, got, ask, self.agent)
        finally:
            got.close()  # does no harm to a connection whose answer was read to its end: that one is back in the pool

    def _proxy_of(self, url: str) -> str:
        """The proxy that the environment names for `url`, if any; never one for this machine itself."""
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all", "")
        direct = not proxy or names_private(url) or urllib.request.proxy_bypass(parts.hostname or "")
        return "" if direct else proxy

    def _manager(self, proxy: str) -> PoolManager:
        with self._lock:
            if proxy not in self._managers:
                self._managers[proxy] = watched(self._make_manager(proxy))
            return self._managers[proxy]

    def _make_manager(self, proxy: str) -> PoolManager:
        bundle = next((os.environ[name] for name in BUNDLES if os.environ.get(name)), certifi.where())
        # One more than the downloaders: the parser reads pages meanwhile.
        pool: dict[str, Any] = {"num_pools": 64, "maxsize": self.options.connections + 1, "ca_certs": bundle}
        return ProxyManager(proxy, **pool) if proxy else PoolManager(**pool)


PIECE = 1 << 16


class _TooLarge(Exception):
    """More bytes came than may; the argument is how many, or None where the server names no size that can be."""


def read(url: str, response: BaseHTTPResponse, ask: RequestPolicy, agent: str) -> Response | Fault | str:
    """The body of `response` to `url`, why there is none, or the URL that it redirects to.

    `agent` is the name by which we are spoken to in X-Robots-Tag. Raises what urllib3 raises while the body comes.
    """
    if target := response.get_redirect_location():
        return urljoin(url, _as_sent(target)) if len(target) <= LONGEST else shorten_url(target)
    status, kind = response.status, response.headers.get("Content-Type", "")
    if not 200 <= status < 300:
        return request.of_status(status, _retry_after(response.headers.get("Retry-After")))
    if ask.types and kind and not kind.lower().startswith(ask.types):
        return Fault(reason=f"not a page: {kind.split(';')[0]}", outcome="rejected", status=status)
    if ask.robots and (word := robots.refusal(response.headers.getlist("X-Robots-Tag"), agent)):
        return Fault(reason=f"{request.NOAI}: {word}", outcome="rejected", status=status)
    try:
        if ask.whole:
            _check_length(response.headers.get("Content-Length", ""), ask.most)
        data = ask.receive(_pieces(response, ask))
    except _TooLarge as error:
        return Fault(reason=request.TOO_LARGE, outcome="rejected", status=status, bytes=error.args[0])
    return Response(url=url, data=data, status=status, content_type=kind)


def _check_length(announced: str, most: int) -> None:
    """Raise `_TooLarge` if a Content-Length is more than `most`; what is no number does not count."""
    digits = announced.lstrip("0")
    if not (digits.isascii() and digits.isdecimal()):
        return
    length = int(digits) if len(digits) <= len(str(request.MOST_BYTES)) else math.inf  # int() takes no million digits
    if length > most:
        raise _TooLarge(length if length <= request.MOST_BYTES else None)


def _pieces(response: BaseHTTPResponse, ask: RequestPolicy) -> Iterator[bytes]:
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
