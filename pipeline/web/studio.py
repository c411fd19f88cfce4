"""What all pages share: the datasets, who may send requests, and what is held in memory of each dataset."""

import threading
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.option_types import nearest
from pipeline.web.dataset_paths import DatasetPaths, Site
from pipeline.web.labelling.dataset_view import DatasetView
from pipeline.web.races.race_desk import RaceDesk
from pipeline.web.races.tile_painter import Draw
from pipeline.web.security import AccessRules

MAX_OPEN = 4  # datasets whose squares are held in memory: some 150 MB for 100,000 squares


class Studio:
    """One server's datasets."""

    def __init__(self, site: Site, access_rules: AccessRules, *, draw: Draw | None = None) -> None:
        self.site = site
        self.races = RaceDesk(site.data / ".races", paths=self.paths, draw=draw or _no_sampler)
        self.access_rules = access_rules
        self._open: OrderedDict[str, DatasetView] = OrderedDict()
        self._lock = threading.Lock()

    def paths(self, dataset: str) -> DatasetPaths:
        """The folders of an existing dataset; status 404 for any other name."""
        if dataset not in (names := self.site.datasets()):
            advice = nearest(dataset, names) if names else "nothing has run yet"
            raise HTTPException(404, f"there is no such dataset; {advice}")
        return self.site.paths(dataset)

    def view(self, dataset: str) -> DatasetView:
        """The squares and labels of an existing dataset; status 404 for any other name."""
        paths = self.paths(dataset)
        with self._lock:
            if dataset not in self._open:
                self._open[dataset] = DatasetView(paths, self.site.command)
            self._open.move_to_end(dataset)
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
            return self._open[dataset]

    def preload(self, dataset: str) -> None:
        """Load what the label page of `dataset` needs, in a thread while the browser starts."""
        threading.Thread(target=self._preload, args=(dataset,), daemon=True, name="warm").start()

    def _preload(self, dataset: str) -> None:
        with suppress(UserError, OSError, HTTPException):  # the page shows what is wrong
            dataset_view = self.view(dataset)
            dataset_view.suggestions.features(dataset_view.index())


def _no_sampler(*, dataset: str, key: str, seed: int, count: int) -> list[Any]:
    raise UserError("this server has no sampler, so it cannot draw tiles")
