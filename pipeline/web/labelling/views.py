"""Which squares a view shows, and in which order: those most worth checking come first."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from pipeline.filter.scores import BORDERLINE
from pipeline.web.labelling.picture_index import IndexedSquare, PictureIndex

# Largest distance from the threshold in the view "near the threshold", which also contains all borderline squares
NEAR_DISTANCE = 0.1
EVEN_ODDS = 0.5
VIEWS = ("all", "unlabelled", "on", "off", "unsure", "kept", "rejected", "borderline", "near", "disagree")
BY_LABEL = ("unlabelled", "on", "off", "unsure", "disagree")  # views that depend on labels
# What the filter decided, by view: each square with a score is in exactly one of them
VERDICTS = {"kept": "kept", "rejected": "rejected", "borderline": BORDERLINE}
SORTS = ("best", "worst", "near", "found")
# A wrong label 'on target' is most likely where the score is lowest, and so on
DEFAULT_SORT = {
    "all": "found",
    "unlabelled": "best",
    "on": "worst",
    "off": "best",
    "unsure": "near",
    "kept": "worst",
    "rejected": "best",
    "borderline": "near",
    "near": "near",
    "disagree": "far",
}
MAX_SOURCES = 60  # of each kind: a crawl may have a thousand hosts


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The squares among which a view is shown: those of a source, and those that a search finds."""

    source: str = ""  # 'found=…' or 'host=…', see `sources`; empty for all
    search: str = ""


def selected(index: PictureIndex, selection: Selection) -> Sequence[IndexedSquare]:
    """The squares of a selection."""
    found: Sequence[IndexedSquare] = index.pictures
    if selection.source:
        found = [each for each in found if _has_source(each, selection.source)]
    if needle := folded(selection.search):
        found = [each for each in found if matches(each, needle)]
    return found


def folded(text: str) -> str:
    """`text` as it is searched: without differences of case and of Unicode form."""
    if text.isascii():
        return text.strip().lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def matches(picture: IndexedSquare, needle: str) -> bool:
    """Whether title, addresses (with the names of file and site), creator or the beginning of the id contain `needle`,
    which is `folded`."""
    return text_matches(picture.id, (picture.title, picture.url, picture.page, picture.creator), needle)


def text_matches(id: str, texts: Iterable[str], needle: str) -> bool:
    """Whether one of `texts` contains `needle`, also in its percent-encoded parts, or `id` begins with it."""
    if id.startswith(needle):
        return True
    text = "\n".join(texts)
    return needle in folded(text) or ("%" in text and needle in folded(unquote(text)))


def order(
    index: PictureIndex, labels: Mapping[str, str], *, view: str, sort: str = "", among: Sequence[IndexedSquare]
) -> list[str]:
    """The ids of the squares `among` that are in a view, in order."""
    shown = [each for each in among if is_in_view(each, view, index, labels)]
    key = _sort_key(sort or DEFAULT_SORT[view], index.threshold)
    return [each.id for each in sorted(shown, key=lambda each: (key(each), each.position, each.id))]


def is_in_view(picture: IndexedSquare, view: str, index: PictureIndex, labels: Mapping[str, str]) -> bool:
    """Whether a square is in a view."""
    if view == "all":
        return True
    label = labels.get(picture.id)
    if view == "unlabelled":
        return label is None
    if view in ("on", "off", "unsure"):
        return label == view
    if view in VERDICTS:
        return picture.score is not None and picture.score.outcome == VERDICTS[view]
    if view == "near":
        return _distance(picture, index.threshold) <= NEAR_DISTANCE or bool(
            picture.score and picture.score.outcome == BORDERLINE
        )
    return disagrees(picture, label)


def disagrees(picture: IndexedSquare, label: str | None) -> bool:
    """Whether a label contradicts the filter: the label is suspect, or the score says the opposite.

    The score of a labelled square comes from models that did not train on its label, so it is compared with one half;
    the filter's threshold is set for a precision.
    """
    if label not in ("on", "off") or picture.score is None:
        return False
    if picture.score.suspect and picture.score.label == label:
        return True
    return picture.probability is not None and (picture.probability >= EVEN_ODDS) != (label == "on")


def fixed_counts(index: PictureIndex, among: Sequence[IndexedSquare]) -> dict[str, int]:
    """How many of the squares `among` are in each view that does not depend on labels."""
    views = [view for view in VIEWS if view not in BY_LABEL]
    return {view: sum(is_in_view(each, view, index, {}) for each in among) for view in views}


def counts(
    index: PictureIndex, labels: Mapping[str, str], fixed: Mapping[str, int], selection: Selection
) -> dict[str, int]:
    """How many squares are in each view; checks only labelled squares, as it is called after every label."""
    labelled = [index.by_id[id] for id in labels if id in index.by_id]
    if selection.source:
        labelled = [each for each in labelled if _has_source(each, selection.source)]
    if needle := folded(selection.search):
        labelled = [each for each in labelled if matches(each, needle)]
    changing = {view: sum(is_in_view(each, view, index, labels) for each in labelled) for view in BY_LABEL}
    return {**fixed, **changing, "unlabelled": fixed["all"] - len(labelled)}


def sources(index: PictureIndex) -> list[dict[str, object]]:
    """Sources and hosts with their numbers of squares, the largest first; `name` is the parameter of a view."""
    found = _count_names("found", (each.source for each in index.pictures))
    return [*found, *_count_names("host", (each.host for each in index.pictures))]


def _count_names(kind: str, names: Iterable[str]) -> Sequence[dict[str, object]]:
    found = Counter(filter(None, names)).most_common(MAX_SOURCES)
    return [{"kind": kind, "name": f"{kind}={name}", "text": name, "count": count} for name, count in found]


def _has_source(picture: IndexedSquare, source: str) -> bool:
    kind, _, name = source.partition("=")
    return not source or name == (picture.host if kind == "host" else picture.source)


def _sort_key(sort: str, threshold: float | None) -> Callable[[IndexedSquare], float]:
    """The sort key; squares without a score come last, in crawl order."""
    if sort == "best":
        return lambda picture: -picture.probability if picture.probability is not None else 2.0
    if sort == "worst":
        return lambda picture: picture.probability if picture.probability is not None else 2.0
    if sort == "near":
        return lambda picture: _distance(picture, threshold)
    if sort == "far":
        return lambda picture: -_distance(picture, EVEN_ODDS)
    return lambda picture: 0.0


def _distance(picture: IndexedSquare, threshold: float | None) -> float:
    if picture.probability is None or threshold is None:
        return 2.0
    return abs(picture.probability - threshold)
