"""Time patterns and parsers on long repeated texts, to find catastrophic backtracking; run as a program.

    python -m tests.crawl.linear [PATTERN...]

Without arguments it tests every compiled pattern in the modules of the crawl, and every parser in `PARSERS`. Prints a
JSON list of [name, beginning of the text] for each that took more than SECONDS.
"""

import importlib
import itertools
import json
import pkgutil
import re
import signal
import sys
from collections.abc import Callable, Iterator

import pipeline.crawl
from pipeline.crawl import html, http_response, image_type, page, robots
from pipeline.crawl.robots import keep_rules_for
from pipeline.crawl.sources.baidu import decipher
from pipeline.crawl.url import absolute_url, normalize_url

try:
    from re import _constants as codes
    from re import _parser as parser
except ImportError:  # Python 3.10
    import sre_constants as codes
    import sre_parse as parser

LONG = 10_000  # characters
SECONDS = 0.3  # of the processor: what is linear takes milliseconds
CATEGORIES = {"DIGIT": "1", "SPACE": " ", "WORD": "a"}
MARKS = [
    "<!",
    "<",
    ">",
    "-->",
    "<?xml ",
    "[",
    "]",
    "a",
    " ",
    ",",
    "(",
    ")",
    "1x",
    "@",
    ":",
    "/",
    "/../",
    "%",
    "%41",
    "é",
]
MARKS += ["?", "#", "\\", "\0", "<meta ", "charset=", '"', "*", "\n", "user-agent:*", "disallow:/*a$", "noai", "z2C$q"]
# Each with the length of text that its callers pass at most
PARSERS: dict[str, tuple[Callable, int]] = {
    "detect_type": (lambda text: image_type.detect_type(text.encode()), LONG // 2),
    "detect_encoding": (lambda text: html.detect_encoding(text.encode()), 2 * LONG),
    "largest_in_srcset": (page.largest_in_srcset, LONG // 2),
    "normalize_url": (lambda text: normalize_url("http://" + text), 2_000),
    "normalize_url of a path": (lambda text: normalize_url("http://a.example/" + text), 2_000),
    "absolute_url": (lambda text: absolute_url("http://a.example/b/", text), LONG // 2),
    "keep_rules_for": (lambda text: keep_rules_for("ganmill", text), LONG // 2),
    "refusal": (lambda text: robots.robots_tag_refusal([text], "ganmill"), LONG // 2),
    "retry_after": (http_response._retry_after, LONG // 2),
    "baidu": (decipher, LONG // 2),
}


def patterns() -> dict[str, re.Pattern]:
    """Every compiled pattern in the constants of the crawl's modules, also within lists and dicts."""
    names = [each.name for each in pkgutil.walk_packages(pipeline.crawl.__path__, "pipeline.crawl.")]
    found = {}
    for name in names:
        for key, value in vars(importlib.import_module(name)).items():
            found |= {f"{name}.{key} {pattern.pattern!r}": pattern for pattern in _within(value)}
    return found


def _within(value: object) -> Iterator[re.Pattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from _within(list(value.values()))
    elif isinstance(value, list | tuple | set):
        for each in value:
            yield from _within(each)


def tokens(pattern: re.Pattern) -> list[str]:
    """The parts of a pattern: its literals, one member of each class, its runs of literals; and one matching text."""
    tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else 0)
    parts, run = set(), ""
    for part in _flat(tree):
        parts.add(part)
        run += part
    runs = {"".join(group) for group in _runs(tree)}
    return sorted({*parts, *runs, run, "q"} - {""})


def _flat(tree) -> Iterator[str]:
    for code, given in tree:
        yield from _one(code, given)


def _one(code, given) -> Iterator[str]:
    if code in (codes.LITERAL, codes.NOT_LITERAL):
        yield chr(given) if code is codes.LITERAL else "q"
    elif code is codes.ANY:
        yield "q"
    elif code is codes.IN:
        yield from itertools.chain.from_iterable(_one(*member) for member in given)
    elif code is codes.RANGE:
        yield chr(given[0])
    elif code is codes.NEGATE:
        yield "q"
    elif code is codes.CATEGORY:
        yield next((letter for name, letter in CATEGORIES.items() if str(given).endswith(name)), "q")
    elif isinstance(given, parser.SubPattern):
        yield from _flat(given)
    elif isinstance(given, tuple | list):
        for each in given:
            if isinstance(each, parser.SubPattern):
                yield from _flat(each)
            elif isinstance(each, list):
                yield from itertools.chain.from_iterable(_flat(branch) for branch in each)


def _runs(tree) -> Iterator[list[str]]:
    """Runs of adjacent literals, at any depth."""
    run: list[str] = []
    for code, given in tree:
        if code is codes.LITERAL:
            run.append(chr(given))
            continue
        yield run
        run = []
        for each in given if isinstance(given, tuple | list) else [given]:
            if isinstance(each, parser.SubPattern):
                yield from _runs(each)
            elif isinstance(each, list):
                yield from itertools.chain.from_iterable(_runs(branch) for branch in each)
    yield run


def texts(parts: list[str], length: int) -> Iterator[str]:
    """Each pair of parts (also a part with itself), repeated."""
    for one, two in itertools.combinations_with_replacement(parts, 2):
        yield (one + two) * (length // len(one + two))


def texts_with_ends(parts: list[str], length: int) -> Iterator[str]:
    """The same, and each part repeated after another one and before a byte that matches nothing."""
    yield from texts(parts, length)
    for one, two in itertools.product(parts, repeat=2):
        yield one + two * (length // len(two)) + "\x01"


def slow(name: str, call: Callable[[str], object], hostile: Iterator[str]) -> Iterator[tuple[str, str]]:
    """The first of the texts `hostile` for which `call` takes more than `SECONDS`."""
    for text in hostile:
        signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
        try:
            call(text)
        except TimeoutError:
            yield name, text[:80]
            return
        except ValueError:
            pass
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def drive(pattern: re.Pattern) -> Callable[[str], object]:
    """A function that uses a pattern on a text in each way."""

    def use(text: str) -> None:
        data = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
        pattern.match(data)
        pattern.fullmatch(data)
        for _ in pattern.finditer(data):
            pass

    return use


def _overdue(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    """Time everything and print what is slow."""
    signal.signal(signal.SIGVTALRM, _overdue)
    given = {text: re.compile(text, re.DOTALL) for text in sys.argv[1:]}
    found = [
        each
        for name, pattern in (given or patterns()).items()
        for each in slow(name, drive(pattern), texts_with_ends(tokens(pattern), LONG))
    ]
    for name, (call, length) in ({} if given else PARSERS).items():
        found += slow(name, call, texts(MARKS, length))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
