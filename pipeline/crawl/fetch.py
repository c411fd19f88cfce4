"""Get one URL: politely, within a deadline and a size, and to where it may go. Whatever happens is a value."""

import logging
import os
import random
import re
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import certifi
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from pipeline.crawl import answer
from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.connect import watched
from pipeline.crawl.faults import bad_address, of_error
from pipeline.crawl.robots import Robots
from pipeline.crawl.watch import Exchange, PrivateAddress, Watch, is_private
from pipeline.options import DownloadOptions

MAX_REDIRECTS = 5
BACKOFF = 0.5  # seconds before the first further try; doubled for each one after it
LONGEST_REST = 60.0  # seconds; a server that asks for more is left to a later crawl
ROBOTS_BYTES = 5_000_000
PIECE = 1 << 16
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")  # where users name the certificates they trust

logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it warns of every odd header of the web


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What a request may and wants."""

    most: int  # bytes of the body
    allow_private: bool = False
    robots: bool = True  # robots.txt is asked first
    referer: str = ""
    accept: str = "*/*"
    types: tuple[str, ...] = ()  # of the body as the server names them; () takes any


@dataclass
class Reach:
    """Which hosts answered anything at all, and why the others did not."""

    reached: set[str] = field(default_factory=set)
    unreached: dict[str, str] = field(default_factory=dict)

    def note(self, url: str, answer: Body | Fault | str) -> None:
        """Remember what asking for `url` came to; a redirect, given as its target, is an answer as well."""
        host = urlsplit(url).netloc
        if isinstance(answer, Fault) and not answer.answered:
            self.unreached.setdefault(host, answer.reason)
        else:
            self.reached.add(host)


class Fetcher:
    """Gets URLs for the threads of one crawl, which may all call `get` at once."""

    def __init__(self, options: DownloadOptions) -> None:
        self.options = options
        self.watch = Watch()
        self.reach = Reach()
        self.stopping = threading.Event()
        self._robots = {private: self._robots_for(private) for private in (False, True)}
        self._managers: dict[str, PoolManager] = {}
        self._lock = threading.Lock()
        self._proxies = urllib.request.getproxies()

    def get(self, url: str, ask: Ask) -> Body | Fault:
        """Get `url`, trying again after a passing fault, with waits that grow or that the server asked for."""
        for attempt in range(self.options.retries + 1):
            got = self._try(url, ask)
            if isinstance(got, Body) or not got.passing or attempt == self.options.retries:
                break
            if not self._rest(attempt, got.retry_after):
                break
        return got

    def stop(self) -> None:
        """End every request under way and every wait; later ones end at once."""
        self.stopping.set()
        self.watch.cut_all()

    def close(self) -> None:
        """Close the connections kept alive."""
        for manager in self._managers.values():
            manager.clear()

    def _robots_for(self, private: bool) -> Robots:
        ask = Ask(most=ROBOTS_BYTES, allow_private=private, robots=False)
        return Robots(lambda url: self.get(url, ask), re.split(r"[/\s]", self.options.user_agent)[0])

    def _rest(self, attempt: int, retry_after: float | None) -> bool:
        """Wait before the next try; false when it is not worth waiting, or the crawl stops."""
        seconds = BACKOFF * 2**attempt * random.uniform(1, 2) if retry_after is None else retry_after
        return seconds <= LONGEST_REST and not self.stopping.wait(seconds)

    def _try(self, url: str, ask: Ask) -> Body | Fault:
        """One try: `url` and the redirects that it leads through, before one deadline."""
        deadline = None
        for _ in range(MAX_REDIRECTS + 1):
            if refused := self._refusal(url, ask):
                return refused
            # The clock starts after the first look at robots.txt, which has a deadline of its own.
            deadline = deadline or time.monotonic() + self.options.timeout
            got = self._hop(url, ask, deadline)
            self.reach.note(url, got)
            if not isinstance(got, str):
                return got
            url = got
        return Fault(reason="too many redirects")

    def _refusal(self, url: str, ask: Ask) -> Fault | None:
        """Why `url` is not to be asked for, if so."""
        if self.stopping.is_set():
            return Fault(reason=answer.STOPPED)
        if bad := bad_address(url):
            return bad
        if not ask.allow_private and _names_private(url):
            return Fault(reason=answer.PRIVATE, outcome="rejected")
        return self._robots[ask.allow_private].refusal(url) if ask.robots else None

    def _hop(self, url: str, ask: Ask, deadline: float) -> Body | Fault | str:
        """One request: its body, its fault, or the URL that it redirects to."""
        proxy = self._proxy_of(url)
        # A proxy stands in a private network as a rule; it alone looks up names, so that it alone can judge them.
        with self.watch.exchange(deadline=deadline, allow_private=ask.allow_private or bool(proxy)) as exchange:
            try:
                got = self._request(url, ask, exchange, proxy)
            except PrivateAddress:
                return Fault(reason=answer.PRIVATE, outcome="rejected")
            except Exception as error:  # the web finds ways to upset any library; one URL must not end the crawl
                got = of_error(error)
        if exchange.cut_by:  # whatever came: it ends where it was cut, not where the server ended it
            return Fault(reason=exchange.cut_by, passing=exchange.cut_by == answer.TIMEOUT, answered=False)
        return got

    def _request(self, url: str, ask: Ask, exchange: Exchange, proxy: str) -> Body | Fault | str:
        headers = {"User-Agent": self.options.user_agent, "Accept": ask.accept, "Accept-Encoding": "identity"}
        headers |= {"Referer": ask.referer} if ask.referer else {}
        response = self._manager(proxy).urlopen(
            "GET",
            url,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=Timeout(connect=exchange.remaining, read=exchange.remaining),
        )
        try:
            return _judge(url, response) or _read(url, response, ask)
        finally:
            response.close()

    def _proxy_of(self, url: str) -> str:
        """The proxy that the environment names for `url`, if any; never one for this machine itself."""
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all", "")
        direct = not proxy or _names_private(url) or urllib.request.proxy_bypass(parts.hostname)
        return "" if direct else proxy

    def _manager(self, proxy: str) -> PoolManager:
        with self._lock:
            if proxy not in self._managers:
                self._managers[proxy] = watched(self._make_manager(proxy))
            return self._managers[proxy]

    def _make_manager(self, proxy: str) -> PoolManager:
        bundle = next((os.environ[name] for name in BUNDLES if os.environ.get(name)), certifi.where())
        # One more than the downloaders: the parser reads pages meanwhile.
        pool = {"num_pools": 64, "maxsize": self.options.connections + 1, "ca_certs": bundle}
        return ProxyManager(proxy, **pool) if proxy else PoolManager(**pool)


def _judge(url: str, response: BaseHTTPResponse) -> Fault | str | None:
    """The fault or the redirect that the status stands for; None if the body is wanted."""
    target = response.get_redirect_location()
    if target:
        return urljoin(url, target)
    if 200 <= response.status < 300:
        return None
    return answer.of_status(response.status, _retry_after(response.headers.get("Retry-After")))


def _retry_after(header: str | None) -> float | None:
    """Seconds to wait, from a number or a date."""
    try:
        return Retry().parse_retry_after(header) if header else None
    except InvalidHeader:
        return None


def _read(url: str, response: BaseHTTPResponse, ask: Ask) -> Body | Fault:
    """The body, unless the server says or the count shows that it is more than was asked for."""
    content_type = response.headers.get("Content-Type", "")
    if ask.types and content_type and not content_type.lower().startswith(ask.types):
        return Fault(reason=f"not a page: {content_type.split(';')[0]}", outcome="rejected", status=response.status)
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > ask.most:
        return _too_large(int(announced), response.status)
    data = bytearray()
    # read1, not stream: that one waits until a whole piece has come, however slowly.
    while piece := response.read1(PIECE, decode_content=True):
        data += piece
        if len(data) > ask.most:
            return _too_large(len(data), response.status)
    return Body(url=url, data=bytes(data), status=response.status, content_type=content_type)


def _too_large(count: int, status: int) -> Fault:
    return Fault(reason=answer.TOO_LARGE, outcome="rejected", status=status, bytes=count)


def _names_private(url: str) -> bool:
    """Whether `url` spells out an address of this machine or of a private network."""
    host = urlsplit(url).hostname or ""
    try:
        return is_private(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
