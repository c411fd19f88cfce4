"""The attribute srcset, parsed by the steps of the HTML standard (4.8.4.3.9), in time that grows with its length."""

import math
from collections.abc import Iterator

LONGEST = 100_000  # characters; what is beyond is left off
_SPACE = " \t\n\f\r"
_FLOAT = set("0123456789.eE+-")


def largest(srcset: str) -> str:
    """The address of the largest of `small.jpg 320w, large.jpg 1280w`; empty if there is none."""
    return max(_candidates(srcset), key=lambda candidate: candidate[1], default=("", 0.0))[0]


def _candidates(text: str) -> Iterator[tuple[str, float]]:
    """Each address with its width or density; those whose descriptors are wrong are left out."""
    at, end = 0, min(len(text), LONGEST)
    while at < end:
        if text[at] in _SPACE or text[at] == ",":
            at += 1
            continue
        start = at
        while at < end and text[at] not in _SPACE:
            at += 1
        address = text[start:at]
        if address.endswith(","):
            size: float | None = 1.0
        else:
            words, at = _descriptors(text, at, end)
            size = _size(words)
        if size is not None and not at >= end < len(text):  # the last one before the cut may be half of one
            yield address.rstrip(","), size


def _descriptors(text: str, at: int, end: int) -> tuple[list[str], int]:
    """The words from `at` up to a comma that stands in no parentheses, and where that is."""
    words, word, inside = [], at, False
    while at < end and (inside or text[at] != ","):
        letter = text[at]
        inside = letter == "(" or (inside and letter != ")")
        if letter in _SPACE and not inside:
            words.append(text[word:at])
            word = at + 1
        at += 1
    return [each for each in [*words, text[word:at]] if each], at


def _size(words: list[str]) -> float | None:
    """The width or density that descriptors give, 1 if there is none; None if any of them is wrong."""
    found: dict[str, float] = {}
    for word in words:
        number, unit = _number(word[:-1], word[-1]), word[-1]
        if number is None or unit in found:
            return None
        found[unit] = number
    if "x" in found:
        return found["x"] if len(found) == 1 else None
    return found.get("w", None if found else 1.0)


def _number(text: str, unit: str) -> float | None:
    if unit in "wh":  # whole numbers above zero; no picture is a million pixels wide
        valid = text.isascii() and text.isdecimal() and len(text) < 7 and int(text) > 0
        return float(text) if valid else None
    if unit != "x" or not text or len(text) > 20 or not set(text) <= _FLOAT or text[0] == "+":
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number >= 0 and math.isfinite(number) else None
