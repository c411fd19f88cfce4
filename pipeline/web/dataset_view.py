"""One dataset on the label page: catalogue, labels, suggestions, run, and what the last labels gained."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import DamagedState, UserError
from pipeline.filter.scores import Score, read_scores
from pipeline.store.artifacts import Artifact, load
from pipeline.web import views
from pipeline.web.background_run import BackgroundRun
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.label_sync import Answer, LabelEdit, LabelSync, Since, tally
from pipeline.web.picture_index import Catalogue, CatalogueCache, known_once, scored
from pipeline.web.suggestions import Suggestions

ORDERS = 64  # views that are held as they were when they were opened


class DatasetView:
    """What the routes ask about one dataset."""

    def __init__(self, place: DatasetPaths, command: Sequence[str]) -> None:
        self.place = place
        self.keeper = CatalogueCache(place)
        self.marks = LabelSync(place.labels)
        self.batches = Suggestions()
        self.rerun = BackgroundRun(command=command, dataset=place.dataset, folder=place.folder)
        self._orders: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}

    def catalogue(self) -> Catalogue:
        """The pictures as things stand."""
        try:
            return self.keeper.now()
        except FileNotFoundError:  # a folder that was deleted while it was read
            self.keeper.forget()
            return self.keeper.now()

    def page(self, *, view: str, sort: str, source: str, held: str, start: int, count: int) -> dict[str, Any]:
        """One page of a view. `held` names the order that an earlier page was of, so that no tile moves up while
        pictures before it are marked; where it is not known any more the view is opened anew."""
        catalogue, (labels, _) = self.catalogue(), self.marks.standing()
        with self._lock:
            ids = self._orders.get(held)
        if ids is None:
            if held and view in views.BY_LABEL:
                start = 0  # what was passed has labels by now and is in this view no more, or all of it is
            held = uuid.uuid4().hex[:12]
            ids = tuple(views.order(catalogue, labels, view=view, sort=sort, source=source))
            self._hold(held, ids)
        start = min(start, max(0, (len(ids) - 1) // count * count))
        return {"order": held, "total": len(ids), "start": start, **self.facts(ids[start : start + count])}

    def _hold(self, name: str, ids: tuple[str, ...]) -> None:
        with self._lock:
            self._orders[name] = ids
            while len(self._orders) > ORDERS:
                self._orders.popitem(last=False)

    def facts(self, ids: Sequence[str]) -> dict[str, Any]:
        """What is known of those of `ids` that are there, in their order, with the revision that the labels are of."""
        catalogue = self.catalogue()
        revision = self._revision()
        labels, _ = self.marks.standing()
        known = [catalogue.by_id[id] for id in ids if id in catalogue.by_id]
        return {
            "revision": revision,
            "generation": catalogue.generation,
            "pictures": [picture.facts() | {"label": labels.get(picture.id)} for picture in known],
        }

    def batch(self, count: int) -> dict[str, Any]:
        """What to label next, each with the reason why."""
        found = self.batches.next(self.catalogue(), self.marks.standing()[0], count)
        why = {each.id: each.why for each in found}
        facts = self.facts(list(why))
        for picture in facts["pictures"]:
            picture["why"] = why[picture["id"]]
        return {"order": "", "total": len(facts["pictures"]), "start": 0, **facts}

    def mark(self, marks: Sequence[LabelEdit]) -> Answer:
        """Put marks on the disk. Errors, before any is: `NoSquares`, which may pass, and `UnknownPictures`."""
        catalogue = self.catalogue()
        if not catalogue.pictures:
            raise NoSquares(catalogue.problem or "the squares cannot be read just now; labels wait until they can")
        strange = {mark.id for mark in marks if mark.id not in catalogue.by_id}
        if strange and (unknown := strange - self.marks.mentioned() - known_once(self.place, strange)):
            raise UnknownPictures(sorted(unknown))
        return self.marks.apply(marks)

    def summary(self, source: str = "") -> dict[str, Any]:
        """The counts and sentences around the grid."""
        catalogue, (labels, problem) = self.catalogue(), self.marks.standing()
        hint, enough = advice(catalogue)
        fixed = self._once(catalogue, f"counts {source}", lambda: views.fixed_counts(catalogue, source))
        return {
            "pictures": len(catalogue.pictures),
            "problem": problem or catalogue.problem,
            "labels": tally(labels),
            "counts": views.counts(catalogue, labels, fixed, source),
            "sources": self._once(catalogue, "sources", lambda: views.sources(catalogue)),
            "threshold": catalogue.threshold,
            "filtered": catalogue.filter is not None,
            "newer": newer(catalogue, labels),
            "gain": self._once(catalogue, "gain", lambda: str(last_gain(self.place, catalogue) or "")),
            "hint": hint,
            "enough": enough,
        }

    def changes(self, since: str) -> dict[str, Any]:
        """What other tabs and commands did, asked for every few seconds."""
        found, problem = Since(everything=False, labels={}, revision=since), ""
        try:
            found = self.marks.since(since)
        except UserError as error:
            problem = str(error)
        run, catalogue = self.rerun.progress(), self.catalogue()
        return {
            "revision": found.revision,
            "generation": catalogue.generation,
            "all": found.everything,
            "labels": found.labels,
            "problem": problem or catalogue.problem,
            "run": run.row(),
        }

    def _revision(self) -> str:
        try:
            return self.marks.revision()
        except UserError:
            return ""

    def _once(self, catalogue: Catalogue, name: str, find: Callable[[], Any]) -> Any:
        """What `find` returns, which is the same as long as the catalogue is: found out once for each."""
        with self._lock:
            if self._known.get("generation") != catalogue.generation or len(self._known) > ORDERS:
                self._known = {"generation": catalogue.generation}
            if name not in self._known:
                self._known[name] = find()
            return self._known[name]


class NoSquares(UserError):
    """There is nothing to hold marks against now; the same marks may be taken later."""


class UnknownPictures(UserError):
    """Marks for pictures that this dataset never had."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
        super().__init__(f"there is no picture {ids[0][:12]}…{more} in this dataset; nothing was labelled")


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


def last_gain(place: DatasetPaths, catalogue: Catalogue) -> Gain | None:
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


def _labels(published: Artifact) -> str | None:
    return published.manifest.inputs.get("labels")
