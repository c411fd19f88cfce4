"""Sanitise text from servers and file names for one line of a console, a log or a page."""

import unicodedata

ELLIPSIS = "…"
# Zero-width non-joiner and joiner are parts of words and emoji
_JOINERS = "\u200c\u200d"
# By Unicode category: control characters, line and paragraph separators, lone surrogates (which cannot be encoded)
_REPLACED = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "?"}


def to_plain_line(text: str, max_length: int) -> str:
    """`text` as one line of at most `max_length` characters without terminal control or bidirectional characters.

    Control characters and line breaks become spaces, format characters such as the bidirectional overrides are removed,
    lone surrogates become question marks. Longer text is cut and ends with an ellipsis.
    """
    cut = text if len(text) <= max_length else text[: max_length - 1] + ELLIPSIS
    return cut if cut.isprintable() else "".join(map(_replacement, cut))


def error_line(error: object, max_length: int) -> str:
    """The message of an error, or what is known instead of one, as one plain line; its type if it has no message."""
    return to_plain_line(str(error) or type(error).__name__, max_length)


def counted(number: int, noun: str) -> str:
    """`number` with its noun: '1 label', '3,141 labels'."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def escaped(url: str) -> str:
    """Percent-encode what `to_plain_line` would change in `url`, so that different URLs stay different."""
    if url.isprintable():
        return url
    return "".join(each if _replacement(each) == each else _percent(each) for each in url)


def _replacement(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cf" and character not in _JOINERS:
        return ""
    return _REPLACED.get(category, character)


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
