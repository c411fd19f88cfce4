"""Which squares a view shows, and in which order: those most worth checking come first."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from pipeline.filter.scores import BORDERLINE
from pipeline.web.labelling.picture_index import IndexedSquare, PictureIndex

# Largest distance from the threshold in the view "near the threshold", which also contains all borderline squares
NEAR_DISTANCE = 0.1
EVEN_ODDS = 0.5
VIEWS = ("all", "unlabelled", "on", "off", "unsure", "kept", "rejected", "near", "disagree")
BY_LABEL = ("unlabelled", "on", "off", "unsure", "disagree")  # views that depend on labels
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
    "near": "near",
    "disagree": "far",
}
MAX_SOURCES = 60  # of each kind: a crawl may have a thousand hosts


def order(index: PictureIndex, labels: Mapping[str, str], *, view: str, sort: str = "", source: str = "") -> list[str]:
    """The ids of the squares in a view, in order."""
    shown = [each for each in index.pictures if _has_source(each, source) and is_in_view(each, view, index, labels)]
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
    if view in ("kept", "rejected"):
        return picture.score is not None and picture.score.outcome == view
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


def fixed_counts(index: PictureIndex, source: str = "") -> dict[str, int]:
    """How many squares are in each view that does not depend on labels."""
    pictures = [each for each in index.pictures if _has_source(each, source)]
    views = [view for view in VIEWS if view not in BY_LABEL]
    return {view: sum(is_in_view(each, view, index, {}) for each in pictures) for view in views}


def counts(
    index: PictureIndex, labels: Mapping[str, str], fixed: Mapping[str, int], source: str = ""
) -> dict[str, int]:
    """How many squares are in each view; checks only labelled squares, as it is called after every label."""
    known = index.by_id
    labelled = [known[id] for id in labels if id in known and _has_source(known[id], source)]
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
