"""Which pictures a view shows, and in which order: what deserves a look comes first."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from pipeline.filter.scores import UNSURE
from pipeline.web.picture_index import Catalogue, Picture

# From the threshold, in probability: where the filter's decision could have gone either way. What it calls unsure is
# near in any case
NEAR = 0.1
EVEN = 0.5
VIEWS = ("all", "unlabelled", "on", "off", "unsure", "kept", "rejected", "near", "disagree")
BY_LABEL = ("unlabelled", "on", "off", "unsure", "disagree")  # views that marks change
SORTS = ("best", "worst", "near", "found")
# A mistake among what was called on is most likely where the score is lowest, and so forth
USUAL = {
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
MOST_SOURCES = 60  # of each kind in the list: a crawl may have met a thousand hosts


def order(catalogue: Catalogue, labels: Mapping[str, str], *, view: str, sort: str = "", source: str = "") -> list[str]:
    """The ids of the pictures in a view, in order."""
    shown = [each for each in catalogue.pictures if _from(each, source) and within(each, view, catalogue, labels)]
    key = _key(sort or USUAL[view], catalogue.threshold)
    return [each.id for each in sorted(shown, key=lambda each: (key(each), each.place, each.id))]


def within(picture: Picture, view: str, catalogue: Catalogue, labels: Mapping[str, str]) -> bool:
    """Whether a picture belongs in a view."""
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
        return _distance(picture, catalogue.threshold) <= NEAR or bool(
            picture.score and picture.score.outcome == UNSURE
        )
    return disagrees(picture, label)


def disagrees(picture: Picture, label: str | None) -> bool:
    """Whether a label contradicts the filter: it was found suspect, or the score says the other thing.

    A labelled picture's score is the probability given by classifiers that did not learn from it, so an even chance is
    the border and not the threshold, which is set for a precision.
    """
    if label not in ("on", "off") or picture.score is None:
        return False
    if picture.score.suspect and picture.score.label == label:
        return True
    return picture.probability is not None and (picture.probability >= EVEN) != (label == "on")


def fixed_counts(catalogue: Catalogue, source: str = "") -> dict[str, int]:
    """How many pictures there are in each view that no mark changes."""
    pictures = [each for each in catalogue.pictures if _from(each, source)]
    views = [view for view in VIEWS if view not in BY_LABEL]
    return {view: sum(within(each, view, catalogue, {}) for each in pictures) for view in views}


def counts(
    catalogue: Catalogue, labels: Mapping[str, str], fixed: Mapping[str, int], source: str = ""
) -> dict[str, int]:
    """How many pictures each view has; looks at the labelled ones alone, as marks come quickly one after the other."""
    known = catalogue.by_id
    labelled = [known[id] for id in labels if id in known and _from(known[id], source)]
    changing = {view: sum(within(each, view, catalogue, labels) for each in labelled) for view in BY_LABEL}
    return {**fixed, **changing, "unlabelled": fixed["all"] - len(labelled)}


def sources(catalogue: Catalogue) -> list[dict[str, object]]:
    """Who found the pictures and which hosts showed them, the largest first; `name` is what a view is asked for."""
    found = _counted("found", (each.source for each in catalogue.pictures))
    return [*found, *_counted("host", (each.host for each in catalogue.pictures))]


def _counted(kind: str, names: Iterable[str]) -> Sequence[dict[str, object]]:
    found = Counter(filter(None, names)).most_common(MOST_SOURCES)
    return [{"kind": kind, "name": f"{kind}={name}", "text": name, "count": count} for name, count in found]


def _from(picture: Picture, source: str) -> bool:
    kind, _, name = source.partition("=")
    return not source or name == (picture.host if kind == "host" else picture.source)


def _key(sort: str, threshold: float | None) -> Callable[[Picture], float]:
    """Pictures without a score come last, in the order in which they were found."""
    if sort == "best":
        return lambda picture: -picture.probability if picture.probability is not None else 2.0
    if sort == "worst":
        return lambda picture: picture.probability if picture.probability is not None else 2.0
    if sort == "near":
        return lambda picture: _distance(picture, threshold)
    if sort == "far":
        return lambda picture: -_distance(picture, EVEN)
    return lambda picture: 0.0


def _distance(picture: Picture, threshold: float | None) -> float:
    if picture.probability is None or threshold is None:
        return 2.0
    return abs(picture.probability - threshold)
