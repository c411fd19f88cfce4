"""The crawler: icrawler's feeder, parser and downloader threads, started, watched and ended.

icrawler's own threads end by a timeout and lose pictures. These end when the stage before them has ended and nothing is
left in the queue. An unexpected error in a thread is kept for the crawler to raise.
"""

import logging
import queue
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from icrawler import Crawler, Downloader, Feeder, Parser

from pipeline.crawl import outcome as outcomes
from pipeline.crawl.frontier import Entry, Frontier
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Outcome
from pipeline.crawl.rate_limit import END, HostQueue, Task
from pipeline.crawl.reader import Reader, order
from pipeline.crawl.request import Fault, Request, Response
from pipeline.crawl.sources.base import Source
from pipeline.crawl.storage import PictureStorage, Unwritable
from pipeline.crawl.url_archive import Unfit, UrlArchive
from pipeline.errors import DamagedState
from pipeline.options import DownloadOptions

POLL = 0.02  # seconds between looks at the threads
LAST_WAIT = 1.5  # seconds for threads to end after a stop; one may hang in a look-up of a name, which cannot be cut


class PictureCrawler(Crawler):
    """A crawler of `sources`, used once."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        fetcher: HttpClient,
        ledger: Frontier,
        archive: UrlArchive,
        store: PictureStorage,
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


# These end the crawl: what comes next would not be kept either. Anything else is the trouble of one URL.
OURS = (Unwritable, sqlite3.OperationalError, DamagedState)


class _Worker:
    """What the three have in common. Their icrawler `session` is a `Fetcher`."""

    work: Callable[..., None]
    signal: Any  # icrawler's

    def worker_exec(self) -> None:
        """Work until there is no more to do; the crawler raises what this thread meets."""
        try:
            self.work()
        except Exception as error:
            self.signal.set(crash=error)


class PictureFeeder(_Worker, Feeder):
    """Hands over the sources, in the order in which the user named them."""

    def __init__(self, *pool: Any, sources: Sequence[Source]) -> None:
        super().__init__(*pool)
        self.sources = sources

    def work(self) -> None:
        """Feed."""
        for source in [*self.sources, END]:
            self.output(source)


class PictureParser(_Worker, Parser):
    """Reads the pages of the sources, enters what they show and hands it over.

    One thread alone: the order in which pages are read gives the pictures their ranks.
    """

    def __init__(self, *pool: Any, options: DownloadOptions, ledger: Frontier, archive: UrlArchive) -> None:
        super().__init__(*pool)
        self.options = options
        self.ledger = ledger
        self.archive = archive
        self.readings: list[Reader] = []
        self.asked = 0  # pictures that servers are asked for

    def work(self) -> None:
        """Read until enough pictures have been entered or no page is left; then add what earlier crawls found."""
        self.readings = [Reader(source, most=self.options.pages) for source in iter(self.in_queue.get, END)]
        for reading, candidate in order(self.options.mixed)(self.readings, self.session):
            if entry := self.ledger.take(candidate, reading.source):
                self.hand_over(entry)
            if self.ledger.full:
                break
        for reading in self.readings:
            self.add_earlier(reading.source)
        self.out_queue.close()

    def add_earlier(self, source: Source) -> None:
        """Enter what earlier crawls found for the same words and this one did not meet: a subject only grows."""
        for find in self.archive.finds(source, self.options.limit) if source.grows else ():
            if not self.session.stopping.is_set() and (entry := self.ledger.keep(find.candidate, source, find.rank)):
                self.hand_over(entry, may_ask=self.asked < self.options.limit)

    def hand_over(self, entry: Entry, *, may_ask: bool = True) -> None:
        """Give an entry to the downloaders; one that cannot be looked up or written down has failed by that."""
        try:
            self.output(self._task(entry, may_ask))
        except OURS:
            raise
        except Exception as error:
            self.ledger.settle(entry, outcomes.of_fault(unexpected(error)))

    def _task(self, entry: Entry, may_ask: bool) -> Task:
        """What is to be done, or what the archive knows if that still holds."""
        url, source = entry.candidate.url, entry.source
        known = self.archive.get(url) if source.remembered else None
        if known is not None and may_ask and not outcomes.still_holds(known, self.options):
            known = None
        self.asked += known is None
        if source.grows:
            self.archive.found(entry, self.options.limit)
        # What is known needs no turn at a host
        errand = Request("", source.ask(entry.candidate)) if known else source.errand(entry.candidate)
        return {"file_url": url, "entry": entry, "known": known, "errand": errand}


class PictureDownloader(_Worker, Downloader):
    """Fetches pictures, stores their bytes, commits their outcomes."""

    def __init__(self, *pool: Any, options: DownloadOptions, ledger: Frontier, archive: UrlArchive) -> None:
        super().__init__(*pool)
        self.options = options
        self.ledger = ledger
        self.archive = archive

    def work(self) -> None:
        """Download until no more can come."""
        while task := self.in_queue.get():
            host = task["errand"].host
            try:
                self.download(task)
            finally:
                self.session.hosts.end(host)
            if task["outcome"] is None and not self.session.stopping.is_set():
                self.in_queue.put_back(task)
            else:
                self.process_meta(task)
                self.in_queue.done()

    def download(self, task: Task) -> bool:
        """Bring one task a step on: settle it from the archive, or make one request; true if there is a picture now.

        Adds to the task what icrawler's own does, and the outcome; None if there is more to do.
        """
        outcome = self.remembered(task) if task["known"] else self.fetched(task)
        saved = outcome is not None and outcome.outcome == "saved"
        task.update(outcome=outcome, success=saved, filename=outcome.file if outcome is not None and saved else None)
        with self.lock:
            self.fetched_num += saved
        return saved

    def process_meta(self, task: Task) -> None:
        """Enter the outcome, of successes and failures alike; a task that the stop cut short stays open."""
        if task["outcome"] is not None:
            self.ledger.settle(task["entry"], task["outcome"])

    def remembered(self, task: Task) -> Outcome | None:
        """The outcome in the archive; None if its picture is not there or not whole: it has to be fetched again."""
        known: Outcome = task["known"]
        if known.outcome != "saved" or self.storage.exists(known.file):
            return known
        entry: Entry = task["entry"]
        task.update(known=None, errand=entry.source.errand(entry.candidate))
        return None

    def fetched(self, task: Task) -> Outcome | None:
        """The outcome after one request; None if it takes another one, or the crawl was stopped meanwhile.

        What nobody foresaw, be it an address, a file or a row that cannot be written, is the failure of this URL.
        """
        entry = task["entry"]
        try:
            outcome = self._settled(task)
            if outcome is not None:
                self.archive.put(entry.candidate.url, outcome)
        except OURS:
            raise
        except Exception as error:
            outcome = outcomes.of_fault(unexpected(error))
            with suppress(Unfit):  # it is in the manifest in any case
                self.archive.put(entry.candidate.url, outcome)
        return outcome

    def _settled(self, task: Task) -> Outcome | None:
        entry, errand = task["entry"], task["errand"]
        errand.ask = replace(errand.ask, receive=self.storage.receive)
        answer = entry.source.step(errand, self.session)
        if answer is None or (self.session.stopping.is_set() and isinstance(answer, Fault)):
            return None
        return self.received(answer) if isinstance(answer, Response) else outcomes.of_fault(answer)

    def received(self, body: Response) -> Outcome:
        """The outcome of a body, whose picture, if it is one, is in the store."""
        try:
            outcome = outcomes.of_body(body, self.options)
            if outcome.outcome == "saved":
                self.storage.keep(body.data, outcome.file)
        finally:
            body.data.discard()  # nothing is left of what was kept
        return outcome


def unexpected(error: Exception) -> Fault:
    """The fault of a URL that upset something; its text may quote a server, so that the kind alone is told."""
    return Fault(reason="row not writable" if isinstance(error, Unfit) else f"unexpected {type(error).__name__}")
