"""The crawler: start, watch and stop icrawler's feeder, parser and downloader threads.

icrawler's own threads end by a timeout and can lose pictures. These threads end when the previous stage has ended and
its queue is empty. An unexpected error in a thread is stored, and the crawler raises it in the caller's thread.
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
from pipeline.crawl.request import Request, RequestFault, Response
from pipeline.crawl.sources.base import Source
from pipeline.crawl.storage import PictureStorage, StorageError
from pipeline.crawl.url_archive import UnwritableRow, UrlArchive
from pipeline.errors import DamagedState
from pipeline.options import DownloadOptions

POLL_SECONDS = 0.02  # between two checks of the threads
JOIN_SECONDS = 1.5  # for threads to end after a stop; a thread in a DNS lookup cannot be interrupted


class PictureCrawler(Crawler):
    """An icrawler `Crawler` of `sources`; each object runs one crawl."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        http_client: HttpClient,
        frontier: Frontier,
        archive: UrlArchive,
        storage: PictureStorage,
    ) -> None:
        self.http_client = http_client
        shared = {"options": http_client.options, "frontier": frontier, "archive": archive}
        super().__init__(
            feeder_cls=PictureFeeder,
            parser_cls=PictureParser,
            downloader_cls=PictureDownloader,
            downloader_threads=http_client.options.connections,
            storage=storage,
            extra_feeder_args={"sources": sources},
            extra_parser_args=shared,
            extra_downloader_args=shared,
        )
        self.feeder.out_queue = self.parser.in_queue = queue.Queue()
        self.parser.out_queue = self.downloader.in_queue = HostQueue(http_client.rate_limiter)

    def set_logger(self, log_level: int = logging.WARNING) -> None:
        """Use this module's logger; icrawler's own method configures the console and the root logger."""
        self.logger = logging.getLogger(__name__)

    def set_session(self, headers: dict[str, str] | None = None) -> None:
        """Give the threads the HTTP client as their icrawler session."""
        self.session = self.http_client

    def crawl(self, poll: Callable[[], None], **_: Any) -> None:
        """Run the crawl to its end.

        Args:
            poll: called about 50 times a second; an exception that it raises stops all threads and is raised here.
        """
        self.signal.reset()
        for stage in (self.feeder, self.parser, self.downloader):
            stage.start()
        try:
            while workers := [worker for worker in self.downloader.workers if worker.is_alive()]:
                self.check_threads()
                poll()
                workers[0].join(POLL_SECONDS)
            self.check_threads()
        except BaseException:
            self.stop_threads()
            raise

    def check_threads(self) -> None:
        """Cancel requests that are past their deadline; raise the error that a thread stored."""
        self.http_client.watchdog.cut_overdue()
        if crash := self.signal.get("crash"):
            raise crash

    def stop_threads(self) -> None:
        """Stop every thread: cancel its request or end its wait."""
        self.http_client.stop()
        self.downloader.in_queue.stop()
        deadline = time.monotonic() + JOIN_SECONDS
        for worker in self.feeder.workers + self.parser.workers + self.downloader.workers:
            while worker.is_alive() and time.monotonic() < deadline:
                self.http_client.watchdog.cut_all()
                worker.join(POLL_SECONDS)


# These errors end the crawl, because later pictures could not be stored either. Any other error fails one URL only.
FATAL_ERRORS = (StorageError, sqlite3.OperationalError, DamagedState)


class _Worker:
    """The common part of the three kinds of threads. Their icrawler `session` is an `HttpClient`."""

    work: Callable[..., None]
    signal: Any  # icrawler's

    def worker_exec(self) -> None:
        """Work until the queue ends; store an error for the crawler to raise."""
        try:
            self.work()
        except Exception as error:
            self.signal.set(crash=error)


class PictureFeeder(_Worker, Feeder):
    """Passes the sources to the parser, in the order of the option `sources`."""

    def __init__(self, *pool: Any, sources: Sequence[Source]) -> None:
        super().__init__(*pool)
        self.sources = sources

    def work(self) -> None:
        """Put every source into the queue, then `END`."""
        for source in [*self.sources, END]:
            self.output(source)


