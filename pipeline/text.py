"""Text that others choose, as servers and file names do, made fit for one line: on a console, in a log, on a page."""

import unicodedata

CUT = "…"  # stands at the end of text that was cut
# Invisible, but parts of words and of emoji: zero-width non-joiner and joiner
_JOINERS = "\u200c\u200d"
# Controls and the separators of lines and paragraphs part words; halves of surrogate pairs cannot be written at all
_REPLACED = {"Cc": " ", "Zl": " ", "Zp": " ", "Cs": "?"}


def plain(text: str, most: int) -> str:
    """`text` as one line of at most `most` characters that steers no terminal and turns no reading direction.

    Control characters and line breaks become spaces, format characters such as the bidirectional overrides go, lone
    surrogates become question marks. Text that is longer ends with an ellipsis.
    """
    cut = text if len(text) <= most else text[: most - 1] + CUT
    return cut if cut.isprintable() else "".join(map(_plain, cut))


def escaped(url: str) -> str:
    """`url` with what `plain` would change in percent-encoding instead, so that different URLs stay different."""
    if url.isprintable():
        return url
    return "".join(each if _plain(each) == each else _percent(each) for each in url)


def _plain(letter: str) -> str:
    kind = unicodedata.category(letter)
    if kind == "Cf" and letter not in _JOINERS:
        return ""
    return _REPLACED.get(kind, letter)


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
