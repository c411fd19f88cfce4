"""What to label next: a batch that stays as it is while somebody works through it."""

import threading
from collections.abc import Mapping

import numpy as np

from pipeline.errors import DamagedState
from pipeline.filter.scores import read_features, read_scores
from pipeline.labels.suggest import Suggestion, coarse_features, suggest
from pipeline.web.picture_index import Catalogue

PATIENCE = 1.5  # seconds for a first glance, enough for some thousand squares; longer and the page would seem stuck
DIMENSIONS = 64  # are enough to tell near from far (Johnson and Lindenstrauss), and keep 20,000 pictures quick


class Suggestions:
    """Suggestions for one dataset. What pictures look like is found out aside; no page waits for it long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[str, np.ndarray | None] = ("", None)
        self._under_way = ""
        self._worker: threading.Thread | None = None

    def next(self, catalogue: Catalogue, labels: Mapping[str, str], count: int) -> list[Suggestion]:
        """Up to `count` unlabelled pictures, the most useful first."""
        ids = [picture.id for picture in catalogue.pictures]
        scores = {each.id: each.probability for each in catalogue.pictures if each.probability is not None}
        features = self.features(catalogue)
        return suggest(ids, labels=labels, scores=scores or None, features=features, count=count) if ids else []

    def features(self, catalogue: Catalogue) -> np.ndarray | None:
        """What likeness is measured by, a row a picture of `catalogue`; None while it is not known yet."""
        with self._lock:
            if self._under_way != catalogue.generation and catalogue.pictures:
                self._begin(catalogue)
            worker = self._worker
        if worker:
            worker.join(PATIENCE)
        with self._lock:
            generation, found = self._known
            return found if generation == catalogue.generation else None

    def _begin(self, catalogue: Catalogue) -> None:
        """Take the filter's features, one small file, or else begin to look at every square."""
        self._under_way, self._worker = catalogue.generation, None
        if (found := _of_filter(catalogue)) is not None:
            self._known = (catalogue.generation, found)
            return
        self._worker = threading.Thread(target=self._look, args=(catalogue,), daemon=True, name="glance")
        self._worker.start()

    def wait(self) -> None:
        """Until the pictures have been looked at."""
        if self._worker:
            self._worker.join()

    def _look(self, catalogue: Catalogue) -> None:
        squares = catalogue.squares
        files = [squares / picture.square for picture in catalogue.pictures] if squares else []
        found = coarse_features(files)
        with self._lock:
            if self._under_way == catalogue.generation:
                self._known = (catalogue.generation, found)


def _of_filter(catalogue: Catalogue) -> np.ndarray | None:
    """The filter's own features in the order of the catalogue; None if it left none for just these pictures."""
    if catalogue.filter is None:
        return None
    try:
        found, scores = read_features(catalogue.filter.folder), read_scores(catalogue.filter.folder)
    except (DamagedState, OSError, ValueError, TypeError):
        return None
    rows = {score.id: row for row, score in enumerate(scores)}
    if found is None or len(found) != len(rows) or not all(each.id in rows for each in catalogue.pictures):
        return None
    return reduced(found[[rows[picture.id] for picture in catalogue.pictures]])


def reduced(features: np.ndarray) -> np.ndarray:
    """`features`, (N, D), with at most `DIMENSIONS` columns between which distances are about the same."""
    if features.shape[1] <= DIMENSIONS:
        return features.astype(np.float32)
    turns = np.random.default_rng(0).standard_normal((features.shape[1], DIMENSIONS), np.float32) / DIMENSIONS**0.5
    return features.astype(np.float32) @ turns
