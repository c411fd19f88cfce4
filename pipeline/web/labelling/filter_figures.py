"""What the page of the filter shows of the current filter: figures of every threshold, and the squares around it."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import UserError
from pipeline.filter.scores import Score, read_scores
from pipeline.filter.threshold_row import ThresholdRow, row_of_summary
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.web.labelling.picture_index import IndexedSquare, PictureIndex

if TYPE_CHECKING:  # loads scikit-learn, which takes seconds
    from pipeline.filter.threshold import Evidence

MAX_TABLES = 8  # of different bands; some 100 kB each
SIDE_TILES = 24  # squares that are shown on each side of a threshold
FIELDS = ("id", "version", "score", "label", "title")


class FilterFigures:
    """Tables of thresholds for one dataset, each computed once for a filter and a band."""

    def __init__(self, classifiers: ArtifactStore) -> None:
        self._classifiers = classifiers
        self._tables: OrderedDict[tuple[str, float], dict[str, Any]] = OrderedDict()
        self._evidence: tuple[str, Evidence, Sequence[Score]] | None = None
        self._lock = threading.Lock()  # one table is computed at a time: it keeps a core busy

    def table(self, index: PictureIndex, *, band: float, precision: float) -> dict[str, Any]:
        """The figures of every threshold with the band `band`, and what `auto` would choose for `precision`.

        Raises:
            UserError: If there is no filter with a threshold, or its classifier is gone.
        """
        from pipeline.filter.threshold_table import automatic_threshold

        current = threshold_filter(index)
        with self._lock:
            evidence, scores = self._evidence_of(current)
            key = (current.folder.name, band)
            if key not in self._tables:
                self._tables[key] = _table(current, evidence, scores, band)
                while len(self._tables) > MAX_TABLES:
                    self._tables.popitem(last=False)
            self._tables.move_to_end(key)
            found = self._tables[key]
        return {**found, "auto": automatic_threshold(evidence, precision, band), "precision": precision}

    def _evidence_of(self, current: Artifact) -> tuple["Evidence", Sequence[Score]]:
        from pipeline.filter.evidence import read_evidence

        if self._evidence is None or self._evidence[0] != current.folder.name:
            scores, offset = read_scores(current.folder), float(current.manifest.summary.get("offset") or 0.0)
            evidence = read_evidence(scores, offset, self._classifier_of(current).folder)
            self._tables.clear()
            self._evidence = current.folder.name, evidence, scores
        return self._evidence[1], self._evidence[2]

    def _classifier_of(self, current: Artifact) -> Artifact:
        model = current.manifest.inputs.get("classifier.model")
        found = [each for each in self._classifiers.all() if each.manifest.outputs.get("model") == model]
        if not found:
            raise UserError("the classifier of this filter was deleted, and with it the evidence; run the filter again")
        return found[-1]


def threshold_filter(index: PictureIndex) -> Artifact:
    """The current filter; raises `UserError` if there is none with a threshold."""
    if index.filter is None:
        raise UserError("there is no filter yet: label some squares and update the filter")
    if index.threshold is None:
        raise UserError("this filter keeps every square, so it has no threshold; choose filter.method = cnn")
    return index.filter


def stage_row(index: PictureIndex) -> ThresholdRow:
    """The row of the threshold that the filter uses now, from its own summary."""
    return row_of_summary(threshold_filter(index).manifest.summary, _count_on(each.score for each in index.pictures))


def _table(current: Artifact, evidence: "Evidence", scores: Sequence[Score], band: float) -> dict[str, Any]:
    from pipeline.filter.threshold_table import threshold_table, with_stage_row

    table = threshold_table(evidence, scores, band)
    if abs(float(current.manifest.options.get("unsure", -1)) - band) < 1e-9:
        own = row_of_summary(current.manifest.summary, _count_on(scores))
        table = with_stage_row(table, own)
        if all(row.threshold != own.threshold for row in table):  # a person chose it, between two steps
            table = sorted([*table, own], key=lambda row: row.threshold)
    return {"filter": current.folder.name, "band": band, "rows": [asdict(row) for row in table]}


def _count_on(scores: Any) -> int:
    return sum(score is not None and score.label == "on" for score in scores)


def squares_near(index: PictureIndex, band: float, step: float) -> list[list[Any]]:
    """Every square that is among the nearest of some threshold on one side, by score; rows of `FIELDS`.

    Args:
        index: The index.
        band: The distance from the threshold within which a square is borderline.
        step: The distance between thresholds.
    """
    scored = sorted((each for each in index.pictures if each.probability is not None), key=_by_score)
    scores = np.array([each.probability for each in scored], float)
    chosen: set[int] = set()
    for threshold in np.arange(0, 1 + step / 2, step):
        for edge in (threshold - band, threshold, threshold + band):
            middle = int(np.searchsorted(scores, edge - 1e-9))
            chosen.update(range(max(0, middle - SIDE_TILES), min(len(scored), middle + SIDE_TILES)))
    return [_square_row(scored[position]) for position in sorted(chosen)]


def _by_score(square: IndexedSquare) -> tuple[float, str]:
    return square.probability or 0.0, square.id


def _square_row(square: IndexedSquare) -> list[Any]:
    label = square.score.label if square.score else None
    return [square.id, square.version, square.probability, label, square.title[:80]]
