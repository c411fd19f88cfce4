"""What all pages share: the datasets, who may send requests, and what is held in memory of each dataset."""

import threading
from collections import OrderedDict
from contextlib import suppress

import numpy as np
from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.images.png import decode_png
from pipeline.option_types import nearest
from pipeline.web.chain.chain_reader import ChainReader, ChainReaders
from pipeline.web.dataset_paths import DatasetPaths, Site
from pipeline.web.datasets.dataset_cards import DatasetCards
from pipeline.web.drawing.sample_drawer import Latent, SampleDrawer
from pipeline.web.event_stream import EventStreams
from pipeline.web.jobs.job_queue import JobQueue
from pipeline.web.labelling.dataset_view import DatasetView
from pipeline.web.races.race_desk import RaceDesk
from pipeline.web.races.tile_painter import Draw
from pipeline.web.security import AccessRules
from pipeline.web.stylizing.style_queue import StyleQueue

MAX_OPEN = 4  # datasets whose squares are held in memory: some 150 MB for 100,000 squares


class Studio:
    """One server's datasets."""

    def __init__(self, site: Site, access_rules: AccessRules, *, draw: Draw | None = None) -> None:
        self.site = site
        self.access_rules = access_rules
        self.sampling = SampleDrawer(site.command)
        self.races = RaceDesk(site.data / ".races", paths=self.paths, draw=draw or self._draw)
        self.jobs = JobQueue(site)
        self.styles = StyleQueue(site)
        self.streams = EventStreams()
        self.closing = threading.Event()  # the server shuts down: streams end
        self.cards = DatasetCards(self.jobs)
        self._chains = ChainReaders(site, self.jobs.run_status, lambda paths: self.cards.card(paths).next)
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

    def chain(self, dataset: str) -> ChainReader:
        """The stages of an existing dataset; status 404 for any other name."""
        return self._chains.of(self.paths(dataset))

    def shut_down(self) -> None:
        """End what is open, as the server shuts down; called by its event loop."""
        self.closing.set()
        self.streams.close()

    def close(self, dataset: str) -> None:
        """Hold nothing of `dataset` in memory any more: it is not on the list."""
        with self._lock:
            self._open.pop(dataset, None)

    def preload(self, dataset: str) -> None:
        """Load what the label page of `dataset` needs, in a thread while the browser starts."""
        threading.Thread(target=self._preload, args=(dataset,), daemon=True, name="warm").start()

    def _preload(self, dataset: str) -> None:
        with suppress(UserError, OSError, HTTPException):  # the page shows what is wrong
            dataset_view = self.view(dataset)
            dataset_view.suggestions.features(dataset_view.index())

    def _draw(self, *, dataset: str, key: str, seed: int, count: int) -> list[np.ndarray]:
        """Samples (H, W, C) uint8 of a training, by the sampler."""
        paths = self.paths(dataset)
        latents = [Latent(seed=seed, number=number) for number in range(count)]
        self.sampling.draw(paths, key, latents[0], count)
        files = [self.sampling.find(paths, key, latent) for latent in latents]
        if None in files:  # of a cache that is too small, or was deleted meanwhile
            raise UserError("the samples of a tile are not there any more; draw it again")
        return [decode_png(file.read_bytes()) for file in files if file]
