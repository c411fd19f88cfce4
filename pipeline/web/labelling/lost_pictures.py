"""Why a picture is no square, or no real: what became of every URL and picture that the stages did not keep."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.errors import DamagedState
from pipeline.filter.scores import BORDERLINE, KEPT
from pipeline.images.rejected import TOO_LONG, TOO_SMALL
from pipeline.labels.log import LABEL_NAMES
from pipeline.store import verified
from pipeline.store.artifacts import load
from pipeline.text import to_plain_line
from pipeline.web.labelling.picture_index import IndexedSquare, PictureIndex, web_address
from pipeline.web.labelling.views import folded, matches, text_matches

MAX_HELD = 200_000  # pictures that are no squares; some 300 bytes each
MAX_FOUND = 50  # answers to one question
MAX_NAME = 120  # characters of a file name
DOWNLOAD, NORMALIZE = "download", "normalize"
ROWS = "images.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class LostPicture:
    """A URL or picture that is no square, by its row of download or normalize."""

    stage: str
    outcome: str  # duplicate, rejected or failed
    reason: str
    id: str = ""  # empty if nothing was downloaded
    of: str = ""  # id of the picture that it repeats
    url: str = ""
    page: str = ""
    title: str = ""
    creator: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Why one picture is in or not, in a sentence, with what is known about it."""

    state: str  # kept, rejected, borderline, unscored, duplicate, rejected by a stage, failed
    text: str
    id: str = ""
    file: str = ""  # the last part of its URL
    title: str = ""
    url: str = ""
    page: str = ""
    creator: str = ""
    width: int | None = None
    height: int | None = None
    square: str | None = None  # id of the square to show: its own, or the one that it repeats


