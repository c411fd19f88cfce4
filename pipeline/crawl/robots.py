"""What robots.txt, X-Robots-Tag and <meta name="robots"> allow.

robots.txt is fetched once for each host and read by protego (RFC 9309). The words noai and noimageai forbid training on
a picture or on the pictures of a page (https://noai.dev).
"""

import math
import threading
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from protego import Protego

from pipeline.crawl.rate_limit import RateLimiter
from pipeline.crawl.request import ROBOTS, Fault, Response
from pipeline.crawl.url import authority

AGENT_WORDS = ("user-agent", "useragent", "user agent")  # protego's
OTHERS = "User-agent: -"  # for all robots but us
# Characters of rules over all hosts, beyond which long files are not taken any more: a rule takes a hundred times its
# length in memory, and a server may have hosts without number
MOST_RULES, SHORT = 2_000_000, 8_000
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

    def __init__(self, fetch: Callable[[str], Response | Fault], agent: str, hosts: RateLimiter) -> None:
        self._fetch = fetch
        self._agent = agent
        self._pace = hosts
        self._hosts: dict[str, _Host] = {}
        self._taken = 0
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
        if isinstance(answer, Response):
            return self._read(rules_for(self._agent, answer.data.decode("utf-8", "replace")))
        # RFC 9309, 2.3.1: without a file all is allowed; a file that cannot be had forbids all until the next crawl.
        return answer if answer.passing or not answer.answered else Protego.parse("")

    def _read(self, text: str) -> Protego | Fault:
        with self._lock:
            self._taken += len(text)
            if self._taken > MOST_RULES and len(text) > SHORT:
                return Fault(reason=f"{ROBOTS}: too long", outcome="rejected")
        rules = Protego.parse(text)
        delay = self._delay(rules)
        refused = Fault(reason=f"{ROBOTS}: {delay:g} s between requests", outcome="rejected")
        return refused if delay > LONGEST_DELAY else rules

    def _delay(self, rules: Protego) -> float:
        """Seconds that a host wants between two requests of ours."""
        rate = rules.request_rate(self._agent)
        try:
            seconds = rate.seconds / rate.requests if rate else 0.0
        except OverflowError:  # of numbers with hundreds of digits
            seconds = math.inf
        return max(rules.crawl_delay(self._agent) or 0.0, seconds)


def rules_for(agent: str, text: str) -> str:
    """The robots.txt `text` with one name in place of all that are for other robots than `agent`.

    protego adds each rule of a group to each robot that the group names, so that ten thousand names with ten thousand
    rules take minutes and gigabytes. It follows the longest name that fits, and the rules for all if none does.
    """
    lines = text.splitlines()
    names = [_name_in(line) for line in lines]
    agent = agent.lower()
    best = max((name for name in names if name and _speaks_to(name, agent)), key=len, default="")
    kept = (OTHERS if name not in (None, "", "*", best) else line for line, name in zip(lines, names, strict=True))
    return "\n".join(kept)


def _name_in(line: str) -> str | None:
    """The robot that a line names, without protego's asterisks; None if it is another line."""
    line = line.partition("#")[0].strip().lower()
    word = next((word for word in AGENT_WORDS if line.startswith(word)), None)
    if word is None:
        return None
    name = line[len(word) :].strip(": \t")
    return name.replace("*", "") or name[:1]


def _speaks_to(name: str, agent: str) -> bool:
    """Whether a word of `agent` begins with `name`, as protego has it."""
    words = [0, *(at + 1 for at, letter in enumerate(agent) if not (letter.isalnum() or letter in "-_"))]
    return any(agent.startswith(name, at) for at in words)


FORBIDDING = ("noai", "noimageai")
VALUED = {"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after"}  # "word: value", and no agent


def refusal(lines: Iterable[str], agent: str) -> str:
    """The first forbidding word in `lines` that is for all or for `agent`; empty if there is none.

    A line is `noindex, noai` or `agent: noindex, noai`; a name holds for the words after it, up to the next one.
    """
    for line in lines:
        speaks_to = ""
        for part in line.lower().split(","):
            name, colon, word = (each.strip() for each in part.partition(":"))
            if not colon:
                word = name
            elif name not in VALUED:
                speaks_to = name
            if word in FORBIDDING and speaks_to in ("", "*", agent.lower()):
                return word
    return ""