class PictureParser(_Worker, Parser):
    """Reads the pages of the sources, adds the pictures on them to the frontier and queues them for download.

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
            if entry := self.frontier.add(candidate, reader.source):
                self.enqueue(entry)
            if self.frontier.full:
                break
        for reader in self.readers:
            self.add_from_archive(reader.source)
        self.out_queue.close()

    def add_from_archive(self, source: Source) -> None:
        """Add the pictures that earlier crawls of the same query found and this crawl did not: a dataset only grows."""
        for find in self.archive.finds(source, self.options.limit) if source.grows else ():
            if not self.session.stopping.is_set() and (
                entry := self.frontier.add_earlier(find.candidate, source, find.rank)
            ):
                self.enqueue(entry, may_request=self.requested < self.options.limit)

    def enqueue(self, entry: Entry, *, may_request: bool = True) -> None:
        """Queue an entry for download; record an unexpected error as the outcome of its URL."""
        try:
            self.output(self._task(entry, may_request))
        except FATAL_ERRORS:
            raise
        except Exception as error:
            self.frontier.settle(entry, outcomes.of_fault(fault_of_unexpected(error)))

    def _task(self, entry: Entry, may_request: bool) -> Task:
        """The download task of an entry, with the archived outcome if that is still valid."""
        url, source = entry.candidate.url, entry.source
        archived = self.archive.get(url) if source.uses_archive else None
        if archived is not None and may_request and not outcomes.is_still_valid(archived, self.options):
            archived = None
        self.requested += archived is None
        if source.grows:
            self.archive.put_find(entry, self.options.limit)
        # An archived outcome needs no request: an empty URL has no rate limit
        request = Request("", source.policy_for(entry.candidate)) if archived else source.request_for(entry.candidate)
        return {"file_url": url, "entry": entry, "archived": archived, "request": request}


class PictureDownloader(_Worker, Downloader):
    """Downloads pictures, stores their bytes and records their outcomes."""

    def __init__(self, *pool: Any, options: DownloadOptions, frontier: Frontier, archive: UrlArchive) -> None:
        super().__init__(*pool)
        self.options = options
        self.frontier = frontier
        self.archive = archive

    def work(self) -> None:
        """Download tasks until no more can come."""
        while task := self.in_queue.get():
            host = task["request"].host
            try:
                self.download(task)
            finally:
                self.session.rate_limiter.release(host)
            if task["outcome"] is None and not self.session.stopping.is_set():
                self.in_queue.put_back(task)
            else:
                self.process_meta(task)
                self.in_queue.task_done()

    def download(self, task: Task) -> bool:
        """Bring a task one step forward: take the archived outcome, or send one request. True if the picture is stored
        now.

        Sets the keys `success` and `filename` of icrawler's task, and `outcome`: None if another request is needed.
        """
        outcome = self.outcome_from_archive(task) if task["archived"] else self.outcome_of_request(task)
        saved = outcome is not None and outcome.outcome == "saved"
        task.update(outcome=outcome, success=saved, filename=outcome.file if outcome is not None and saved else None)
        with self.lock:
            self.fetched_num += saved
        return saved

    def process_meta(self, task: Task) -> None:
        """Record the outcome of a success or a failure; a task that the stop interrupted has none."""
        if task["outcome"] is not None:
            self.frontier.settle(task["entry"], task["outcome"])

    def outcome_from_archive(self, task: Task) -> Outcome | None:
        """The archived outcome; None if its picture is missing or damaged on the disk, so that it is fetched again."""
        archived: Outcome = task["archived"]
        if archived.outcome != "saved" or self.storage.exists(archived.file):
            return archived
        entry: Entry = task["entry"]
        task.update(archived=None, request=entry.source.request_for(entry.candidate))
        return None

    def outcome_of_request(self, task: Task) -> Outcome | None:
        """The outcome after one request; None if another request is needed or the crawl was stopped meanwhile.

        An unexpected error, for example of a URL, a file or a row that cannot be written, fails this URL only.
        """
        try:
            outcome = self._request_outcome(task)
            if outcome is not None:
                self._archive(task["entry"], outcome)
        except FATAL_ERRORS:
            raise
        except Exception as error:
            outcome = outcomes.of_fault(fault_of_unexpected(error))
            with suppress(UnwritableRow):  # images.jsonl contains the outcome in any case
                self._archive(task["entry"], outcome)
        return outcome

    def _archive(self, entry: Entry, outcome: Outcome) -> None:
        """Remember the outcome of a URL, if it is of the web: a copy on this disk may have the URL of its original."""
        if entry.source.uses_archive:
            self.archive.put(entry.candidate.url, outcome)

    def _request_outcome(self, task: Task) -> Outcome | None:
        entry, request = task["entry"], task["request"]
        request.policy = replace(request.policy, receive=self.storage.receive)
        result = entry.source.fetch(request, self.session)
        if result is None or (self.session.stopping.is_set() and isinstance(result, RequestFault)):
            return None
        return self.store_response(result) if isinstance(result, Response) else outcomes.of_fault(result)

    def store_response(self, response: Response) -> Outcome:
        """The outcome of a response; if its body is a picture, that is in the storage now."""
        try:
            outcome = outcomes.of_response(response, self.options)
            if outcome.outcome == "saved":
                self.storage.commit(response.data, outcome.file)
        finally:
            response.data.discard()  # has no effect if the file was committed
        return outcome


def fault_of_unexpected(error: Exception) -> RequestFault:
    """The fault for an unexpected error. It names only the type, because the text may quote a server."""
    return RequestFault(
        reason="row not writable" if isinstance(error, UnwritableRow) else f"unexpected {type(error).__name__}"
    )
