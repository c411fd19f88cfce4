"""Check what robots.txt, X-Robots-Tag and <meta name="robots"> allow.

robots.txt is fetched once for each origin and parsed by protego (RFC 9309). The directives noai and noimageai forbid
training on a picture or on the pictures of a page (https://noai.dev).
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from protego import Protego

from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.request import ROBOTS, RequestFault, Response
from pipeline.crawl.url import authority

AGENT_FIELDS = ("user-agent", "useragent", "user agent")  # that protego accepts
OTHER_AGENT = "User-agent: -"  # a name that no crawler has
# Characters of all rules in memory; a parsed rule takes a hundred times its length, and there may be a million hosts.
# Beyond, the rules that were used longest ago are forgotten and fetched again, but files longer than SHORT_FILE, which
# take seconds to parse, are kept, and more of them refused.
MAX_TOTAL_RULES, SHORT_FILE = 2_000_000, 50_000
OVERHEAD = 1000  # characters that an origin counts besides its rules
MAX_CRAWL_DELAY = 60.0  # seconds between two requests; with a longer delay the host is not crawled
NO_TRAINING = ("noai", "noimageai")
DIRECTIVES_WITH_VALUE = {
    "max-snippet",
    "max-image-preview",
    "max-video-preview",
    "unavailable_after",
}  # written as "word: value", so that the word before the colon is not an agent


NO_RULES = Protego.parse("")


class _Host:
    """The rules of one origin; the lock makes concurrent threads wait for one request for its robots.txt."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rules: Protego | RequestFault | None = None
        self.length = OVERHEAD  # what it counts


class Robots:
    """The robots.txt rules of every origin that was requested, or of so many as memory should hold.

    Args:
        fetch: returns the response to a robots.txt URL.
        agent: the product token for which rules apply.
        rate_limiter: is told the crawl delay of each host.
    """

    def __init__(self, fetch: Callable[[str], Response | RequestFault], agent: str, rate_limiter: RateLimiter) -> None:
        self._fetch = fetch
        self._agent = agent
        self._rate_limiter = rate_limiter
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._total = self._total_of_long = 0  # characters
        self._lock = threading.Lock()

    def refusal(self, url: str) -> RequestFault | None:
        """The fault if `url` must not be requested; None if it may be."""
        rules = self._rules("{0.scheme}://{0.netloc}".format(urlsplit(url)))
        if isinstance(rules, RequestFault):
            return rules
        return (
            None
            if rules is NO_RULES or rules.can_fetch(url, self._agent)
            else RequestFault(reason=ROBOTS, outcome="rejected")
        )

    def _rules(self, origin: str) -> Protego | RequestFault:
        with self._lock:
            host = self._hosts.setdefault(origin, _Host())
            self._hosts.move_to_end(origin)
        with host.lock:
            if host.rules is None:
                host.rules = self._fetch_rules(origin, host)
                self._count(host)
                self._rate_limiter.set_crawl_delay(
                    authority(origin), 0.0 if isinstance(host.rules, RequestFault) else self._delay(host.rules)
                )
            return host.rules

    def _count(self, host: _Host) -> None:
        """Add what `host` counts, and forget the origins that were used longest ago."""
        with self._lock:
            self._total += host.length
            for origin, oldest in list(self._hosts.items()) if self._total > MAX_TOTAL_RULES else ():
                if self._total <= MAX_TOTAL_RULES:
                    return
                if oldest.rules is not None and oldest.length <= SHORT_FILE:
                    self._total -= self._hosts.pop(origin).length

    def _fetch_rules(self, origin: str, host: _Host) -> Protego | RequestFault:
        result = self._fetch(f"{origin}/robots.txt")
        if isinstance(result, Response):
            text = keep_rules_for(self._agent, result.data.decode("utf-8", "replace"))
            host.length += len(text)
            return self._parse_rules(text)
        # RFC 9309, 2.3.1: a missing file (4xx) allows everything; an unreachable one forbids everything in this crawl.
        return result if result.passing or not result.host_answered else NO_RULES

    def _parse_rules(self, text: str) -> Protego | RequestFault:
        with self._lock:
            self._total_of_long += len(text) * (len(text) > SHORT_FILE)
            if self._total_of_long > MAX_TOTAL_RULES and len(text) > SHORT_FILE:
                return RequestFault(reason=f"{ROBOTS}: too long", outcome="rejected")
        rules = Protego.parse(text)
        delay = self._delay(rules)
        refused = RequestFault(reason=f"{ROBOTS}: {delay:g} s between requests", outcome="rejected")
        return refused if delay > MAX_CRAWL_DELAY else rules

    def _delay(self, rules: Protego) -> float:
        """The crawl delay in seconds: the larger of Crawl-delay and Request-rate."""
        rate = rules.request_rate(self._agent)
        try:
            seconds = rate.seconds / rate.requests if rate else 0.0
        except OverflowError:  # from numbers with hundreds of digits
            seconds = math.inf
        return max(rules.crawl_delay(self._agent) or 0.0, seconds)


def keep_rules_for(agent: str, text: str) -> str:
    """Replace the names of all other agents in the robots.txt `text` by one, so that protego parses it in linear time.

    protego adds each rule of a group to each agent that the group names: ten thousand names with ten thousand rules
    take minutes and gigabytes. It uses the group with the longest matching name, or the group for `*` if no name
    matches.
    """
    lines = text.splitlines()
    names = [_agent_in(line) for line in lines]
    agent = agent.lower()
    best = max((name for name in names if name and _matches_agent(name, agent)), key=len, default="")
    lines_kept = (
        OTHER_AGENT if name not in (None, "", "*", best) else line for line, name in zip(lines, names, strict=True)
    )
    return "\n".join(lines_kept)


def robots_tag_refusal(lines: Iterable[str], agent: str) -> str:
    """The first directive in `lines` that forbids training and applies to every agent or to `agent`; empty if none
    does.

    A line is `noindex, noai` or `agent: noindex, noai`; an agent's name applies to the directives up to the next name.
    """
    for line in lines:
        addressed_agent = ""
        for part in line.lower().split(","):
            name, colon, word = (each.strip() for each in part.partition(":"))
            if not colon:
                word = name
            elif name not in DIRECTIVES_WITH_VALUE:
                addressed_agent = name
            if word in NO_TRAINING and addressed_agent in ("", "*", agent.lower()):
                return word
    return ""


def _agent_in(line: str) -> str | None:
    """The agent that a line names, without asterisks; None if it is not a user-agent line."""
    line = line.partition("#")[0].strip().lower()
    word = next((word for word in AGENT_FIELDS if line.startswith(word)), None)
    if word is None:
        return None
    name = line[len(word) :].strip(": \t")
    return name.replace("*", "") or name[:1]


def _matches_agent(name: str, agent: str) -> bool:
    """Whether a word of `agent` begins with `name`, as in protego."""
    words = [0, *(at + 1 for at, letter in enumerate(agent) if not (letter.isalnum() or letter in "-_"))]
    return any(agent.startswith(name, at) for at in words)
