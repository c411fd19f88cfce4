"""What to label next: a batch of squares that does not change while somebody labels it."""

import threading
from collections.abc import Mapping

import numpy as np

from pipeline.errors import DamagedState
from pipeline.filter.scores import read_features, read_scores
from pipeline.labels.suggest import Suggester, Suggestion, coarse_features
from pipeline.web.labelling.picture_index import PictureIndex

MAX_WAIT = 1.5  # seconds for the first page: enough for some thousand squares, short enough not to seem stuck
MAX_DIMENSIONS = 64  # enough to preserve distances (Johnson and Lindenstrauss), and 50 MB for 200,000 squares


class Suggestions:
    """Suggestions for one dataset. Features are computed in a thread, and a page waits only briefly for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._computed: tuple[str, np.ndarray | None] = ("", None)
        self._computing = ""
        self._worker: threading.Thread | None = None
        self._turn = threading.Lock()  # one batch at a time
        self._suggester: tuple[tuple[str, bool], Suggester] | None = None  # what it is for, and itself

    def next(self, index: PictureIndex, labels: Mapping[str, str], count: int) -> list[Suggestion]:
        """Up to `count` unlabelled squares, the most useful first."""
        if not index.pictures:
            return []
        features = self.features(index)
        known = index.generation, features is not None
        with self._turn:
            if self._suggester is None or self._suggester[0] != known:
                self._suggester = known, _suggester(index, features)
            return self._suggester[1].suggest(labels, count)

    def features(self, index: PictureIndex) -> np.ndarray | None:
        """Features that compare squares, a row for each picture of `index`; None while they are not computed yet."""
        with self._lock:
            if self._computing != index.generation and index.pictures:
                self._start(index)
            worker = self._worker
        if worker:
            worker.join(MAX_WAIT)
        with self._lock:
            generation, found = self._computed
            return found if generation == index.generation else None

    def _start(self, index: PictureIndex) -> None:
        """Take the filter's features, one small file, or else start to compute them from every square."""
        self._computing, self._worker = index.generation, None
        if (found := _filter_features(index)) is not None:
            self._computed = (index.generation, found)
            return
        self._worker = threading.Thread(target=self._compute, args=(index,), daemon=True, name="features")
        self._worker.start()

    def wait(self) -> None:
        """Wait until the features are computed."""
        if self._worker:
            self._worker.join()

    def _compute(self, index: PictureIndex) -> None:
        squares = index.squares
        found = coarse_features([squares / picture.square for picture in index.pictures] if squares else [])
        with self._lock:
            if self._computing == index.generation:
                self._computed = (index.generation, found)


def _suggester(index: PictureIndex, features: np.ndarray | None) -> Suggester:
    scores = {each.id: each.probability for each in index.pictures if each.probability is not None}
    return Suggester([each.id for each in index.pictures], scores=scores or None, features=features)


def _filter_features(index: PictureIndex) -> np.ndarray | None:
    """The filter's features in the order of the index; None if it has none for exactly these squares."""
    if index.filter is None:
        return None
    try:
        found, scores = read_features(index.filter.folder), read_scores(index.filter.folder)
    except (DamagedState, OSError, ValueError, TypeError):
        return None
    rows = {score.id: row for row, score in enumerate(scores)}
    if found is None or len(found) != len(rows) or not all(each.id in rows for each in index.pictures):
        return None
    return project(found[[rows[picture.id] for picture in index.pictures]])


def project(features: np.ndarray) -> np.ndarray:
    """Project `features` (N, D) to at most `MAX_DIMENSIONS` columns with about the same distances (random
    projection)."""
    if features.shape[1] <= MAX_DIMENSIONS:
        return features.astype(np.float32)
    turns = (
        np.random.default_rng(0).standard_normal((features.shape[1], MAX_DIMENSIONS), np.float32) / MAX_DIMENSIONS**0.5
    )
    return features.astype(np.float32) @ turns
