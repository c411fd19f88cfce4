"""Drive patterns and parsers with long repeats, to find those that go back and forth; run as a program.

    python -m tests.crawl.linear [PATTERN...]

Without arguments it takes every compiled pattern that the modules of the crawl hold, and every parser in `PARSERS`.
Prints a JSON list of [name, text] that took more than a second, with the beginning of the text.
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
from pipeline.crawl import html, http_client, image_type, page, robots
from pipeline.crawl.robots import rules_for
from pipeline.crawl.sources.baidu import plain
from pipeline.crawl.url import absolute_url, normalize_url

try:
    from re import _constants as codes
    from re import _parser as parser
except ImportError:  # Python 3.10
    import sre_constants as codes
    import sre_parse as parser

LONG = 10_000  # characters
SECONDS = 1.0
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
# Each with how much of a text it is given by those who call it
PARSERS: dict[str, tuple[Callable, int]] = {
    "kind_of": (lambda text: image_type.detect_type(text.encode()), LONG // 2),
    "encoding_of": (lambda text: html.encoding_of(text.encode()), 2 * LONG),
    "largest": (page.largest, LONG // 2),
    "tidy": (lambda text: normalize_url("http://" + text), 2_000),
    "tidy path": (lambda text: normalize_url("http://a.example/" + text), 2_000),
    "absolute": (lambda text: absolute_url("http://a.example/b/", text), LONG // 2),
    "rules_for": (lambda text: rules_for("ganmill", text), LONG // 2),
    "refusal": (lambda text: robots.refusal([text], "ganmill"), LONG // 2),
    "retry_after": (http_client._retry_after, LONG // 2),
    "baidu": (plain, LONG // 2),
}


def patterns() -> dict[str, re.Pattern]:
    """Every compiled pattern in a name of a module of the crawl, within lists and dicts as well."""
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
    """What the pattern is made of: its letters, one of each class, its runs of letters; and one text that it takes."""
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
    """Letters that stand together, at any depth."""
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
    """Each pair of parts, of equal ones too, over and over."""
    for one, two in itertools.combinations_with_replacement(parts, 2):
        yield (one + two) * (length // len(one + two))


def texts_with_ends(parts: list[str], length: int) -> Iterator[str]:
    """The same; and each part many times after another one, and before one that fits to none."""
    yield from texts(parts, length)
    for one, two in itertools.product(parts, repeat=2):
        yield one + two * (length // len(two)) + "\x01"


def slow(name: str, call: Callable[[str], object], hostile: Iterator[str]) -> Iterator[tuple[str, str]]:
    """The first of the texts `hostile` that holds `call` for more than `SECONDS`."""
    for text in hostile:
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            call(text)
        except TimeoutError:
            yield name, text[:80]
            return
        except ValueError:
            pass
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def drive(pattern: re.Pattern) -> Callable[[str], object]:
    """Every use of a pattern, on a text."""

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
    """Drive all and print what is slow."""
    signal.signal(signal.SIGALRM, _overdue)
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
