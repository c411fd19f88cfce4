"""One picture as the page knows it: its square, where it came from, what the filter says of it."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipeline.filter.kept import Score

TEXTS = ("url", "page", "title", "engine", "query", "creator", "license")  # of the crawl's row


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A square, joined with the crawl's row and the filter's score where there are any."""

    id: str  # SHA-256 of the raw bytes, in hex
    square: str  # path in the folder of squares
    version: str  # the beginning of the square's own hash: another square has another address
    width: int | None
    height: int | None
    place: int  # in the order in which the crawl found them
    url: str = ""
    page: str = ""
    title: str = ""
    engine: str = ""
    query: str = ""
    creator: str = ""
    license: str = ""
    score: Score | None = None

    @property
    def source(self) -> str:
        """Who found it, and by which words."""
        return f"{self.engine}: {self.query}" if self.query else self.engine

    @property
    def host(self) -> str:
        """The host of the page it stood on, or of the picture itself."""
        return host_of(self.page) or host_of(self.url)

    @property
    def probability(self) -> float | None:
        """The filter's score; None where nothing was scored."""
        return self.score.score if self.score else None

    def facts(self) -> dict[str, Any]:
        """What the page shows of it."""
        score = self.score
        return {
            "id": self.id,
            "version": self.version,
            "width": self.width,
            "height": self.height,
            "url": web_address(self.url),
            "page": web_address(self.page),
            "title": self.title,
            "source": self.source,
            "host": self.host,
            "creator": self.creator,
            "license": self.license,
            "score": score.score if score else None,
            "spread": score.spread if score else None,
            "suspect": bool(score and score.suspect),
            "outcome": score.outcome if score else None,
        }


def picture(square: dict[str, Any], row: dict[str, Any], place: int, score: Score | None) -> Picture:
    """The picture of a row of the squares and one of the crawl; the crawl's may be empty."""
    return Picture(
        id=square["id"],
        square=square["file"],
        version=str(square.get("sha256", ""))[:16],
        width=square.get("width"),
        height=square.get("height"),
        place=place,
        score=score,
        **{name: str(row.get(name) or "") for name in TEXTS},
    )


def web_address(text: str) -> str:
    """`text` if it is an http or https address, and otherwise nothing: a link must not run or open anything else."""
    return text if host_of(text) else ""


def host_of(text: str) -> str:
    """The host of an http or https address; empty for all else."""
    try:
        parts = urlsplit(text)
        return parts.hostname or "" if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""
