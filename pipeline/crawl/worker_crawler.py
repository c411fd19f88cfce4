"""A worker process of a crawl: icrawler's threads, which get their work through a pipe and report outcomes there.

It asks only the hosts of its lane, and those without a limit that are shared, so that each host's rate limit, its
robots.txt and its back-off are in one process. After a redirect to another host the entry goes back through the pipe.
"""

import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import MutableSequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from icrawler import Feeder, Parser

from pipeline.crawl.crawl_threads import FATAL_ERRORS, POLL_SECONDS, CrawlThread, StoppableCrawler, new_task
from pipeline.crawl.frontier import lane_of
from pipeline.crawl.host_queue import END, Task
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.outcome import Outcome
from pipeline.crawl.request import Request, RequestFault, RequestPolicy, Response
from pipeline.crawl.storage import PictureStorage
from pipeline.fork_server import end_with_parent
from pipeline.options import DownloadOptions

ALIVE_SECONDS = 1.0  # between two messages, at most


@dataclass(frozen=True, kw_only=True)
class WorkerSetup:
    """What a worker is started with."""

    index: int  # of its lane, from 1
    lanes: int
    connections: int  # its share of those of the options
    options: DownloadOptions
    root: Path  # the folder of raw pictures


class Work(NamedTuple):
    """An entry by its number: what to request, and the outcome of an earlier crawl if that may still be valid."""

    number: int
    request: Request
    archived: Outcome | None


class Outbox:
    """What the threads of a worker report, collected for one message each time it is sent."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._waiting: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._sent = 0.0

    def add(self, kind: str, value: Any) -> None:
        """Send this soon."""
        self._waiting.put((kind, value))

    def send(self) -> None:
        """Send what was added: outcomes, and entries for other lanes, as one list each."""
        lists: dict[str, list[Any]] = {"done": [], "moved": []}
        messages: list[tuple[str, Any]] = []
        while not self._waiting.empty():
            kind, value = self._waiting.get()
            if kind in lists:
                lists[kind].append(value)
            else:
                messages.append((kind, value))
        messages += [(kind, values) for kind, values in lists.items() if values]
        if not messages and time.monotonic() - self._sent > ALIVE_SECONDS:
            messages.append(("alive", None))
        for message in messages:
            self._sent = time.monotonic()
            self._pipe.send(message)


class WorkFeeder(CrawlThread, Feeder):
    """Receives messages from the crawler's process: work, which goes to the parser, and news of hosts."""

    def __init__(self, *pool: Any, crawler: "WorkerCrawler", pipe: Connection) -> None:
        super().__init__(*pool)
        self.crawler, self.pipe = crawler, pipe

    def work(self) -> None:
        """Handle messages until the last one."""
        while True:
            kind, value = self.pipe.recv()
            if kind in ("end", "stop"):
                self.crawler.is_stopping = kind == "stop"
                self.output(END)
                return
            if kind == "work":
                self.output(value)
            else:
                self.crawler.handle(kind, value)


class WorkParser(CrawlThread, Parser):
    """Makes tasks of work."""

    def __init__(self, *pool: Any, crawler: "WorkerCrawler") -> None:
        super().__init__(*pool)
        self.crawler = crawler

    def work(self) -> None:
        """Queue the tasks of all work."""
        for works in iter(self.in_queue.get, END):
            for number, request, archived in works:
                task = new_task(number, request, archived=archived, fetch=self.crawler.fetch)
                if not self.crawler.hand_over(task):
                    self.output(task)
        self.out_queue.close()


class WorkerCrawler(StoppableCrawler):
    """The crawl of one lane, in its own process."""

    def __init__(self, setup: WorkerSetup, pipe: Connection, at_work: MutableSequence[int]) -> None:
        self.setup, self.outbox = setup, Outbox(pipe)
        self.is_stopping = False
        self.shared: set[str] = set()
        super().__init__(
            http_client=HttpClient(setup.options, notify=self.outbox.add, share_of=self.share_of),
            storage=PictureStorage(setup.root),
            connections=setup.connections,
            feeder=(WorkFeeder, {"crawler": self, "pipe": pipe}),
            parser=(WorkParser, {"crawler": self}),
            downloads={"report": self.report, "hand_over": self.hand_over, "at_work": at_work},
        )

    def run(self) -> None:
        """Crawl until the last message; outcomes are sent in between."""
        self.start_threads()
        while self.downloader.is_alive() and not self.is_stopping:
            self.check_threads()
            self.outbox.send()
            time.sleep(POLL_SECONDS)
        if self.is_stopping:
            self.stop_threads()
        self.check_threads()
        self.outbox.add("reached", self.http_client.reachability)
        self.outbox.send()

    def report(self, number: int, outcome: Outcome) -> None:
        """Send the outcome of an entry."""
        self.outbox.add("done", (number, outcome))

    def hand_over(self, task: Task) -> bool:
        """Give a task back if its next host is asked by another lane."""
        if self._may_ask(task["request"].host):
            return False
        self._give_back(task)
        return True

    def fetch(self, request: Request, http_client: HttpClient) -> Response | RequestFault | None:
        """Do the next step of a request; none if its host has wanted a pause since the task was queued, so that only
        its own lane asks it.
        """
        return http_client.send(request) if self._may_ask(request.host) else None

    def _may_ask(self, host: str) -> bool:
        return not host or host in self.shared or self.owns(host)

    def owns(self, host: str) -> bool:
        """Whether this lane asks a host for pictures."""
        return lane_of(host, self.setup.lanes) == self.setup.index

    def share_of(self, host: str) -> float:
        """The share of the limits of a host: another lane's is asked for the robots.txt to which others redirect."""
        return 1.0 if self.owns(host) else 1 / self.setup.lanes

    def handle(self, kind: str, value: Any) -> None:
        """Handle news of a host: whether it is shared, or for how long it wants a pause."""
        match kind:
            case "share":
                self.shared.add(value)
            case "unshare":
                self.shared.discard(value)
                if not self.owns(value):
                    for task in self.downloader.in_queue.withdraw(value):
                        self._give_back(task)
            case "pause":
                host, seconds = value
                self.http_client.rate_limiter.pause(host, seconds, from_other_process=True)

    def _give_back(self, task: Task) -> None:
        request = task["request"]
        request.policy = replace(request.policy, receive=RequestPolicy.receive)
        self.outbox.add("moved", (task["number"], request))


def serve(setup: WorkerSetup, pipe: Connection, at_work: MutableSequence[int]) -> None:
    """Run a worker process: until it is told to end or its parent ends."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent gets them too, and tells this process to stop
        signal.signal(number, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # discard what libraries print about files
    try:
        WorkerCrawler(setup, pipe, at_work).run()
    except FATAL_ERRORS as error:
        pipe.send(("raised", error))
    except Exception:
        pipe.send(("raised", RuntimeError(traceback.format_exc())))
    finally:
        pipe.close()
        os._exit(0)
