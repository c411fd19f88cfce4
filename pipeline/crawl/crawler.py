"""All sources crawled by icrawler: its threads started, watched and ended without idle waits."""

import logging
import queue
import time
from collections.abc import Callable, Sequence
from typing import Any

from icrawler import Crawler

from pipeline.crawl.archive import Archive
from pipeline.crawl.fetch import Fetcher
from pipeline.crawl.ledger import Ledger
from pipeline.crawl.queues import HostQueue
from pipeline.crawl.raw import RawStore
from pipeline.crawl.sources.source import Source
from pipeline.crawl.workers import PictureDownloader, PictureFeeder, PictureParser

POLL = 0.02  # seconds between looks at the threads
LAST_WAIT = 1.5  # seconds for threads to end after a stop; one may hang in a look-up of a name, which cannot be cut


class PictureCrawler(Crawler):
    """A crawler of `sources`, used once."""

    def __init__(
        self, sources: Sequence[Source], *, fetcher: Fetcher, ledger: Ledger, archive: Archive, store: RawStore
    ) -> None:
        self.fetcher = fetcher
        shared = {"options": fetcher.options, "ledger": ledger, "archive": archive}
        super().__init__(
            feeder_cls=PictureFeeder,
            parser_cls=PictureParser,
            downloader_cls=PictureDownloader,
            downloader_threads=fetcher.options.connections,
            storage=store,
            extra_feeder_args={"sources": sources},
            extra_parser_args=shared,
            extra_downloader_args=shared,
        )
        self.feeder.out_queue = self.parser.in_queue = queue.Queue()
        self.parser.out_queue = self.downloader.in_queue = HostQueue(fetcher.hosts)

    def set_logger(self, log_level: int = logging.WARNING) -> None:
        """Leave the console and the root logger alone, which icrawler's own sets up for itself."""
        self.logger = logging.getLogger(__name__)

    def set_session(self, headers: dict[str, str] | None = None) -> None:
        """Give the stages the fetcher for a session."""
        self.session = self.fetcher

    def crawl(self, poll: Callable[[], None], **_: Any) -> None:
        """Crawl to the end, calling `poll` many times a second; what it raises ends the crawl and all threads."""
        self.signal.reset()
        for stage in (self.feeder, self.parser, self.downloader):
            stage.start()
        try:
            while workers := [worker for worker in self.downloader.workers if worker.is_alive()]:
                self.look()
                poll()
                workers[0].join(POLL)
            self.look()
        except BaseException:
            self.end()
            raise

    def look(self) -> None:
        """Cut what takes too long, raise what a thread met."""
        self.fetcher.watch.cut_overdue()
        if crash := self.signal.get("crash"):
            raise crash

    def end(self) -> None:
        """Stop every thread: requests are cut, waits are broken off."""
        self.fetcher.stop()
        self.downloader.in_queue.stop()
        until = time.monotonic() + LAST_WAIT
        for worker in self.feeder.workers + self.parser.workers + self.downloader.workers:
            while worker.is_alive() and time.monotonic() < until:
                self.fetcher.watch.cut_all()
                worker.join(POLL)
