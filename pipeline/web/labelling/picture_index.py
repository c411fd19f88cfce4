"""The index of one dataset: every square, where it came from, and what the newest filter decided about it."""

import sys
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.dataset_names import dataset_flag
from pipeline.errors import DamagedState
from pipeline.filter.scores import Score, read_scores
from pipeline.store import verified
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.digest import is_digest
from pipeline.web.dataset_paths import DatasetPaths

VERSION_DIGITS = 8  # of the hash of a square: two squares of one picture, made with other options, differ
SQUARE_FIELDS = ("id", "file", "width", "height")  # of a square's row
SHARED_FIELDS = ("engine", "query", "creator", "license")  # of CRAWL_FIELDS
CRAWL_FIELDS = ("url", "page", "title", "engine", "query", "creator", "license")  # of the crawl's row


@dataclass(frozen=True, kw_only=True, slots=True)  # there may be 100,000
class IndexedSquare:
    """A square, joined with its row of the crawl and its score of the filter."""

    id: str  # SHA-256 of the picture file, in hex
    file: str  # path in the folder of squares; empty for images/<id>.png
    version: str  # first digits of the square's own hash: a new square gets a new address
    width: int | None
    height: int | None
    position: int  # in crawl order
    url: str = ""
    page: str = ""
    title: str = ""
    engine: str = ""
    query: str = ""
    creator: str = ""
    license: str = ""
    score: Score | None = None

    @property
    def square(self) -> str:
        """The path in the folder of squares."""
        return self.file or _usual_file(self.id)

    @property
    def source(self) -> str:
        """The source that found it, with its search terms."""
        return f"{self.engine}: {self.query}" if self.query else self.engine

    @property
    def host(self) -> str:
        """The host of the page that it was on, or of the picture itself."""
        return host_of(self.page) or host_of(self.url)

    @property
    def probability(self) -> float | None:
        """The filter's score; None if there is none."""
        return self.score.score if self.score else None

    def as_json(self) -> dict[str, Any]:
        """What the page shows about it."""
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


def index_square(square: dict[str, Any], row: dict[str, Any], position: int, score: Score | None) -> IndexedSquare:
    """Join a row of the squares and a row of the crawl, which may be empty.

    Texts that many squares share are held once: 100,000 squares take half of the memory.
    """
    id = score.id if score else square["id"]
    texts = {name: str(row.get(name) or "") for name in CRAWL_FIELDS}
    return IndexedSquare(
        id=id,
        file="" if square["file"] == _usual_file(id) else square["file"],
        version=str(square.get("sha256", ""))[:VERSION_DIGITS],
        width=square.get("width"),
        height=square.get("height"),
        position=position,
        score=score,
        **(texts | {name: sys.intern(texts[name]) for name in SHARED_FIELDS}),
    )


def _usual_file(id: str) -> str:
    return f"images/{id}.png"


def web_address(text: str) -> str:
    """`text` if it is an http or https address, and otherwise empty, so that a link cannot run scripts."""
    return text if host_of(text) else ""


def host_of(text: str) -> str:
    """The host of an http or https address; empty for anything else."""
    try:
        parts = urlsplit(text)
        return parts.hostname or "" if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""


KEPT = "kept"


@dataclass(frozen=True, kw_only=True)
class PictureIndex:
    """The squares at one moment; when a stage publishes an artifact, a new index is made."""

    generation: str  # the names of the folders that it was read from
    squares: Path | None = None
    download: Path | None = None
    filter: Artifact | None = None
    classifier: Artifact | None = None
    pictures: tuple[IndexedSquare, ...] = ()  # sorted by id
    by_id: dict[str, IndexedSquare] = field(default_factory=dict)
    problem: str = ""  # why squares, scores or sources cannot be read, although they exist

    @property
    def threshold(self) -> float | None:
        """The threshold of the filter; None if it has none."""
        return self.filter.manifest.summary.get("threshold") if self.filter else None


class PictureIndexCache:
    """Caches the index of a dataset, and reads it again after a stage has published something."""

    def __init__(self, paths: DatasetPaths) -> None:
        self.paths = paths
        self._loaded_at: object = None
        self._index: PictureIndex | None = None
        self._lock = threading.Lock()

    def current(self) -> PictureIndex:
        """The current index; the previous one while another thread reads it."""
        modified = _modification_times(self.paths)
        if self._index is not None and (modified == self._loaded_at or not self._lock.acquire(blocking=False)):
            return self._index
        if self._index is None:
            self._lock.acquire()
        try:
            if modified != self._loaded_at or self._index is None:
                self._index = read(self.paths, self._index)
                # Without squares it is read again next time: they may be repaired without a new modification time
                self._loaded_at = modified if self._index.pictures else None
            return self._index
        finally:
            self._lock.release()

    def if_current(self) -> PictureIndex | None:
        """The cached index if it is up to date, without reading files."""
        return self._index if self._index is not None and _modification_times(self.paths) == self._loaded_at else None

    def invalidate(self) -> None:
        """Read again next time, because a file was missing."""
        self._loaded_at = None


