"""icrawler's feeder, parser and downloader, with what loses pictures replaced.

They end when the stage before them has ended and nothing is left in between, never by a timeout; an error that is no
expected fault is kept for the crawler to raise, instead of ending one thread unheard.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from icrawler import Downloader, Feeder, Parser

from pipeline.crawl import outcome as outcomes
from pipeline.crawl.answer import Body, Fault
from pipeline.crawl.archive import Archive, Unfit
from pipeline.crawl.errand import Errand
from pipeline.crawl.ledger import Entry, Ledger
from pipeline.crawl.outcome import Outcome
from pipeline.crawl.queues import END, Task
from pipeline.crawl.raw import Unwritable
from pipeline.crawl.reading import Reading, order
from pipeline.crawl.sources.source import Source
from pipeline.errors import DamagedState
from pipeline.options import DownloadOptions

# These end the crawl: what comes next would not be kept either. Anything else is the trouble of one URL.
OURS = (Unwritable, sqlite3.OperationalError, DamagedState)


class _Worker:
    """What the three have in common. Their icrawler `session` is a `Fetcher`."""

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

    def __init__(self, *pool: Any, options: DownloadOptions, ledger: Ledger, archive: Archive) -> None:
        super().__init__(*pool)
        self.options = options
        self.ledger = ledger
        self.archive = archive
        self.readings: list[Reading] = []
        self.asked = 0  # pictures that servers are asked for

    def work(self) -> None:
        """Read until enough pictures have been entered or no page is left; then add what earlier crawls found."""
        self.readings = [Reading(source, most=self.options.pages) for source in iter(self.in_queue.get, END)]
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
        errand = Errand("", source.ask(entry.candidate)) if known else source.errand(entry.candidate)
        return {"file_url": url, "entry": entry, "known": known, "errand": errand}


class PictureDownloader(_Worker, Downloader):
    """Fetches pictures, stores their bytes, commits their outcomes."""

    def __init__(self, *pool: Any, options: DownloadOptions, ledger: Ledger, archive: Archive) -> None:
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
        task.update(outcome=outcome, success=saved, filename=outcome.file if saved else None)
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
        return self.received(answer) if isinstance(answer, Body) else outcomes.of_fault(answer)

    def received(self, body: Body) -> Outcome:
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
