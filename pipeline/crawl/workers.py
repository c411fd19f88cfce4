"""icrawler's feeder, parser and downloader, with what loses pictures replaced.

They end when the stage before them has ended and nothing is left in between, never by a timeout; an error that is no
expected fault is kept for the crawler to raise, instead of ending one thread unheard.
"""

import queue
from collections.abc import Iterator
from typing import Any

from icrawler import Downloader, Feeder, Parser

from pipeline.crawl import outcome as outcomes
from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.archive import Archive
from pipeline.crawl.ledger import Entry, Ledger
from pipeline.crawl.outcome import Candidate, Outcome
from pipeline.crawl.sources.source import Source

POLL = 0.02  # seconds between looks at whether the stage before has ended


class _Worker:
    """What the three have in common. Their icrawler `session` is a `Fetcher`."""

    def worker_exec(self) -> None:
        """Work until there is no more to do; the crawler raises what this thread meets."""
        try:
            self.work()
        except Exception as error:
            self.signal.set(crash=error)

    def items(self, end: str) -> Iterator[Any]:
        """What comes through the queue, until the signal `end` says that no more is put and all is taken."""
        while not self.session.stopping.is_set():
            ended = self.signal.get(end)  # asked before the queue is: the last item might come in between
            try:
                yield self.in_queue.get(timeout=POLL)
            except queue.Empty:
                if ended:
                    return


class PictureFeeder(_Worker, Feeder):
    """Hands over the first page of a source."""

    def __init__(self, *pool: Any, source: Source) -> None:
        super().__init__(*pool)
        self.source = source

    def work(self) -> None:
        """Feed, once."""
        self.output(self.source.start())


class PictureParser(_Worker, Parser):
    """Reads the pages of a source breadth first, enters what they show and hands it over.

    One thread alone: the order in which pages are read gives the pictures their ranks.
    """

    def __init__(self, *pool: Any, source: Source, ledger: Ledger, pages: int) -> None:
        super().__init__(*pool)
        self.source = source
        self.ledger = ledger
        self.most = pages
        self.pages = 0
        self.faults: list[tuple[str, Fault]] = []

    def work(self) -> None:
        """Read pages until none is left, or enough pictures have been entered."""
        for address in self.items("feeder_exited"):
            self.read(address)
            if self.ledger.full or self.pages + len(self.faults) >= self.most:
                return

    def read(self, address: str) -> None:
        """Read one page; its links go to the end of the queue that it came from."""
        page = self.source.read(address, self.session)
        if isinstance(page, Fault):
            self.faults.append((address, page))
            return
        self.pages += 1
        for candidate in page.candidates:
            self.enter(candidate)
        for link in page.links:
            self.in_queue.put(link)

    def enter(self, candidate: Candidate) -> None:
        """Enter a candidate and hand it over, however long there is no room for it."""
        entry = self.ledger.take(candidate, engine=self.source.engine, query=self.source.query)
        while entry is not None and not self.session.stopping.is_set():
            try:
                self.output(entry.task(), timeout=POLL)
            except queue.Full:
                continue
            return


class PictureDownloader(_Worker, Downloader):
    """Fetches pictures, stores their bytes, commits their outcomes."""

    def __init__(self, *pool: Any, source: Source, ledger: Ledger, archive: Archive) -> None:
        super().__init__(*pool)
        self.source = source
        self.ledger = ledger
        self.archive = archive

    def work(self) -> None:
        """Download until no more can come."""
        for task in self.items("parser_exited"):
            self.download(task)
            self.process_meta(task)

    def download(self, task: dict[str, Any]) -> bool:
        """Settle one task from the archive or from its source; true if there is a picture.

        Adds to the task what icrawler's own does, and the outcome.
        """
        entry: Entry = task["entry"]
        outcome = self.remembered(entry) or self.fetched(entry)
        saved = outcome is not None and outcome.outcome == "saved"
        task.update(outcome=outcome, success=saved, filename=outcome.file if saved else None)
        with self.lock:
            self.fetched_num += saved
        return saved

    def process_meta(self, task: dict[str, Any]) -> None:
        """Enter the outcome, of successes and failures alike; a task that the stop cut short stays open."""
        if task["outcome"] is not None:
            self.ledger.settle(task["entry"], task["outcome"])

    def remembered(self, entry: Entry) -> Outcome | None:
        """The outcome in the archive, if it still holds and its picture is whole."""
        known = self.archive.get(entry.candidate.url) if self.source.remembered else None
        if known is None or not outcomes.still_holds(known, self.source.options.max_bytes):
            return None
        return known if known.outcome != "saved" or self.storage.exists(known.file) else None

    def fetched(self, entry: Entry) -> Outcome | None:
        """The outcome of asking the source; None if the crawl was stopped meanwhile."""
        answer = self.source.fetch(entry.candidate, self.session)
        if self.session.stopping.is_set() and isinstance(answer, Fault):
            return None
        outcome = outcomes.of_body(answer) if isinstance(answer, Body) else outcomes.of_fault(answer)
        if isinstance(answer, Body) and outcome.outcome == "saved":
            self.storage.keep(outcome, answer.data)
        self.archive.put(entry.candidate.url, outcome)
        return outcome
