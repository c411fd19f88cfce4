"""The crawler: read the sources into the frontier, send its entries to lanes, and record the outcomes.

icrawler's feeder passes the sources to the parser, and the parser reads their pages and adds pictures to the frontier.
The thread that calls `crawl` moves entries from there to the lanes, and their outcomes into archive and frontier. A
lane is the downloaders of this process, or a worker process.
"""

import queue
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import takewhile
from typing import Any

from icrawler import Feeder, Parser

from pipeline.crawl import outcome as outcomes
from pipeline.crawl.crawl_threads import (
    FATAL_ERRORS,
    POLL_SECONDS,
    CrawlThread,
    StoppableCrawler,
    fault_of_unexpected,
    new_task,
)
from pipeline.crawl.dispatch import Dispatcher, Event, Lane, Sent
from pipeline.crawl.frontier import LOCAL, Entry, Frontier
from pipeline.crawl.host_queue import END, HostQueue
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Outcome
from pipeline.crawl.reader import Reader, order
from pipeline.crawl.sources.base import Source
from pipeline.crawl.storage import PictureStorage
from pipeline.crawl.url_archive import UnwritableRow, UrlArchive
from pipeline.crawl.worker_lanes import WorkerLanes
from pipeline.options import DownloadOptions

FILE_READERS = 8  # threads


class LocalLane(Lane):
    """The downloaders of this process."""

    def __init__(self, connections: int, tasks: HostQueue) -> None:
        super().__init__(LOCAL, connections)
        self.tasks = tasks

    def put(self, entries: list[Sent]) -> None:
        """Queue the tasks of these entries."""
        for sent in entries:
            fetch = sent.entry.source.fetch
            self.tasks.put(new_task(sent.entry.number, sent.request, archived=sent.archived, fetch=fetch))


