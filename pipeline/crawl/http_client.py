"""The HTTP client: fetch one URL within its rate limit, deadline and size limit. Errors are returned as values.

The result is a `Response`, or a `RequestFault` with the reason. Errors of urllib3 and of the system are mapped to a few
fixed reasons, because the stage counts reasons.
"""

import logging
import os
import random
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

import certifi
from urllib3 import ProxyManager, Timeout
from urllib3.exceptions import (
    DecodeError,
    IncompleteRead,
    InvalidHeader,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
    TimeoutError,
)

from pipeline.crawl.http_response import read_response
from pipeline.crawl.kept_connections import KeptConnections
from pipeline.crawl.rate_limit import MAX_PAUSE, Notify, RateLimiter, notify_nobody, whole_share
from pipeline.crawl.reachability import Reachability
from pipeline.crawl.request import (
    BAD_ADDRESS,
    NOT_HTTP,
    PRIVATE,
    STOPPED,
    TIMEOUT,
    Request,
    RequestFault,
    RequestPolicy,
    Response,
    ResponseOrRedirect,
)
from pipeline.crawl.robots import Robots, RulesPending
from pipeline.crawl.storage import StorageError, TempFile
from pipeline.crawl.transport import Exchange, PrivateAddress, Watchdog, names_private, use_watched_pools
from pipeline.crawl.url import MAX_URL_LENGTH, authority
from pipeline.options import DownloadOptions

BACKOFF_SECONDS = 0.5  # before the first retry; doubled for each further one
# Environment variables with a file of trusted certificates
CA_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings about headers and names quote the server


class HttpClient:
    """Fetches URLs for one crawl. All methods are thread-safe."""

    def __init__(
        self, options: DownloadOptions, notify: Notify = notify_nobody, share_of: Callable[[str], float] = whole_share
    ) -> None:
        self.options = options
        self.watchdog = Watchdog()
        self.reachability = Reachability()
        self.rate_limiter = RateLimiter(options, notify=notify, share_of=share_of)
        self.stopping = threading.Event()
        # The product token, to which robots.txt refers
        self.agent = (options.user_agent.replace("/", " ").split() or [""])[0]
        self._robots = {
            private: Robots(self._get_robots, self.agent, self.rate_limiter, allow_private=private)
            for private in (False, True)
        }
        self._connections = KeptConnections(_ca_bundle())
        self._managers: dict[str, ProxyManager] = {}
        self._lock = threading.Lock()
        self._proxies = urllib.request.getproxies()

    def get(self, url: str, policy: RequestPolicy) -> Response | RequestFault:
        """Fetch `url` with redirects and retries; wait for the rate limit and for Retry-After."""
        request, result = Request(url, policy), None
        while result is None and not self.stopping.wait(request.delay):
            host = request.host
            if not self.rate_limiter.acquire(host, self.stopping.is_set):
                break
            try:
                result = self.send(request)
            finally:
                self.rate_limiter.release(host)
        return result or RequestFault(reason=STOPPED)

    def send(self, request: Request) -> Response | RequestFault | None:
        """Send the next HTTP request of `request`. The caller holds the rate limit of its host.

        Returns:
            The response or the fault; None if a redirect or a retry has to be sent next.
        """
        request.delay = 0.0
        try:
            if refused := self._refusal(request.url, request.policy):
                return refused
        except RulesPending as pending:
            request.delay = pending.seconds
            return None
        result = self._send_once(request.url, request.policy)
        self.reachability.record(request.url, result)
        self.rate_limiter.record(request.host, result)
        if isinstance(result, str):
            return self._follow_redirect(request, result)
        return self._retry_later(request, result) if isinstance(result, RequestFault) and result.passing else result

    def stop(self) -> None:
        """Cancel every request and every wait; later requests end at once."""
        self.stopping.set()
        self.watchdog.cut_all()

    def close(self) -> None:
        """Close the connections that were kept alive."""
        self._connections.close()
        for manager in self._managers.values():
            manager.clear()

    def _get_robots(self, request: Request) -> Response | RequestFault | None:
        """Fetch robots.txt; None if a retry has to be sent after a delay, during which this thread can do other work.

        The caller holds the rate limit of the host for a page or a picture. Another host, to which robots.txt
        redirects, is acquired with a deadline: a thread that holds it may wait for the first host.
        """
        held, result = authority(request.start_url), None
        request.delay = 0.0
        while result is None and not request.delay:
            host = request.host
            if host in ("", held):
                result = self.send(request)
            elif self.rate_limiter.acquire(host, self.stopping.is_set, time.monotonic() + self.options.timeout):
                try:
                    result = self.send(request)
                finally:
                    self.rate_limiter.release(host)
            else:
                result = self._retry_later(request, RequestFault(reason=TIMEOUT, passing=True, host_answered=False))
        return result

    def _follow_redirect(self, request: Request, url: str) -> RequestFault | None:
        if request.redirects >= self.options.redirects:
            return RequestFault(reason="too many redirects")
        request.redirect_to(url)
        return None

    def _retry_later(self, request: Request, fault: RequestFault) -> RequestFault | None:
        """Prepare a retry after a transient fault and return None; return the fault if there is no retry left."""
        delay = fault.retry_after
        if delay is None:
            delay = BACKOFF_SECONDS * 2**request.retries * random.uniform(1, 2)
        if request.retries >= self.options.retries or delay > MAX_PAUSE:
            return fault
        request.retry(delay)
        return None

    def _refusal(self, url: str, policy: RequestPolicy) -> RequestFault | None:
        """The fault for a URL that must not be requested; None if it may be."""
        if self.stopping.is_set():
            return RequestFault(reason=STOPPED)
        if bad := url_fault(url):
            return bad
        if not policy.allow_private and names_private(url):
            return RequestFault(reason=PRIVATE, outcome="rejected")
        if lost := self.rate_limiter.given_up(authority(url)):
            return RequestFault(reason=lost, passing=True, host_answered=False)
        return self._robots[policy.allow_private].refusal(url) if policy.robots else None

    def _send_once(self, url: str, policy: RequestPolicy) -> ResponseOrRedirect:
        """Send one request; return its response, its fault, or the URL that it redirects to."""
        proxy, deadline = self._proxy_for(url), time.monotonic() + self.options.timeout
        # A proxy usually has a private address. It resolves the names, so only it could check their addresses.
        with self.watchdog.exchange(deadline=deadline, allow_private=policy.allow_private or bool(proxy)) as exchange:
            try:
                result = self._request(url, policy, exchange, proxy)
            except PrivateAddress:
                return RequestFault(reason=PRIVATE, outcome="rejected")
            except StorageError:
                raise
            except Exception as error:  # unexpected errors of a library fail one URL, not the crawl
                result = fault_of_error(error)
        if not exchange.cut_reason:
            return result
        if isinstance(result, Response) and isinstance(result.data, TempFile):
            result.data.discard()  # the body is truncated where the connection was cut
        return RequestFault(reason=exchange.cut_reason, passing=exchange.cut_reason == TIMEOUT, host_answered=False)

    def _request(self, url: str, policy: RequestPolicy, exchange: Exchange, proxy: str) -> ResponseOrRedirect:
        headers = {"User-Agent": self.options.user_agent, "Accept": policy.accept, "Accept-Encoding": "identity"}
        headers |= {"Referer": policy.referer} if policy.referer else {}
        if not proxy:
            with self._connections.get(url, headers, exchange.remaining) as response:
                return read_response(url, response, policy, self.agent)
        response = self._proxy_manager(proxy).urlopen(
            "GET",
            url,
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=Timeout(connect=exchange.remaining, read=exchange.remaining),
        )
        try:
            return read_response(url, response, policy, self.agent)
        finally:
            response.close()  # no effect if the body was read to its end: the connection is in the pool again

    def _proxy_for(self, url: str) -> str:
        """The proxy that the environment variables define for `url`; empty for none and for URLs of this machine."""
        parts = urlsplit(url)
        proxy = self._proxies.get(parts.scheme) or self._proxies.get("all", "")
        direct = not proxy or names_private(url) or urllib.request.proxy_bypass(parts.hostname or "")
        return "" if direct else proxy

    def _proxy_manager(self, proxy: str) -> ProxyManager:
        with self._lock:
            if proxy not in self._managers:
                # One more than the downloaders: the parser thread reads pages at the same time.
                pool: dict[str, Any] = {"num_pools": 64, "maxsize": self.options.connections + 1}
                self._managers[proxy] = ProxyManager(proxy, ca_certs=_ca_bundle(), **pool)
                use_watched_pools(self._managers[proxy])
            return self._managers[proxy]


