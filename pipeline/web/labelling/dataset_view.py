"""One dataset on the label page: its squares, labels, suggestions and run, and what the last labels changed."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.errors import DamagedState, UserError
from pipeline.filter.effect import FilterEffect, last_effect
from pipeline.filter.words import advice_words, precision_words, recall_words, validation_words
from pipeline.labels.snapshot import ENOUGH_TO_BEGIN
from pipeline.run_record import keys_used
from pipeline.store.artifacts import load
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.jobs.background_run import BackgroundRun
from pipeline.web.labelling import views
from pipeline.web.labelling.filter_figures import FilterFigures
from pipeline.web.labelling.label_bodies import SquarePage
from pipeline.web.labelling.label_sync import EditResult, LabelChanges, LabelEdit, LabelSync, count_labels
from pipeline.web.labelling.lost_pictures import LostPictures
from pipeline.web.labelling.picture_index import (
    IndexedSquare,
    PictureIndex,
    PictureIndexCache,
    downloaded_ids,
    filters_of,
)
from pipeline.web.labelling.suggestions import Suggestions

MAX_ORDERS = 64  # orders of views that are remembered


class DatasetView:
    """Answers the routes for one dataset."""

    def __init__(self, paths: DatasetPaths, command: Sequence[str]) -> None:
        self.paths = paths
        self.index_cache = PictureIndexCache(paths)
        self.label_sync = LabelSync(paths.labels)
        self.suggestions = Suggestions()
        self.background_run = BackgroundRun(command=command, dataset=paths.dataset, folder=paths.folder)
        self.figures = FilterFigures(paths.classifier)
        self.lost_pictures = LostPictures()
        self._orders: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._lock = threading.Lock()
        self._cache: dict[str, Any] = {}
        self._last_selected: tuple[object, Sequence[IndexedSquare]] = None, ()

    def index(self) -> PictureIndex:
        """The current picture index."""
        try:
            return self.index_cache.current()
        except FileNotFoundError:  # a folder was deleted while it was read
            self.index_cache.invalidate()
            return self.index_cache.current()

    def page(self, view: str, wanted: SquarePage) -> dict[str, Any]:
        """One page of a view (one of `views.VIEWS`), in a fixed order: squares do not move while others are labelled.

        A new order is made if that of `wanted` is empty, or not remembered any more.
        """
        order, start, count = wanted.order, wanted.start, wanted.count
        index, (labels, _) = self.index(), self.label_sync.readable_labels()
        with self._lock:
            ids = self._orders.get(order)
        if ids is None:
            if order and view in views.BY_LABEL:
                start = 0  # squares that were labelled have left this view, so the rest begins at 0
            order = uuid.uuid4().hex[:12]
            among = self._selected(index, wanted.selection())
            ids = tuple(views.order(index, labels, view=view, sort=wanted.sort, among=among))
            self._remember_order(order, ids)
        start = min(start, max(0, (len(ids) - 1) // count * count))
        return {"order": order, "total": len(ids), "start": start, **self.facts(ids[start : start + count])}

    def _selected(self, index: PictureIndex, selection: views.Selection) -> Sequence[IndexedSquare]:
        """The squares of a selection; the last search is remembered, as its pages and its counts are asked for."""
        if selection == views.Selection():
            return index.pictures
        key = (index.generation, selection)
        with self._lock:
            if self._last_selected[0] == key:
                return self._last_selected[1]
        found = views.selected(index, selection)
        with self._lock:
            self._last_selected = key, found
        return found

    def _remember_order(self, name: str, ids: tuple[str, ...]) -> None:
        with self._lock:
            self._orders[name] = ids
            while len(self._orders) > MAX_ORDERS:
                self._orders.popitem(last=False)

    def facts(self, ids: Sequence[str]) -> dict[str, Any]:
        """What is known about those of `ids` that exist, in their order, with the revision of the labels."""
        index = self.index()
        revision = self._revision()
        labels, _ = self.label_sync.readable_labels()
        known = [index.by_id[id] for id in ids if id in index.by_id]
        return {
            "revision": revision,
            "generation": index.generation,
            "pictures": [picture.as_json() | {"label": labels.get(picture.id)} for picture in known],
        }

    def next_batch(self, count: int) -> dict[str, Any]:
        """Squares to label next, each with the reason."""
        suggested = self.suggestions.next(self.index(), self.label_sync.readable_labels()[0], count)
        why = {each.id: each.why for each in suggested}
        page = self.facts(list(why))
        for picture in page["pictures"]:
            picture["why"] = why[picture["id"]]
        return {"order": "", "total": len(page["pictures"]), "start": 0, **page}

    def edit_labels(self, edits: Sequence[LabelEdit]) -> EditResult:
        """Write label edits to the disk.

        Raises:
            NoSquares: If the squares cannot be read now; nothing was written, and the edits may be sent again.
            UnknownPictures: If this dataset never had one of the squares; nothing was written.
        """
        index = self.index()
        if not index.pictures:
            raise NoSquares(index.problem or "the squares cannot be read now; labels are kept until they can")
        unknown = {edit.id for edit in edits if edit.id not in index.by_id}
        if unknown and (unknown := unknown - self.label_sync.ever_labelled() - downloaded_ids(self.paths, unknown)):
            raise UnknownPictures(sorted(unknown))
        return self.label_sync.apply(edits)

    def summary(self, selection: views.Selection) -> dict[str, Any]:
        """The counts and sentences around the grid."""
        index, (labels, problem) = self.index(), self.label_sync.readable_labels()
        hint, enough = labelling_advice(index)
        fixed = self._cached(
            index, f"counts {selection}", lambda: views.fixed_counts(index, self._selected(index, selection))
        )
        return {
            "pictures": len(index.pictures),
            "problem": problem or index.problem,
            "labels": count_labels(labels),
            "enough_labels": ENOUGH_TO_BEGIN,
            "validation": self.label_sync.count_validation(),
            "counts": views.counts(index, labels, fixed, selection),
            "sources": self._cached(index, "sources", lambda: views.sources(index)),
            "threshold": index.threshold,
            "filtered": index.filter is not None,
            "newer": count_unseen_labels(index, labels, self._cached(index, "seen", lambda: seen_labels(index))),
            "gain": self._cached(index, "gain", lambda: str(last_label_effect(self.paths, index) or "")),
            "hint": hint,
            "enough": enough,
        }

    def why(self, question: str) -> dict[str, Any]:
        """Why the pictures that `question` finds are in or not."""
        answers, total = self.lost_pictures.why(self.index(), self.label_sync.readable_labels()[0], question)
        return {"total": total, "found": [asdict(answer) for answer in answers]}

    def changes(self, since: str) -> dict[str, Any]:
        """What other tabs and commands changed since revision `since`; the page polls it."""
        changed, problem = LabelChanges(everything=False, labels={}, revision=since), ""
        try:
            changed = self.label_sync.since(since)
        except UserError as error:
            problem = str(error)
        index = self.index()
        return {
            "revision": changed.revision,
            "generation": index.generation,
            "all": changed.everything,
            "labels": changed.labels,
            "problem": problem or index.problem,
        }

    def _revision(self) -> str:
        try:
            return self.label_sync.revision()
        except UserError:
            return ""

    def _cached(self, index: PictureIndex, name: str, find: Callable[[], Any]) -> Any:
        """What `find` returns, computed once for each version of the index."""
        with self._lock:
            if self._cache.get("generation") != index.generation or len(self._cache) > MAX_ORDERS:
                self._cache = {"generation": index.generation}
            known = self._cache
            if name in known:
                return known[name]
        found = find()  # without the lock, as it may take a second
        with self._lock:
            known[name] = found
        return found


class NoSquares(UserError):
    """The squares cannot be read now; the same edits may be accepted later."""


class UnknownPictures(UserError):
    """Label edits of squares that this dataset never had."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
        super().__init__(f"there is no square {ids[0][:12]}…{more} in this dataset; nothing was labelled")


