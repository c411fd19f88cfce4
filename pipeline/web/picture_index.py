"""The catalogue of one dataset: every square, where it came from, and what the newest filter says of it."""

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import DamagedState
from pipeline.filter.scores import Score, read_scores
from pipeline.labels.log import flag
from pipeline.store import verified
from pipeline.store.artifacts import Artifact, ArtifactStore, load
from pipeline.store.digest import is_digest
from pipeline.web.dataset_paths import DatasetPaths

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


KEPT = "kept"


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The pictures at one moment; another folder on a shelf makes another catalogue."""

    generation: str  # names the folders that it was read from
    squares: Path | None = None
    download: Path | None = None
    filter: Artifact | None = None
    classifier: Artifact | None = None
    pictures: tuple[Picture, ...] = ()  # sorted by id
    by_id: dict[str, Picture] = field(default_factory=dict)
    problem: str = ""  # why there are no pictures, or no scores or sources, where they are there and cannot be read

    @property
    def threshold(self) -> float | None:
        """The score from which the filter keeps; None where it drew no line."""
        return self.filter.manifest.summary.get("threshold") if self.filter else None


class CatalogueCache:
    """Holds the newest catalogue of a dataset, and reads it anew when a stage made something."""

    def __init__(self, place: DatasetPaths) -> None:
        self.place = place
        self._stamp: object = None
        self._held: Catalogue | None = None
        self._lock = threading.Lock()

    def now(self) -> Catalogue:
        """The catalogue as things stand. While another thread reads a new one, this is the old one."""
        stamp = _stamp(self.place)
        if self._held is not None and (stamp == self._stamp or not self._lock.acquire(blocking=False)):
            return self._held
        if self._held is None:
            self._lock.acquire()
        try:
            if stamp != self._stamp or self._held is None:
                self._held = read(self.place, self._held)
                self._stamp = stamp if self._held.pictures else None  # what is not whole may be put right in its place
            return self._held
        finally:
            self._lock.release()

    def held(self) -> Catalogue | None:
        """The catalogue, if it is the newest and asking for it costs nothing."""
        return self._held if self._held is not None and _stamp(self.place) == self._stamp else None

    def forget(self) -> None:
        """Read anew next time: a file was gone that should be there."""
        self._stamp = None


def read(place: DatasetPaths, before: Catalogue | None = None) -> Catalogue:
    """The catalogue as the disk has it; `before`, if it is still right."""
    squares = _squares(place)
    found = _scored(place, squares)
    download = _named(place.download, squares.manifest.inputs.get("download.images") if squares else None, "images")
    classifier = place.classifier.newest()
    parts = (squares, found, download, classifier)
    generation = "-".join(part.folder.name if part else "" for part in parts)
    if before and before.generation == generation and before.pictures:
        return before
    nothing = Catalogue(generation=generation, filter=found, classifier=classifier)
    if squares is None:
        return replace(nothing, problem=_damage(place, place.normalize.damaged().values()))
    try:
        rows = _rows(squares.folder)
    except DamagedState as error:
        return replace(nothing, problem=_damage(place, [str(error)]))
    crawled, no_sources = _or_why(lambda: _crawled(download.folder) if download else {})
    scores, no_scores = _or_why(lambda: {score.id: score for score in read_scores(found.folder)} if found else {})
    pictures = _pictures(rows, crawled, scores)
    return Catalogue(
        generation=generation,
        squares=squares.folder,
        download=download.folder if download else None,
        filter=found,
        classifier=classifier,
        pictures=pictures,
        by_id={picture.id: picture for picture in pictures},
        problem=no_scores or no_sources,
    )


def _damage(place: DatasetPaths, found: Iterable[str]) -> str:
    """One line about squares of which none can be shown; empty if there are none."""
    again = f"`python -m tasks rerun normalize{flag(place.dataset)}` makes them again"
    return next((f"the squares are damaged: {text}; {again}" for text in found), "")


def _rows(squares: Path) -> list[dict]:
    """The row of every kept square; none where the folder was deleted while the server runs."""
    if not squares.is_dir():
        return []
    every = verified.read_rows(squares, "images.jsonl")
    return [row for row in every if row["outcome"] == KEPT and is_digest(row["id"])]


def _pictures(rows: list[dict], crawled: dict[str, dict], scores: dict[str, Score]) -> tuple[Picture, ...]:
    """Every kept square. What is damaged or gone beside them costs their facts, not the page."""
    places = {id: place for place, id in enumerate(crawled)}
    made = [
        picture(row, crawled.get(row["id"], {}), places.get(row["id"], len(places)), scores.get(row["id"]))
        for row in rows
    ]
    return tuple(sorted(made, key=lambda picture: picture.id))


def _crawled(download: Path) -> dict[str, dict]:
    """The saved rows of the crawl by id, in its order."""
    return {row["id"]: row for row in verified.read_rows(download, "images.jsonl") if row["outcome"] == "saved"}


def known_once(place: DatasetPaths, ids: Collection[str]) -> set[str]:
    """Those of `ids` that were downloaded once, whether or not a square is made of them now."""
    found = {id for id in ids if next((place.folder / "raw" / id[:2]).glob(f"{id}.*"), None)}
    for download in place.download.all():
        found |= _or_why(lambda download=download: _crawled(download.folder))[0].keys() & set(ids)
    return found


def _or_why(reads: Callable[[], dict]) -> tuple[dict, str]:
    """What `reads` returns and an empty line; or nothing, and the line that says why."""
    try:
        return reads(), ""
    except DamagedState as error:
        return {}, str(error)
    except (TypeError, KeyError) as error:  # an earlier version of the program wrote other fields
        return {}, f"{type(error).__name__}: {error}"


def _squares(place: DatasetPaths) -> Artifact | None:
    """The folder of squares that the settings name, or else the newest."""
    chosen = place.chosen()
    try:
        return load(chosen) if chosen else place.normalize.newest()
    except DamagedState:
        return place.normalize.newest()


def scored(place: DatasetPaths, squares: Artifact | None) -> list[Artifact]:
    """The filter's folders that judged just these squares, the one that counts now last."""
    if squares is None:
        return []
    digest = squares.manifest.outputs.get("images")
    found = [each for each in place.filter.all() if each.manifest.inputs.get("normalize.images") == digest]
    latest = place.filter.latest_name()  # a run that went back to earlier labels made nothing new
    return sorted(found, key=lambda each: each.folder.name == latest)


def _scored(place: DatasetPaths, squares: Artifact | None) -> Artifact | None:
    return (scored(place, squares) or [None])[-1]


def _named(shelf: ArtifactStore, digest: str | None, output: str) -> Artifact | None:
    """The newest folder with that content, or else the newest."""
    found = shelf.all()
    return ([each for each in found if each.manifest.outputs.get(output) == digest] or found or [None])[-1]


def _stamp(place: DatasetPaths) -> tuple[int, ...]:
    """Changes whenever a folder is published, deleted or gone back to, or other settings are written."""
    shelves = (place.download, place.normalize, place.classifier, place.filter)
    return tuple(_changed(path) for path in (*(shelf.root for shelf in shelves), *place.settings))


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
