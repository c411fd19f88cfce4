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
from pipeline.crawl.request import ROBOTS, Request, RequestFault, RequestPolicy, Response

AGENT_FIELDS = ("user-agent", "useragent", "user agent")  # that protego accepts
OTHER_AGENT = "User-agent: -"  # a name that no crawler has
MAX_ROBOTS_BYTES = 512 * 1024  # RFC 9309, 2.5, requires at least 500 KiB; Google ignores the rest too
# Characters of all short files in memory, and of all long ones; a parsed rule takes a hundred times its length, and
# there may be a million hosts. Beyond, the short ones that were used longest ago are forgotten and fetched again. Files
# longer than SHORT_FILE, which take seconds to parse, are kept, and more of them refused.
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


class RulesPending(Exception):
    """robots.txt has to be requested again, in so many `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class _Host:
    """The rules of one origin; the lock makes concurrent threads wait for one request for its robots.txt."""

    def __init__(self, request: Request) -> None:
        self.lock = threading.Lock()
        self.request, self.name = request, request.host
        self.due_at = 0.0  # when to send the request, on the limiter's clock
        self.rules: Protego | RequestFault | None = None
        self.delay = 0.0  # seconds between two requests
        self.length = OVERHEAD  # what it counts
        self.is_long = False


class Robots:
    """The robots.txt rules of every origin that was requested, or of so many as memory should hold.

    Args:
        fetch: returns the response to the request for a robots.txt; None if that must be sent again after its delay.
        agent: the product token for which rules apply.
        rate_limiter: is told the crawl delay of each host.
        allow_private: whether requests for robots.txt may use private addresses.
    """

    def __init__(
        self,
        fetch: Callable[[Request], Response | RequestFault | None],
        agent: str,
        rate_limiter: RateLimiter,
        *,
        allow_private: bool = False,
    ) -> None:
        self._policy = RequestPolicy(
            max_bytes=MAX_ROBOTS_BYTES, require_whole=False, allow_private=allow_private, robots=False
        )
        self._fetch = fetch
        self._agent = agent
        self._rate_limiter = rate_limiter
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._total = self._total_of_long = 0  # characters: of the short files with OVERHEAD, of the long ones
        self._lock = threading.Lock()

    def refusal(self, url: str) -> RequestFault | None:
        """The fault if `url` must not be requested; None if it may be. Errors: `RulesPending`."""
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
            if (host := self._hosts.get(origin)) is None:
                host = self._hosts[origin] = _Host(Request(f"{origin}/robots.txt", self._policy))
            self._hosts.move_to_end(origin)
        with host.lock:
            if host.rules is None:
                host.rules = self._rules_in(self._answer(host), host)
                self._count(host)
        # Again if the limiter has forgotten the host, which it may do before these rules are forgotten
        if not self._rate_limiter.knows_robots(host.name):
            self._rate_limiter.set_crawl_delay(host.name, host.delay)
        return host.rules

    def _count(self, host: _Host) -> None:
        """Add what `host` counts, and forget the origins that were used longest ago."""
        with self._lock:
            self._total += host.length
            excess, forgotten = self._total - MAX_TOTAL_RULES, []
            for origin, oldest in self._hosts.items() if excess > 0 else ():
                if oldest is not host and oldest.rules is not None and not oldest.is_long:
                    forgotten.append(origin)
                    excess -= oldest.length
                    if excess <= 0:
                        break
            for origin in forgotten:
                self._total -= self._hosts.pop(origin).length

    def _answer(self, host: _Host) -> Response | RequestFault:
        """The answer to the request for robots.txt. Errors: `RulesPending` if there is none yet."""
        seconds = host.due_at - self._rate_limiter.clock()
        if seconds > 0:
            raise RulesPending(seconds)
        if (result := self._fetch(host.request)) is None:
            host.due_at = self._rate_limiter.clock() + host.request.delay
            raise RulesPending(host.request.delay)
        return result

    def _rules_in(self, result: Response | RequestFault, host: _Host) -> Protego | RequestFault:
        if isinstance(result, Response):
            return self._parse_rules(keep_rules_for(self._agent, result.data.decode("utf-8", "replace")), host)
        # RFC 9309, 2.3.1: a missing file (4xx) allows everything; an unreachable one forbids everything in this crawl.
        return result if result.passing or not result.host_answered else NO_RULES

    def _parse_rules(self, text: str, host: _Host) -> Protego | RequestFault:
        if len(text) <= SHORT_FILE:
            host.length += len(text)
        else:
            with self._lock:
                if self._total_of_long + len(text) > MAX_TOTAL_RULES:
                    return RequestFault(reason=f"{ROBOTS}: too long", outcome="rejected")
                self._total_of_long += len(text)
            host.is_long = True
        rules = Protego.parse(text)
        host.delay = self._delay(rules)
        if host.delay <= MAX_CRAWL_DELAY:
            return rules
        refused = RequestFault(reason=f"{ROBOTS}: {host.delay:g} s between requests", outcome="rejected")
        host.delay = 0.0  # as no request is sent
        return refused

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