def last_label_effect(paths: DatasetPaths, index: PictureIndex) -> FilterEffect | None:
    """The effect of what changed last, labels or others: the current filter against the one used before it."""
    if index.squares is None or index.filter is None:
        return None
    try:
        filters = filters_of(paths, load(index.squares))
        return last_effect(index.filter, filters, paths.classifier.all(), keys_used(paths.runs, "filter"))
    except (DamagedState, OSError, TypeError):
        return None


def seen_labels(index: PictureIndex) -> dict[str, str]:
    """The labels that the filter had when it ran, by id."""
    return {each.id: each.score.label for each in index.pictures if each.score and each.score.label}


def count_unseen_labels(index: PictureIndex, labels: Mapping[str, str], seen: Mapping[str, str]) -> int:
    """How many labels were given, changed or taken back since the filter ran, which had `seen` these; checks only
    labelled squares, as it is called after every label.
    """
    given = sum(id in index.by_id and id not in seen for id in labels)
    return given + sum(labels.get(id) != label for id, label in seen.items())


def labelling_advice(index: PictureIndex) -> tuple[str, bool]:
    """What the newest classifier and filter say about more labels, and whether there are enough labels.

    The classifier considers average precision only. As long as the filter has a notice about its precision, there are
    not enough labels. The filter's precision and recall stand beside this, with what would raise the recall.
    """
    summary = index.classifier.manifest.summary if index.classifier else {}
    decided = index.filter.manifest.summary if index.filter else {}
    notice = str(decided.get("notice") or "")
    figures = "; ".join(text for text in _figures(decided) if text)
    texts = (str(summary.get("hint") or ""), notice, figures, advice_words(decided))
    text_shown = " ".join(_sentence(text) for text in texts if text)
    return text_shown, summary.get("enough") is True and not notice


def _figures(summary: dict[str, Any]) -> tuple[str, ...]:
    return precision_words(summary), recall_words(summary), validation_words(summary)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
