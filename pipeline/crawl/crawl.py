"""One crawl over all its sources: what they share, and what a person should know of it in the end."""

from collections import Counter

from pipeline.callbacks import Progress, ShouldStop
from pipeline.crawl.archive import Archive
from pipeline.crawl.crawler import PictureCrawler
from pipeline.crawl.fetch import Fetcher
from pipeline.crawl.ledger import Ledger
from pipeline.crawl.raw import RawStore
from pipeline.crawl.reading import Reading
from pipeline.crawl.sources.chosen import chosen
from pipeline.errors import Stopped
from pipeline.options import DownloadOptions


class Crawl:
    """The sources of `options`, crawled until the limit is reached or all have run dry."""

    def __init__(self, options: DownloadOptions, *, store: RawStore, archive: Archive) -> None:
        self.options = options
        self.store = store
        self.archive = archive
        self.fetcher = Fetcher(options)
        self.ledger = Ledger(options.limit)
        self.readings: list[Reading] = []

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Crawl; raise `Stopped` when asked to, after all threads have ended."""

        def poll() -> None:
            if should_stop():
                raise Stopped("the crawl was stopped; what it fetched is kept")
            total = max(self.options.limit, len(self.ledger.entries))
            progress(len(self.ledger.outcomes), total, f"{self.ledger.saved} saved")

        parts = {"fetcher": self.fetcher, "ledger": self.ledger, "archive": self.archive, "store": self.store}
        try:
            with chosen(self.options) as sources:
                crawler = PictureCrawler(sources, **parts)
                crawler.crawl(poll)
        except KeyboardInterrupt:
            raise Stopped("the crawl was interrupted; what it fetched is kept") from None
        finally:
            self.fetcher.close()
        self.readings = crawler.parser.readings

    @property
    def pages(self) -> Counter[str]:
        """How many pages were read of each source."""
        return sum((Counter({reading.source.engine: reading.pages}) for reading in self.readings), Counter())

    def notices(self) -> list[str]:
        """What a person should know: what went wrong with which source, and why there are fewer pictures than asked."""
        lines = [line for reading in self.readings for line in [*reading.notices(), *self._left_out(reading)]]
        found = len(self.ledger.entries) - self.ledger.earlier
        if found < self.options.limit:
            lines.append(f"asked for {found} pictures of at most {self.options.limit}: the sources had no more")
        if self.ledger.earlier:
            lines.append(f"{self.ledger.earlier} more that only earlier crawls found")
        return lines

    def _left_out(self, reading: Reading) -> list[str]:
        """Of a list or a folder all is expected to be taken; of a search there is always more."""
        if reading.source.grows:
            return []
        left = len(reading.shown.difference(entry.candidate.url for entry in self.ledger.entries)) + reading.more
        return [f"{reading.source.name}: the limit of {self.options.limit} leaves out {left}"] if left else []
