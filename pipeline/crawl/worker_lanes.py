"""The worker processes of a crawl, as the crawler's process sees them: each asks its own part of all hosts.

A worker that dies is replaced, and what it had is asked for again. One of the entries that it worked on may have killed
it, so the new worker gets these one at a time; an entry whose worker dies twice while it is alone there has failed.
"""

import queue
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.crawl import outcome as outcomes
from pipeline.crawl.crawl_threads import POLL_SECONDS
from pipeline.crawl.dispatch import Event, Lane, Sent
from pipeline.crawl.frontier import lane_of
from pipeline.crawl.http_client import HttpClient
from pipeline.crawl.request import Request, RequestFault
from pipeline.crawl.worker_crawler import Work, WorkerSetup
from pipeline.crawl.worker_process import SILENCE, WorkerProcess
from pipeline.errors import UserError

TRIES = 2  # of an entry that is alone in its worker
FRUITLESS = 5  # workers that die one after another without any outcome
STOP_SECONDS = 3.0  # for workers to send their last outcomes
PAUSES = 1000  # that are remembered; beyond, those that are over are forgotten
LOST = RequestFault(reason="ended its process", passing=True, host_answered=False)


class WorkerLane(Lane):
    """One worker process at a time, and what to do if it dies."""

    def __init__(self, setup: WorkerSetup, events: queue.SimpleQueue[Event]) -> None:
        super().__init__(setup.index, setup.connections)
        self._setup, self._events = setup, events
        self._one_at_a_time = False
        self._suspects: deque[Sent] = deque()  # for one at a time
        self._held: list[Sent] = []  # until then
        self._deaths: Counter[int] = Counter()  # by number, while the entry was alone
        self._fruitless = 0
        self.worker: WorkerProcess | None = None

    def start(self) -> None:
        """Start the process."""
        self.worker = WorkerProcess(self._setup, self._events)

    def order(self, kind: str, value: Any = None) -> None:
        """Send a message to the process, if it has begun."""
        if self.worker is not None:
            self.worker.order(kind, value)

    @property
    def room(self) -> int:
        """How many more entries it may have: none while there are suspects."""
        return 0 if self._one_at_a_time else super().room

    def give(self, sent: list[Sent]) -> None:
        """Ask for these entries, after the suspects."""
        if self._one_at_a_time:
            self._held += sent
        elif sent:
            super().give(sent)

    def put(self, entries: list[Sent]) -> None:
        """Send the work of these entries to the process."""
        self.order("work", [Work(sent.entry.number, sent.request, sent.archived) for sent in entries])

    def take(self, number: int) -> Sent | None:
        """Take away an entry, because its outcome is known or it goes to another lane."""
        self._fruitless = 0
        found = super().take(number)
        if self._one_at_a_time and not self.sent:
            self._go_on()
        return found

    def replace(self, first_orders: Iterable[tuple[str, Any]]) -> Sent | None:
        """Start another process for one that has died, with these messages before its work; returns the entry that is
        to blame, if that is certain.
        """
        assert self.worker is not None
        self._fruitless += 1
        if self._fruitless >= FRUITLESS:
            raise UserError(self.worker.failure_text())
        lost = [sent for number in list(self.sent) if (sent := super(WorkerLane, self).take(number))]
        at_work = set(self.worker.at_work)
        suspects = [sent for sent in lost if sent.entry.number in at_work]
        self._held += [sent for sent in lost if sent.entry.number not in at_work]
        blamed = next(filter(self._is_to_blame, suspects), None) if self._one_at_a_time else None
        if blamed:
            suspects.remove(blamed)
            self.hold(blamed)  # until its outcome is recorded
        self._suspects.extendleft(reversed(suspects))
        self._one_at_a_time = bool(self._one_at_a_time or suspects)
        self.start()
        for kind, value in first_orders:
            self.order(kind, value)
        self._go_on()
        return blamed

    def _is_to_blame(self, sent: Sent) -> bool:
        self._deaths[sent.entry.number] += 1
        return self._deaths[sent.entry.number] >= TRIES

    def _go_on(self) -> None:
        """Send the next suspect, or all that was held back."""
        if self._suspects:
            super().give([self._suspects.popleft()])
        else:
            self._one_at_a_time = False
            held, self._held = self._held, []
            self.give(held)