class LostPictures:
    """Reads the rows of download and normalize when somebody asks, and holds those of the current squares."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[str, tuple[LostPicture, ...]] = "", ()

    def why(self, index: PictureIndex, labels: Mapping[str, str], question: str) -> tuple[list[Answer], int]:
        """Answers about every picture that `question` finds: a file name, URL, site, title, creator or id.

        Returns:
            Up to `MAX_FOUND` answers, pictures that are not in first, and how many there are.
        """
        needle = folded(question)
        if not needle:
            return [], 0
        held = self._lost(index)
        lost = [each for each in held if _matches(each, needle)]
        squares = [each for each in index.pictures if matches(each, needle)]
        squares.sort(key=lambda each: (each.score is not None and each.score.outcome == KEPT, each.position))
        repeated = {each.of for each in lost[:MAX_FOUND]}  # a URL may repeat a picture that is no square itself
        others = {each.id: each for each in held if each.stage == NORMALIZE and each.id in repeated}
        answers = [
            *(of_lost(each, index, labels, others.get(each.of)) for each in lost[:MAX_FOUND]),
            *(of_square(each, index, labels.get(each.id)) for each in squares[: MAX_FOUND - len(lost[:MAX_FOUND])]),
        ]
        return answers, len(lost) + len(squares)

    def _lost(self, index: PictureIndex) -> tuple[LostPicture, ...]:
        with self._lock:
            if self._held[0] == index.generation:
                return self._held[1]
        found = tuple(each for each, _ in zip(_read(index), range(MAX_HELD), strict=False))
        with self._lock:
            self._held = index.generation, found
        return found


def _matches(picture: LostPicture, needle: str) -> bool:
    return text_matches(picture.id, (picture.title, picture.url, picture.page, picture.creator), needle)


def _read(index: PictureIndex) -> Iterator[LostPicture]:
    """Every picture that is no square; rows that cannot be read are left out, as `index.problem` names them."""
    crawled: dict[str, dict[str, Any]] = {}
    try:
        rows = verified.iterate_rows(index.squares, ROWS) if index.squares else iter(())
        lost = {row["id"]: row for row in rows if row["outcome"] != KEPT}
        for row in verified.iterate_rows(index.download, ROWS) if index.download else ():
            if row["outcome"] != "saved":
                yield _lost_picture(DOWNLOAD, row, row, str(row.get("id") or ""))
            elif row["id"] in lost:
                crawled[row["id"]] = row
        for id, row in lost.items():
            yield _lost_picture(NORMALIZE, row, crawled.get(id, {}), str(row.get("of") or ""))
    except (DamagedState, KeyError, TypeError):
        return


def _lost_picture(stage: str, row: dict[str, Any], crawled: dict[str, Any], of: str) -> LostPicture:
    texts: dict[str, Any] = {name: str(crawled.get(name) or "") for name in ("url", "page", "title", "creator")}
    sizes: dict[str, Any] = {
        name: row.get(name) if isinstance(row.get(name), int) else None for name in ("width", "height")
    }
    id, outcome, reason = (str(row.get(name) or "") for name in ("id", "outcome", "reason"))
    return LostPicture(stage=stage, outcome=outcome, reason=reason, id=id, of=of, **texts, **sizes)


def of_lost(
    lost: LostPicture, index: PictureIndex, labels: Mapping[str, str], repeated: LostPicture | None = None
) -> Answer:
    """Why a picture is no square; `repeated` is the picture that it repeats, if that is no square either."""
    square = index.by_id.get(lost.of) if lost.outcome == "duplicate" else None
    text = _lost_words(lost, index)
    if square:
        text += f"; of that square: {of_square(square, index, labels.get(square.id)).text}"
    elif repeated and lost.outcome == "duplicate":
        other = of_lost(repeated, index, labels)
        text, square = f"{text}, and of that picture: {other.text}", index.by_id.get(other.square or "")
    return Answer(
        state=lost.outcome,
        text=text,
        id=lost.id,
        file=file_name(lost.url),
        title=lost.title,
        url=web_address(lost.url),
        page=web_address(lost.page),
        creator=lost.creator,
        width=lost.width,
        height=lost.height,
        square=square.id if square else None,
    )


def _lost_words(lost: LostPicture, index: PictureIndex) -> str:
    if lost.outcome == "duplicate":
        return (
            "the same file as another URL gave"
            if lost.stage == DOWNLOAD
            else "a near-duplicate of a picture that is larger"
        )
    if lost.outcome == "failed":
        return f"it could not be downloaded: {lost.reason}"
    if lost.stage == DOWNLOAD:
        return f"the download rejected it: {lost.reason}"
    options = load(index.squares).manifest.options if index.squares else {}
    size = f"{lost.width} × {lost.height} pixels"
    if lost.reason == TOO_SMALL:
        return f"too small: {size}, and the least side is {options.get('min_side')} (normalize.min_side)"
    if lost.reason == TOO_LONG:
        return f"too long: {size}, and the longer side may be {options.get('max_aspect'):g} times the shorter one" + (
            " (normalize.max_aspect)"
        )
    return f"it cannot be used: {lost.reason}"


def of_square(square: IndexedSquare, index: PictureIndex, label: str | None) -> Answer:
    """Why a square is kept or not."""
    state, text = _verdict(square, index)
    known = square.score.label if square.score else None
    if label and label != known:
        text += f"; it was labelled {LABEL_NAMES[label]} since, which the next run of the filter uses"
    elif known and not label:
        text += "; that label was removed since, which the next run of the filter uses"
    facts = {name: getattr(square, name) for name in ("id", "title", "creator", "width", "height")}
    addresses: dict[str, Any] = {name: web_address(getattr(square, name)) for name in ("url", "page")}
    return Answer(state=state, text=text, square=square.id, file=file_name(square.url), **addresses, **facts)


def file_name(url: str) -> str:
    """The last part of a URL as text; empty for the main page of a site."""
    try:
        path = urlsplit(url).path
    except ValueError:
        path = url
    return to_plain_line(unquote(path.rsplit("/", 1)[-1]), MAX_NAME)


def _verdict(square: IndexedSquare, index: PictureIndex) -> tuple[str, str]:
    score = square.score
    if score is None:
        return "unscored", "it is a square, and the filter has not run yet"
    state = "borderline" if score.outcome == BORDERLINE else score.outcome
    if score.label:
        return state, f"{state}, because it is labelled {LABEL_NAMES[score.label]}"
    if score.score is None or index.threshold is None or index.filter is None:
        return state, f"{state}: this filter keeps every square without a label"
    low, high = index.filter.manifest.summary.get("band") or (index.threshold, index.threshold)
    at = f"with a score of {score.score:.2f}"
    edges: Iterable[float] = (low, index.threshold, high)
    low_text, threshold, high_text = (f"{edge:.2f}" for edge in edges)
    words = {
        "kept": f"kept {at}: squares are kept from {high_text} (threshold {threshold})",
        "rejected": f"rejected by the filter {at}: squares are rejected below {low_text} (threshold {threshold})",
        "borderline": f"borderline {at}: neither kept nor rejected from {low_text} to {high_text}"
        f" (threshold {threshold})",
    }
    return state, words.get(state, state)