class PictureCrawler(StoppableCrawler):
    """A crawl of `sources`; each object runs one. Worker processes fetch if the frontier has lanes for them."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        http_client: HttpClient,
        frontier: Frontier,
        archive: UrlArchive,
        storage: PictureStorage,
    ) -> None:
        self.frontier, self.archive = frontier, archive
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        options = http_client.options
        # Beside worker processes this one reads only files of this machine
        connections = min(options.connections, FILE_READERS) if frontier.lanes else options.connections
        super().__init__(
            http_client=http_client,
            storage=storage,
            connections=connections,
            feeder=(PictureFeeder, {"sources": sources}),
            parser=(PictureParser, {"options": options, "frontier": frontier, "archive": archive}),
            downloads={
                "report": lambda number, outcome: self.events.put(Event(LOCAL, "done", [(number, outcome)])),
                "hand_over": lambda task: False,
                "at_work": [0] * connections,
            },
        )
        self.local = LocalLane(connections, self.downloader.in_queue)
        self.workers = WorkerLanes(frontier.lanes, http_client, storage.root, self.events)
        self.lanes: list[Lane] = [self.local, *self.workers.lanes]
        self.dispatcher = Dispatcher(frontier, archive, self.lanes, self.workers.shared)

    def crawl(self, poll: Callable[[], None], **_: Any) -> None:
        """Run the crawl to its end.

        Args:
            poll: called up to 50 times a second; an exception that it raises stops all threads and is raised here.
        """
        try:
            self.workers.start()
            self.start_threads()
            while self._is_at_work():
                self.check_threads()
                poll()
                self.workers.check()
                self._take_events()
                self.archive.flush(all_rows=False)
                self.dispatcher.fill()
            self.check_threads()
            self.downloader.in_queue.close()
            self.workers.end(self._take)
            poll()
        except BaseException:
            self.stop_threads()
            raise

    def stop_threads(self) -> None:
        """Stop every thread and process, and record what they have fetched."""
        try:
            self.workers.ask_to_stop()
            super().stop_threads()
            self.workers.stop(self._take)
            self._take_all()
        finally:
            self.workers.kill()
        self.archive.flush()

    def _is_at_work(self) -> bool:
        """Whether any entry has no outcome yet, or the sources may have more."""
        # In this order: when the parser has ended, `found` is final
        return self.parser.is_alive() or self.frontier.settled < self.frontier.found

    def _take_events(self) -> None:
        """Handle what has happened, after a moment: to wake up for each event would take the GIL from downloaders."""
        time.sleep(POLL_SECONDS)
        self._take_all()

    def _take_all(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._take(self.events.get_nowait())

    def _take(self, event: Event) -> None:
        if event.kind != "done":
            self.workers.handle(event)
            return
        for number, outcome in event.value:
            if sent := self.lanes[event.lane].settle(number):
                self._record(sent, outcome)

    def _record(self, sent: Sent, outcome: Outcome) -> None:
        """Record an outcome in the archive and the frontier. One that cannot be written fails its URL only.

        The archive is for URLs of the web: a copy on this disk may have the URL of its original.
        """
        url, number = sent.entry.candidate.url, sent.entry.number
        if not sent.entry.source.uses_archive or outcome == sent.archived:
            self.frontier.settle(number, outcome)
            return
        try:
            self.archive.put(url, outcome)
        except FATAL_ERRORS:
            raise
        except Exception as error:
            outcome = outcomes.of_fault(fault_of_unexpected(error))
            with suppress(UnwritableRow):  # images.jsonl contains the outcome in any case
                self.archive.put(url, outcome)
        self.frontier.settle(number, outcome)


class PictureFeeder(CrawlThread, Feeder):
    """Passes the sources to the parser, in the order of the option `sources`."""

    def __init__(self, *pool: Any, sources: Sequence[Source]) -> None:
        super().__init__(*pool)
        self.sources = sources

    def work(self) -> None:
        """Put every source into the queue, then `END`."""
        for source in [*self.sources, END]:
            self.output(source)


class PictureParser(CrawlThread, Parser):
    """Reads the pages of the sources and adds the pictures on them to the frontier.

    There is one parser thread, because the order in which pages are read determines the rank of each picture.
    """

    def __init__(self, *pool: Any, options: DownloadOptions, frontier: Frontier, archive: UrlArchive) -> None:
        super().__init__(*pool)
        self.options = options
        self.frontier = frontier
        self.archive = archive
        self.readers: list[Reader] = []
        self.requested = 0  # pictures for which a request is sent

    def work(self) -> None:
        """Read pages until the frontier is full or no page is left; then add pictures that earlier crawls found."""
        self.readers = [Reader(source, max_pages=self.options.pages) for source in iter(self.in_queue.get, END)]
        for reader, candidate in order(self.options.mixed)(self.readers, self.session):
            if entry := self.frontier.entry_for(candidate, reader.source):
                self.add(entry)
            if self.frontier.full or self.session.stopping.is_set():
                break
        for reader in self.readers:
            self.add_from_archive(reader.source)
        for reader in self.readers:
            self.count_left_out(reader)

    def add_from_archive(self, source: Source) -> None:
        """Add the pictures that earlier crawls of the same query found and this crawl did not: a dataset only grows."""
        for find in self.archive.finds(source, self.options.limit) if source.grows else ():
            if not self.session.stopping.is_set() and (
                entry := self.frontier.earlier_entry_for(find.candidate, source, find.rank)
            ):
                self.add(entry, may_request=self.requested < self.options.limit)

    def count_left_out(self, reader: Reader) -> None:
        """Count what a list or a folder has beyond the limit; a search always has more results."""
        if not reader.source.grows:
            candidates = reader.remaining()
            self.frontier.leave_out(takewhile(lambda _: not self.session.stopping.is_set(), candidates), reader.source)

    def add(self, entry: Entry, *, may_request: bool = True) -> None:
        """Add an entry to the frontier; an unexpected error becomes the outcome of its URL."""
        try:
            archived = self._has_valid_outcome(entry, may_request)
            self.requested += not archived
            if entry.source.grows:
                self.archive.put_find(entry, self.options.limit)
        except FATAL_ERRORS:
            raise
        except Exception as error:
            self.frontier.append(entry, outcomes.of_fault(fault_of_unexpected(error)))
        else:
            self.frontier.append(replace(entry, archived=archived))

    def _has_valid_outcome(self, entry: Entry, may_request: bool) -> bool:
        """Whether an earlier crawl has an outcome of the entry's URL that is still valid."""
        archived = self.archive.get(entry.candidate.url) if entry.source.uses_archive else None
        return archived is not None and (not may_request or outcomes.is_still_valid(archived, self.options))