def _ca_bundle() -> str:
    """The file of trusted certificates."""
    return next((os.environ[name] for name in CA_BUNDLE_VARIABLES if os.environ.get(name)), certifi.where())


def url_fault(url: str) -> RequestFault | None:
    """The fault of a URL that cannot be requested at all; None if it can be."""
    if len(url) > MAX_URL_LENGTH:
        return RequestFault(reason="address too long", outcome="rejected")
    try:
        parts = urlsplit(url)
        is_valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid, parts = False, None
    if parts is not None and parts.scheme not in ("http", "https"):
        return RequestFault(reason=NOT_HTTP, outcome="rejected")
    return None if is_valid else RequestFault(reason=BAD_ADDRESS, outcome="rejected")


def fault_of_error(error: Exception) -> RequestFault:
    """Map an error of urllib3, http.client or the system to a fault; any other error is named by its type."""
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return RequestFault(reason=_system_message(error) or reason, passing=True, host_answered=False)
    if isinstance(error, DecodeError):
        return RequestFault(reason="body not decodable")
    if isinstance(error, ProtocolError | OSError):
        # IncompleteRead means that a body was cut short, so the host did answer.
        cut = isinstance(error.args[-1], IncompleteRead) if error.args else False
        return RequestFault(reason="body cut short" if cut else "connection broken", passing=True, host_answered=cut)
    if isinstance(error, ValueError):  # urllib3's LocationValueError is one
        return RequestFault(reason=BAD_ADDRESS, outcome="rejected")
    if isinstance(error, HTTPException | InvalidHeader):
        return RequestFault(reason="not HTTP")
    return RequestFault(reason=f"unexpected {type(error).__name__}")


# In order: NameResolutionError is a subclass of NewConnectionError.
_REASONS: list[tuple[type[Exception], str]] = [
    (ProxyError, "proxy failed"),
    (NameResolutionError, "name not found"),
    (TimeoutError, TIMEOUT),
    (NewConnectionError, "no connection"),
    (SSLError, "TLS failed"),
]


def _system_message(error: Exception) -> str:
    """The system's message for a failed connection, for example "connection refused"; empty for other errors."""
    cause = error.__cause__
    named = isinstance(error, NewConnectionError) and not isinstance(error, NameResolutionError)
    return (cause.strerror or "").lower() if named and isinstance(cause, OSError) else ""