def read(paths: DatasetPaths, before: PictureIndex | None = None) -> PictureIndex:
    """Read the index from the disk; returns `before` if nothing was published since."""
    squares = paths.normalize.last_used()
    current_filter = _current_filter(paths, squares)
    download = _artifact_with_output(
        paths.download, squares.manifest.inputs.get("download.images") if squares else None, "images"
    )
    classifier = paths.classifier.last_used()
    artifacts = (squares, current_filter, download, classifier)
    generation = "-".join(artifact.folder.name if artifact else "" for artifact in artifacts)
    if before and before.generation == generation and before.pictures:
        return before
    empty = PictureIndex(generation=generation, filter=current_filter, classifier=classifier)
    if squares is None:
        return replace(empty, problem=_damaged_squares(paths, paths.normalize.damaged().values()))
    try:
        rows = _rows(squares.folder)
    except DamagedState as error:
        return replace(empty, problem=_damaged_squares(paths, [str(error)]))
    crawled, no_sources = _or_problem(lambda: _crawled(download.folder) if download else {})
    scores, no_scores = _or_problem(
        lambda: {score.id: score for score in read_scores(current_filter.folder)} if current_filter else {}
    )
    pictures = _pictures(rows, crawled, scores)
    return PictureIndex(
        generation=generation,
        squares=squares.folder,
        download=download.folder if download else None,
        filter=current_filter,
        classifier=classifier,
        pictures=pictures,
        by_id={picture.id: picture for picture in pictures},
        problem=no_scores or no_sources,
    )


def _damaged_squares(paths: DatasetPaths, found: Iterable[str]) -> str:
    """One line about damaged squares; empty if there are none."""
    again = f"`python -m tasks rerun normalize{dataset_flag(paths.dataset)}` makes them again"
    return next((f"the squares are damaged: {text}; {again}" for text in found), "")


def _rows(squares: Path) -> list[dict]:
    """What is needed of the row of every kept square; none if the folder was deleted meanwhile."""
    if not squares.is_dir():
        return []
    every = verified.iterate_rows(squares, "images.jsonl")
    return [
        {name: row.get(name) for name in SQUARE_FIELDS} | {"sha256": str(row.get("sha256", ""))[:VERSION_DIGITS]}
        for row in every
        if row["outcome"] == KEPT and is_digest(row["id"])
    ]


def _pictures(rows: list[dict], crawled: dict[str, dict], scores: dict[str, Score]) -> tuple[IndexedSquare, ...]:
    """Every kept square; missing rows of the crawl or the filter leave fields empty."""
    positions = {id: position for position, id in enumerate(crawled)}
    indexed = [
        index_square(row, crawled.get(row["id"], {}), positions.get(row["id"], len(positions)), scores.get(row["id"]))
        for row in rows
    ]
    return tuple(sorted(indexed, key=lambda picture: picture.id))


def _crawled(download: Path) -> dict[str, dict]:
    """The saved rows of the crawl by id, in crawl order."""
    rows = verified.iterate_rows(download, "images.jsonl")
    return {row["id"]: {name: row.get(name) for name in CRAWL_FIELDS} for row in rows if row["outcome"] == "saved"}


def downloaded_ids(paths: DatasetPaths, ids: Collection[str]) -> set[str]:
    """Those of `ids` that were ever downloaded, even if they have no square now."""
    found = {id for id in ids if next((paths.folder / "raw" / id[:2]).glob(f"{id}.*"), None)}
    for download in paths.download.all():
        found |= _or_problem(partial(_crawled, download.folder))[0].keys() & set(ids)
    return found


def _or_problem(reads: Callable[[], dict]) -> tuple[dict, str]:
    """What `reads` returns and an empty line; on errors nothing and a line about the problem."""
    try:
        return reads(), ""
    except DamagedState as error:
        return {}, str(error)
    except (TypeError, KeyError) as error:  # rows of an earlier version with other fields
        return {}, f"{type(error).__name__}: {error}"


def filters_of(paths: DatasetPaths, squares: Artifact | None) -> list[Artifact]:
    """The filter artifacts for these squares, the current one last."""
    if squares is None:
        return []
    digest = squares.manifest.outputs.get("images")
    found = [each for each in paths.filter.all() if each.manifest.inputs.get("normalize.images") == digest]
    latest = paths.filter.latest_name()  # a run with earlier labels reuses an older artifact
    return sorted(found, key=lambda each: each.folder.name == latest)


def _current_filter(paths: DatasetPaths, squares: Artifact | None) -> Artifact | None:
    found = filters_of(paths, squares)
    return found[-1] if found else None


def _artifact_with_output(store: ArtifactStore, digest: str | None, output: str) -> Artifact | None:
    """The newest artifact whose output has the digest, or the newest of all."""
    found = store.all()
    found = [each for each in found if each.manifest.outputs.get(output) == digest] or found
    return found[-1] if found else None


def _modification_times(paths: DatasetPaths) -> tuple[int, ...]:
    """Times that change when an artifact is published or deleted, or `latest` changes."""
    stores = (paths.download, paths.normalize, paths.classifier, paths.filter)
    return tuple(_changed(store.root) for store in stores)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
