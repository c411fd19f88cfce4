"""What robots.txt of each host allows; asked once a host, read by protego (RFC 9309)."""

import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from protego import Protego

from pipeline.crawl.address import authority
from pipeline.crawl.answer import ROBOTS, Body, Fault
from pipeline.crawl.pace import Hosts

LONGEST_DELAY = 60.0  # seconds between two requests; who asks for more does not want to be crawled


class _Host:
    """The rules of one host, once they are known; the lock keeps eight threads from asking for them eight times."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rules: Protego | Fault | None = None


class Robots:
    """The rules of every host met so far. `fetch(url)` gets a robots.txt; `agent` is the name that rules are for.

    `hosts` learns how much time a host wants between requests.
    """

    def __init__(self, fetch: Callable[[str], Body | Fault], agent: str, hosts: Hosts) -> None:
        self._fetch = fetch
        self._agent = agent
        self._pace = hosts
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()

    def refusal(self, url: str) -> Fault | None:
        """None if `url` may be asked for; otherwise why not."""
        rules = self._rules("{0.scheme}://{0.netloc}".format(urlsplit(url)))
        if isinstance(rules, Fault):
            return rules
        return None if rules.can_fetch(url, self._agent) else Fault(reason=ROBOTS, outcome="rejected")

    def _rules(self, origin: str) -> Protego | Fault:
        with self._lock:
            host = self._hosts.setdefault(origin, _Host())
        with host.lock:
            if host.rules is None:
                host.rules = self._load(origin)
                self._pace.learn(authority(origin), 0.0 if isinstance(host.rules, Fault) else self._delay(host.rules))
            return host.rules

    def _load(self, origin: str) -> Protego | Fault:
        answer = self._fetch(f"{origin}/robots.txt")
        if isinstance(answer, Body):
            rules = Protego.parse(answer.data.decode("utf-8", "replace"))
            delay = self._delay(rules)
            refused = Fault(reason=f"{ROBOTS}: {delay:g} s between requests", outcome="rejected")
            return refused if delay > LONGEST_DELAY else rules
        # RFC 9309, 2.3.1: without a file all is allowed; a file that cannot be had forbids all until the next crawl.
        return answer if answer.passing or not answer.answered else Protego.parse("")

    def _delay(self, rules: Protego) -> float:
        """Seconds that a host wants between two requests of ours."""
        rate = rules.request_rate(self._agent)
        return max(
            rules.crawl_delay(self._agent) or 0.0, rate.seconds / rate.requests if rate and rate.requests else 0.0
        )
