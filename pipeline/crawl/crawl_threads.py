"""icrawler's threads without its faults, and the crawler that starts, watches and stops them.

icrawler's own threads end by a timeout and can lose pictures. These threads end when the previous stage has ended and
its queue is empty. An unexpected error in a thread is stored, and the crawler raises it in the caller's thread.
"""

import itertools
import logging
import queue
import sqlite3
import time
from collections.abc import Callable, MutableSequence
from dataclasses import replace
from typing import Any

from icrawler import Crawler, Downloader, Feeder, Parser

from pipeline.crawl import outcome as outcomes
from pipeline.crawl.host_queue import HostQueue, Task
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Outcome
from pipeline.crawl.request import Request, RequestFault, Response
from pipeline.crawl.storage import PictureStorage, StorageError
from pipeline.crawl.url_archive import UnwritableRow
from pipeline.errors import DamagedState
from pipeline.options import DownloadOptions

POLL_SECONDS = 0.02  # between two checks of the threads
JOIN_SECONDS = 1.5  # for threads to end after a stop; a thread in a DNS lookup cannot be interrupted
# These errors end the crawl, because later pictures could not be stored either. Any other error fails one URL only.
FATAL_ERRORS = (StorageError, sqlite3.OperationalError, DamagedState)

Fetch = Callable[[Request, HttpClient], Response | RequestFault | None]
Report = Callable[[int, Outcome], None]


class StoppableCrawler(Crawler):
    """An icrawler `Crawler` whose threads can be watched and stopped; each object runs one crawl."""

    def __init__(
        self,
        *,
        http_client: HttpClient,
        storage: PictureStorage,
        connections: int,
        feeder: tuple[type[Feeder], dict[str, Any]],
        parser: tuple[type[Parser], dict[str, Any]],
        downloads: dict[str, Any],
    ) -> None:
        self.http_client = http_client
        super().__init__(
            feeder_cls=feeder[0],
            parser_cls=parser[0],
            downloader_cls=PictureDownloader,
            downloader_threads=connections,
            storage=storage,
            extra_feeder_args=feeder[1],
            extra_parser_args=parser[1],
            extra_downloader_args={"options": http_client.options, **downloads},
        )
        self.feeder.out_queue = self.parser.in_queue = queue.Queue()
        self.parser.out_queue = self.downloader.in_queue = HostQueue(http_client.rate_limiter)

    def set_logger(self, log_level: int = logging.WARNING) -> None:
        """Use this module's logger; icrawler's own method configures the console and the root logger."""
        self.logger = logging.getLogger(__name__)

    def set_session(self, headers: dict[str, str] | None = None) -> None:
        """Give the threads the HTTP client as their icrawler session."""
        self.session = self.http_client

    def start_threads(self) -> None:
        """Start every thread."""
        self.signal.reset()
        for stage in (self.feeder, self.parser, self.downloader):
            stage.start()

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


class CrawlThread:
    """The common part of the three kinds of threads. Their icrawler `session` is an `HttpClient`."""

    work: Callable[..., None]
    signal: Any  # icrawler's

    def worker_exec(self) -> None:
        """Work until the queue ends; store an error for the crawler to raise."""
        try:
            self.work()
        except Exception as error:
            self.signal.set(crash=error)


def new_task(number: int, request: Request, *, archived: Outcome | None, fetch: Fetch) -> Task:
    """The task of the entry with this number: `fetch` does the next step of `request`, unless an `archived` outcome is
    valid.
    """
    # An archived outcome needs no request: an empty URL has no rate limit
    first = Request("", request.policy) if archived else request
    return {
        "number": number,
        "file_url": request.start_url,
        "request": first,
        "fresh": request,
        "archived": archived,
        "fetch": fetch,
    }


class PictureDownloader(CrawlThread, Downloader):
    """Downloads pictures, stores their bytes and reports their outcomes.

    Args:
        report: is given the number of an entry and its outcome.
        hand_over: is given each task after a step; true if it took the task, because another process asks its host.
        at_work: has a place for each thread, for the number of the entry that it works on, else 0.
    """

    def __init__(
        self,
        *pool: Any,
        options: DownloadOptions,
        report: Report,
        hand_over: Callable[[Task], bool],
        at_work: MutableSequence[int],
    ) -> None:
        super().__init__(*pool)
        self.options, self.report, self.hand_over, self.at_work = options, report, hand_over, at_work
        self.places = itertools.count()

    def work(self) -> None:
        """Download tasks until no more can come."""
        place = next(self.places)
        while task := self.in_queue.get():
            host = task["request"].host
            self.at_work[place] = task["number"]
            try:
                self.download(task)
            finally:
                self.session.rate_limiter.release(host)
            if task["outcome"] is None and not self.session.stopping.is_set() and not self.hand_over(task):
                self.in_queue.put_back(task)
            else:
                self.process_meta(task)
                self.in_queue.task_done()
            self.at_work[place] = 0

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
        """Report the outcome of a success or a failure; a task that the stop interrupted has none."""
        if task["outcome"] is not None:
            self.report(task["number"], task["outcome"])

    def outcome_from_archive(self, task: Task) -> Outcome | None:
        """The archived outcome; None if its picture is missing or damaged on the disk, so that it is fetched again."""
        archived: Outcome = task["archived"]
        if archived.outcome != "saved" or self.storage.exists(archived.file):
            return archived
        task.update(archived=None, request=task["fresh"])
        return None

    def outcome_of_request(self, task: Task) -> Outcome | None:
        """The outcome after one request; None if another request is needed or the crawl was stopped meanwhile.

        An unexpected error, for example of a URL or a file, fails this URL only.
        """
        try:
            return self._request_outcome(task)
        except FATAL_ERRORS:
            raise
        except Exception as error:
            return outcomes.of_fault(fault_of_unexpected(error))

    def _request_outcome(self, task: Task) -> Outcome | None:
        request = task["request"]
        request.policy = replace(request.policy, receive=self.storage.receive)
        result: Response | RequestFault | None = task["fetch"](request, self.session)
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
