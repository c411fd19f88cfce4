"""What the last labels did, and whether more would help: the sentences above the grid."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.errors import DamagedState
from pipeline.filter.kept import Score, read_scores
from pipeline.store.shelf import Published, load
from pipeline.web.catalogue import Catalogue, scored
from pipeline.web.place import Place


@dataclass(frozen=True, kw_only=True)
class Gain:
    """How two filters with different labels differ."""

    labels: int  # given, changed or taken back between the two
    changed: int  # pictures that are kept, rejected or unsure in one and not in the other
    unlabelled: int  # those of them that nobody labelled: what the classifier learned
    decisions: int  # pictures that both judged

    def __str__(self) -> str:
        labels = "The last label" if self.labels == 1 else f"The last {self.labels} labels"
        return (
            f"{labels} changed {self.changed} of {self.decisions} decisions"
            f" ({self.unlabelled} on pictures without a label)."
        )


def gain(before: list[Score], after: list[Score]) -> Gain:
    """What changed from one filter's scores to the next one's."""
    known = {score.id: score for score in before}
    pairs = [(known[score.id], score) for score in after if score.id in known]
    changed = [(was, now) for was, now in pairs if was.outcome != now.outcome]
    return Gain(
        labels=sum(was.label != now.label for was, now in pairs),
        changed=len(changed),
        unlabelled=sum(now.label is None and was.label is None for was, now in changed),
        decisions=len(pairs),
    )


def last_gain(place: Place, catalogue: Catalogue) -> Gain | None:
    """The gain from the filter before the one that counts now, if the two had different labels."""
    if catalogue.squares is None or catalogue.filter is None:
        return None
    try:
        found = scored(place, load(catalogue.squares))
        now = catalogue.filter
        earlier = [each for each in found if _labels(each) != _labels(now) and each.folder != now.folder]
        return gain(read_scores(earlier[-1].folder), read_scores(now.folder)) if earlier else None
    except (DamagedState, OSError, TypeError):
        return None


def newer(catalogue: Catalogue, labels: Mapping[str, str]) -> int:
    """How many labels the filter has not seen: given, changed or taken back since."""
    return sum(
        labels.get(picture.id) != (picture.score.label if picture.score else None) for picture in catalogue.pictures
    )


def advice(catalogue: Catalogue) -> tuple[str, bool]:
    """What the newest classifier and filter say about more labels, and whether there are enough.

    The classifier looks at average precision alone. As long as the filter has a notice about the precision of what it
    keeps, there are not enough.
    """
    summary = catalogue.classifier.manifest.summary if catalogue.classifier else {}
    notice = str(catalogue.filter.manifest.summary.get("notice") or "") if catalogue.filter else ""
    said = " ".join(_sentence(text) for text in (str(summary.get("hint") or ""), notice) if text)
    return said, summary.get("enough") is True and not notice


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _labels(published: Published) -> str | None:
    return published.manifest.inputs.get("labels")
