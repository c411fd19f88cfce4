"""One crawl over all its sources: what they share, what each gave, and what a person should know of it."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlsplit

from pipeline.callbacks import Progress, ShouldStop
from pipeline.crawl.answer import Fault
from pipeline.crawl.archive import Archive
from pipeline.crawl.crawler import PictureCrawler
from pipeline.crawl.fetch import Fetcher
from pipeline.crawl.ledger import Ledger
from pipeline.crawl.raw import RawStore
from pipeline.crawl.sources.chosen import chosen
from pipeline.crawl.sources.source import Source
from pipeline.errors import Stopped
from pipeline.options import DownloadOptions


class Crawl:
    """The sources of `options`, crawled in turn until the limit is reached or all have run dry."""

    def __init__(self, options: DownloadOptions, *, store: RawStore, archive: Archive) -> None:
        self.options = options
        self.store = store
        self.archive = archive
        self.fetcher = Fetcher(options)
        self.ledger = Ledger(options.limit)
        self.pages: Counter[str] = Counter()
        self.notices: list[str] = []

    def run(self, progress: Progress, should_stop: ShouldStop) -> None:
        """Crawl; raise `Stopped` when asked to, after all threads have ended."""
        try:
            with closing(chosen(self.options)) as sources:
                for source in sources:
                    self._crawl(source, progress, should_stop)
                    if self.ledger.full:
                        return
        except KeyboardInterrupt:
            raise Stopped("the crawl was interrupted; what it fetched is kept") from None
        finally:
            self.fetcher.close()

    def _crawl(self, source: Source, progress: Progress, should_stop: ShouldStop) -> None:
        before = len(self.ledger.entries)
        crawler = PictureCrawler(
            source, fetcher=self.fetcher, ledger=self.ledger, archive=self.archive, store=self.store
        )
        crawler.crawl(self._poll(source, progress, should_stop))
        self.pages[source.engine] += crawler.parser.pages
        self.notices += notices(source, crawler.parser.faults, len(self.ledger.entries) - before)
        if crawler.parser.pages + len(crawler.parser.faults) >= self.options.pages and not self.ledger.full:
            self.notices.append(f"{named(source)}: left off after {self.options.pages} pages; set pages for more")

    def _poll(self, source: Source, progress: Progress, should_stop: ShouldStop) -> Callable[[], None]:
        def poll() -> None:
            if should_stop():
                raise Stopped("the crawl was stopped; what it fetched is kept")
            done = len(self.ledger.outcomes)
            progress(done, self.options.limit, f"{named(source)}: {self.ledger.saved} saved")

        return poll


def named(source: Source) -> str:
    """A source and its query, for a person."""
    return f"{source.engine} '{source.query}'" if source.query else source.engine


def notices(source: Source, faults: list[tuple[str, Fault]], found: int) -> list[str]:
    """What a person should know of a source that did not go well, a line for each kind of trouble."""
    if not found and not faults:
        return [f"{named(source)}: no pictures there"]
    by_reason: dict[str, list[str]] = {}
    for address, fault in faults:
        by_reason.setdefault(fault.reason, []).append(address)
    return [
        f"{named(source)}: {len(pages)} page{'s' * (len(pages) > 1)} not read: {reason} ({_place(source, pages[0])})"
        for reason, pages in sorted(by_reason.items())
    ]


def _place(source: Source, address: str) -> str:
    parts = urlsplit(source.name_of(address))
    return parts.netloc + parts.path
