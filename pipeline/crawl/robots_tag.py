"""X-Robots-Tag and <meta name="robots">: whether their words forbid to learn from a picture or a page's pictures.

The words noai and noimageai are DeviantArt's, and since then those of many sites (https://noai.dev).
"""

from collections.abc import Iterable

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
