"""Which entries of the frontier are sent next, and to which lane: this process, or one of its worker processes.

A lane has only so many entries at a time, so that memory stays flat, and of each host only a share of them, so that a
slow host does not keep others waiting. All requests to a host come from one lane, which keeps to its rate limit. Only a
host without any limit may be asked by several: the lane that has read its robots.txt says so.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pipeline.crawl.frontier import Entry, Frontier, Host
from pipeline.crawl.outcome import Outcome
from pipeline.crawl.request import Request
from pipeline.crawl.url_archive import UrlArchive

MAX_HOSTS = 256  # of a lane whose entries are sent at a time
SENT = 2048  # entries that a lane has at a time
SPARE = 32  # entries of a host that wait in its lane, besides those for each connection
LEAST = 8  # entries of a host at a time, if there are many hosts


@dataclass
class OpenHost:
    """A host whose entries are being sent. `sent` counts by lane those that have no outcome yet."""

    host: Host
    last: int  # number of the last entry that was sent
    sent: Counter[int] = field(default_factory=Counter)


class Sent(NamedTuple):
    """An entry that a lane has, with its request, and the outcome of an earlier crawl if that may still be valid.

    After a redirect to a host of another lane that one has it, but it still counts for the first one, its `lender`: so
    however many entries redirect to a slow host, only so many are sent.
    """

    entry: Entry
    request: Request
    archived: Outcome | None
    host: OpenHost
    lender: "Lane | None" = None


class Event(NamedTuple):
    """What a lane reports: "done" with the numbers of entries and their outcomes, and what `WorkerLanes` handles."""

    lane: int
    kind: str
    value: Any


class Lane(ABC):
    """What asks hosts: threads of this process or of another one."""

    def __init__(self, index: int, connections: int) -> None:
        self.index, self.connections = index, connections
        self.sent: dict[int, Sent] = {}  # by number, until their outcomes are known
        self.lent = 0  # entries that other lanes have
        self.hosts: dict[int, OpenHost] = {}
        self.last_host = 0  # number of the host after which to look for more

    @abstractmethod
    def put(self, entries: list[Sent]) -> None:
        """Ask for these entries; `sent` has them already."""

    @property
    def room(self) -> int:
        """How many more entries it may have."""
        return SENT - len(self.sent) - self.lent

    def settle(self, number: int) -> Sent | None:
        """Take away an entry, because its outcome is known."""
        sent = self.take(number)
        if sent is not None and sent.lender is not None:
            sent.lender.lent -= 1
        return sent

    def take(self, number: int) -> Sent | None:
        """Take away an entry, because its outcome is known or it goes to another lane."""
        sent = self.sent.pop(number, None)
        if sent is not None:
            sent.host.sent[(sent.lender or self).index] -= 1
        return sent

    def give(self, sent: list[Sent]) -> None:
        """Ask for these entries."""
        for each in sent:
            self.hold(each)
        self.put(sent)

    def hold(self, sent: Sent) -> None:
        """Have an entry until `take`."""
        self.sent[sent.entry.number] = sent
        sent.host.sent[(sent.lender or self).index] += 1


class Dispatcher:
    """Sends the entries of `frontier` to `lanes`, whose indices are their places in the list. `shared` are the hosts
    that every worker process may ask at the moment.
    """

    def __init__(self, frontier: Frontier, archive: UrlArchive, lanes: list[Lane], shared: Set[str]) -> None:
        self.frontier, self.archive, self.lanes, self.shared = frontier, archive, lanes, shared

    def fill(self) -> None:
        """Send every lane what it has room for."""
        for lane in self.lanes:
            if lane.room > 0:
                self._open_hosts(lane)
        shared = [*self._shared_hosts()] if self.shared else []
        for lane in self.lanes:
            self._fill(lane, shared if lane.index else [])

    def _open_hosts(self, lane: Lane) -> None:
        """Open the next hosts of a lane with waiting entries, in turn: after the last one come the first ones again."""
        if count := MAX_HOSTS - len(lane.hosts):
            hosts = self.frontier.waiting_hosts(lane.index, lane.last_host, count)
            lane.last_host = hosts[-1].number if len(hosts) == count else 0
            for host in hosts:
                lane.hosts.setdefault(host.number, OpenHost(host, host.sent))

    def _fill(self, lane: Lane, shared: list[tuple[Lane, OpenHost]]) -> None:
        """Send entries of the hosts of a lane, and of `shared` ones, each with the lane that it belongs to."""
        hosts = [(lane, host) for host in lane.hosts.values()]
        hosts += [(owner, host) for owner, host in shared if owner is not lane and host.host.number in owner.hosts]
        fair = min(2 * lane.connections + SPARE, max(LEAST, SENT // max(len(hosts), 1)))
        for owner, host in hosts:
            share = fair if host.host.name else SENT // 2
            count = min(share - host.sent[lane.index], lane.room)
            if count > 0 and 2 * host.sent[lane.index] <= share:  # rarely, but many at a time
                self._send(lane, owner, host, count)

    def _shared_hosts(self) -> Iterator[tuple[Lane, OpenHost]]:
        for owner in self.lanes:
            if owner.index:
                yield from ((owner, host) for host in owner.hosts.values() if host.host.name in self.shared)

    def _send(self, lane: Lane, owner: Lane, host: OpenHost, count: int) -> None:
        entries = self.frontier.waiting_entries(host.host.number, host.last, count)
        if len(entries) < count:
            del owner.hosts[host.host.number]
        if entries:
            host.last = entries[-1].number
            lane.give([self._prepared(entry, host) for entry in entries])

    def _prepared(self, entry: Entry, host: OpenHost) -> Sent:
        archived = self.archive.get(entry.candidate.url) if entry.archived else None
        return Sent(entry, entry.source.request_for(entry.candidate), archived, host)
