"""Get one URL: politely, within a deadline and a size, and to where it may go. Whatever happens is a value."""

import logging
import os
import random
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import certifi
from urllib3 import PoolManager, ProxyManager, Timeout

from pipeline.crawl import answer, response
from pipeline.crawl.address import authority
from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.connect import watched
from pipeline.crawl.errand import Ask, Errand
from pipeline.crawl.faults import bad_address, of_error
from pipeline.crawl.pace import REFUSALS, Hosts
from pipeline.crawl.raw import Draft, Unwritable
from pipeline.crawl.robots import Robots
from pipeline.crawl.watch import Exchange, PrivateAddress, Watch, names_private
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

    def note(self, url: str, answer: Body | Fault | str) -> None:
        """Remember what asking for `url` came to; a redirect, given as its target, is an answer as well."""
        host = urlsplit(url).netloc
        if isinstance(answer, Fault) and not answer.answered:
            self.unreached.setdefault(host, answer.reason)
        else:
            self.reached.add(host)


class Fetcher:
    """Gets URLs for the threads of one crawl, which may all call it at once."""

    def __init__(self, options: DownloadOptions) -> None:
        self.options = options
        self.watch = Watch()
        self.reach = Reach()
        self.hosts = Hosts(options)
        self.stopping = threading.Event()
        self.agent = (options.user_agent.replace("/", " ").split() or [""])[0]  # the name that rules for robots are for
        self._robots = {private: self._robots_for(private) for private in (False, True)}
        self._managers: dict[str, PoolManager] = {}
        self._lock = threading.Lock()
        self._proxies = urllib.request.getproxies()

    def get(self, url: str, ask: Ask) -> Body | Fault:
        """Get `url`, waiting for turns and for what servers ask to wait, through redirects and further tries."""
        errand, got = Errand(url, ask), None
        while got is None and not self.stopping.wait(errand.pause):
            host = errand.host
            if not self.hosts.wait(host, self.stopping.is_set):
                break
            try:
                got = self.step(errand)
            finally:
                self.hosts.end(host)
        return got or Fault(reason=answer.STOPPED)

    def step(self, errand: Errand) -> Body | Fault | None:
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
        ask = Ask(most=ROBOTS_BYTES, whole=False, allow_private=private, robots=False)
        return Robots(lambda url: self._get_robots(url, ask), self.agent, self.hosts)

    def _get_robots(self, url: str, ask: Ask) -> Body | Fault:
        """Get robots.txt within the turn of the request that it is asked for."""
        errand, got = Errand(url, ask), None
        while got is None and not self.stopping.wait(errand.pause):
            got = self.step(errand)
        return got or Fault(reason=answer.STOPPED)

    def _redirected(self, errand: Errand, url: str) -> Fault | None:
        if errand.redirects >= self.options.redirects:
            return Fault(reason="too many redirects")
        errand.follow(url)
        return None

    def _failed(self, errand: Errand, fault: Fault) -> Fault | None:
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

    def _refusal(self, url: str, ask: Ask) -> Fault | None:
        """Why `url` is not to be asked for, if so."""
        if self.stopping.is_set():
            return Fault(reason=answer.STOPPED)
        if bad := bad_address(url):
            return bad
        if not ask.allow_private and names_private(url):
            return Fault(reason=answer.PRIVATE, outcome="rejected")
        if lost := self.hosts.given_up(authority(url)):
            return Fault(reason=lost, passing=True, answered=False)
        return self._robots[ask.allow_private].refusal(url) if ask.robots else None

    def _hop(self, url: str, ask: Ask) -> Body | Fault | str:
        """One request: its body, its fault, or the URL that it redirects to."""
        proxy, deadline = self._proxy_of(url), time.monotonic() + self.options.timeout
        # A proxy stands in a private network as a rule; it alone looks up names, so that it alone can judge them.
        with self.watch.exchange(deadline=deadline, allow_private=ask.allow_private or bool(proxy)) as exchange:
            try:
                got = self._request(url, ask, exchange, proxy)
            except PrivateAddress:
                return Fault(reason=answer.PRIVATE, outcome="rejected")
            except Unwritable:
                raise
            except Exception as error:  # the web finds ways to upset any library; one URL must not end the crawl
                got = of_error(error)
        if not exchange.cut_by:
            return got
        if isinstance(got, Body) and isinstance(got.data, Draft):
            got.data.discard()  # whatever came: it ends where it was cut, not where the server ended it
        return Fault(reason=exchange.cut_by, passing=exchange.cut_by == answer.TIMEOUT, answered=False)

    def _request(self, url: str, ask: Ask, exchange: Exchange, proxy: str) -> Body | Fault | str:
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
            return response.read(url, got, ask, self.agent)
        finally:
            got.close()  # does no harm to a connection whose answer was read to its end: that one is back in the pool

    def _proxy_of(self, url: str) -> str:
        """The proxy that the environment names for `url`, if any; never one for this machine itself."""
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all", "")
        direct = not proxy or names_private(url) or urllib.request.proxy_bypass(parts.hostname)
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