class WorkerLanes:
    """All worker processes of a crawl. `shared` are the hosts without a limit, which each of them may ask."""

    def __init__(self, count: int, client: HttpClient, root: Path, events: queue.SimpleQueue[Event]) -> None:
        self._client, self._events = client, events
        self.lanes = [
            WorkerLane(
                WorkerSetup(
                    index=index,
                    lanes=count,
                    connections=(client.options.connections + index - 1) // count,  # together all of them
                    options=client.options,
                    root=root,
                ),
                events,
            )
            for index in range(1, count + 1)
        ]
        self.shared: set[str] = set()
        self._paused: dict[str, float] = {}  # host: until when
        self._ended: set[WorkerProcess] = set()
        self._is_ending = False
        self._checked = time.monotonic()

    def start(self) -> None:
        """Start every process."""
        for lane in self.lanes:
            lane.start()

    def check(self) -> None:
        """Kill processes that hang; `handle` replaces them."""
        now = time.monotonic()
        was_stopped = now - self._checked > SILENCE / 2  # this process, and so the others too, for example by Ctrl-Z
        self._checked = now
        for worker in (lane.worker for lane in self.lanes if lane.worker is not None):
            if was_stopped:
                worker.last_message = now
            elif worker.is_silent:
                worker.kill()

    def end(self, take: Callable[[Event], None]) -> None:
        """Let every process end, as all has its outcome."""
        self._finish("end", take)

    def stop(self, take: Callable[[Event], None]) -> None:
        """End every process; `take` gets the outcomes that they send meanwhile."""
        self._finish("stop", take)

    def kill(self) -> None:
        """End every process at once."""
        for lane in self.lanes:
            if lane.worker is not None:
                lane.worker.kill()

    def ask_to_stop(self) -> None:
        """Let every process cancel its requests."""
        self._is_ending = True
        for lane in self.lanes:
            lane.order("stop")

    def handle(self, event: Event) -> None:
        """Handle what a worker reports, other than outcomes."""
        lane, value = self.lanes[event.lane - 1], event.value
        match event.kind:
            case "ended":
                self._replace(lane, value)
            case "moved":
                self._move(lane, value)
            case "share":
                self._share(lane, value)
            case "pause":
                self._pause(lane, *value)
            case "reached":
                self._client.reachability.add(value)
            case "raised":
                raise value

    def _replace(self, lane: WorkerLane, worker: WorkerProcess) -> None:
        """Start another process for one that has died, with what it should know."""
        worker.kill()
        self._ended.add(worker)
        if self._is_ending:
            return
        self._forget_pauses()
        orders: list[tuple[str, Any]] = [("share", host) for host in self.shared]
        orders += [("pause", (host, until - time.monotonic())) for host, until in self._paused.items()]
        if blamed := lane.replace(orders):
            self._events.put(Event(lane.index, "done", [(blamed.entry.number, outcomes.of_fault(LOST))]))

    def _move(self, lane: WorkerLane, moved: list[tuple[int, Request]]) -> None:
        """Give entries to the lanes that ask their next hosts: after a redirect, or because a host has a limit now."""
        for number, request in moved:
            if sent := lane.take(number):
                target, lender = self.lanes[lane_of(request.host, len(self.lanes)) - 1], sent.lender or lane
                lender.lent += (target is not lender) - (sent.lender is not None)
                target.give([sent._replace(request=request, lender=None if target is lender else lender)])

    def _share(self, lane: WorkerLane, host: str) -> None:
        """Let all lanes ask a host, if it has more entries than its lane has already."""
        if any(each.host.name == host for each in lane.hosts.values()):
            self.shared.add(host)
            self._order_all("share", host)

    def _pause(self, lane: WorkerLane, host: str, seconds: float) -> None:
        """A host wants no request for some seconds: from now on only its own lane asks it."""
        self._paused[host] = max(time.monotonic() + seconds, self._paused.get(host, 0.0))
        if len(self._paused) > PAUSES:
            self._forget_pauses()
        if host in self.shared:
            self.shared.discard(host)
            self._order_all("unshare", host)
        owner = self.lanes[lane_of(host, len(self.lanes)) - 1]
        if owner is not lane:
            owner.order("pause", (host, seconds))

    def _forget_pauses(self) -> None:
        """Forget those that are over."""
        self._paused = {host: until for host, until in self._paused.items() if until > time.monotonic()}

    def _order_all(self, kind: str, value: Any) -> None:
        for lane in self.lanes:
            lane.order(kind, value)

    def _finish(self, order: str, take: Callable[[Event], None]) -> None:
        self._is_ending, deadline = True, time.monotonic() + STOP_SECONDS
        self._order_all(order, None)
        running = {lane.worker for lane in self.lanes if lane.worker is not None}
        while running - self._ended and time.monotonic() < deadline:
            with suppress(queue.Empty):
                take(self._events.get(timeout=POLL_SECONDS))
        self.kill()
