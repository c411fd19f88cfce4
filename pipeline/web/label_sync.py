"""Labels given on the page: what holds now, and marks that must not overwrite newer ones."""

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.labels.log import LabelLog, parse

HOW = "page"
TAIL = 256  # bytes before the place read so far that must be the same, or the file was written anew


@dataclass(frozen=True, kw_only=True)
class LabelEdit:
    """What somebody said about a picture. `was` is what its label may have been as they saw it; None is no label."""

    id: str
    label: str | None
    was: frozenset[str | None]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A mark that came too late: the label was changed elsewhere after that person last saw it."""

    id: str
    label: str | None
    now: str | None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of some marks."""

    labels: dict[str, str | None]  # what holds now for each picture that was marked
    refused: tuple[Refused, ...]
    written: tuple[int, ...]  # places of the marks that changed something; to undo another would undo somebody else
    revision: str


@dataclass(frozen=True, kw_only=True)
class Since:
    """What was said after some revision."""

    everything: bool  # that revision is not known any more: `labels` are all that hold
    labels: dict[str, str | None]
    revision: str  # the next look goes on from here


Bytes = bytes  # a field of the class below has that name


@dataclass
class _Read:
    """The log as far as it was read."""

    inode: int = -1
    bytes: int = 0
    tail: Bytes = b""
    epoch: str = ""  # another one whenever the log had to be read from its beginning
    changes: list[tuple[str, str | None]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


class LabelSync:
    """The labels of a dataset. The log is the truth; this reads what was added to it, by whomever."""

    def __init__(self, path: Path) -> None:
        self.log = LabelLog(path)
        self._lock = threading.RLock()
        self._read = _Read(epoch=uuid.uuid4().hex[:12])

    def labels(self) -> dict[str, str]:
        """The labels that hold now, by id: a copy. Errors: `DamagedState` naming the line that cannot be read."""
        with self._lock:
            return dict(self._follow().labels)

    def mentioned(self) -> set[str]:
        """The ids of all pictures that were ever labelled, as far as the log can be read."""
        with self._lock:
            self.standing()
            return {id for id, _ in self._read.changes}

    def standing(self) -> tuple[dict[str, str], str]:
        """The labels as far as they can be read, and what is wrong with the log; empty when nothing is."""
        with self._lock:
            try:
                return self.labels(), ""
            except UserError as error:
                return dict(self._read.labels), str(error)

    def revision(self) -> str:
        """Names the state of the log; another one after every label."""
        with self._lock:
            found = self._follow()
            return f"{found.epoch}.{len(found.changes)}"

    def since(self, revision: str) -> Since:
        """What was said since `revision`, by id."""
        epoch, _, count = revision.partition(".")
        with self._lock:
            found, now = self._follow(), self.revision()
            if epoch != found.epoch or not (count.isascii() and count.isdecimal()):
                return Since(everything=True, labels=dict(found.labels), revision=now)
            return Since(everything=False, labels=dict(found.changes[int(count) :]), revision=now)

    def apply(self, marks: Sequence[LabelEdit]) -> Answer:
        """Put `marks` on the disk, but for those whose picture was labelled otherwise meanwhile.

        A mark that holds already is not written again, so that one sent twice, because its answer was lost, counts
        once. When this returns, what was accepted outlasts a crash of the machine.
        """
        with self.log.locked(), self._lock:  # nobody else writes between the look at what holds and the append
            merged, before = merge(marks), self.labels()
            given = {id: mark.label for id, mark in merged.items() if _counts(mark, before.get(id))}
            stale = [mark for mark in merged.values() if before.get(mark.id) not in (mark.label, *mark.was)]
            written = tuple(_written([(place, mark) for place, mark in enumerate(marks) if mark.id in given], before))
            refused = tuple(Refused(id=mark.id, label=mark.label, now=before.get(mark.id)) for mark in stale)
            self.log.append(given, how=HOW)
            labels = self._follow().labels
            return Answer(
                labels={id: labels.get(id) for id in merged}, refused=refused, written=written, revision=self.revision()
            )

    def _follow(self) -> _Read:
        """Read what was added since the last look; from the beginning if the file is another one."""
        stat = self._stat()
        known = self._read
        if stat == (known.inode, known.bytes):
            return known
        if not self._grown(stat):
            self._read = _Read(inode=stat[0], epoch=uuid.uuid4().hex[:12])
        if stat[1]:
            self._take(self._read)
        return self._read

    def _stat(self) -> tuple[int, int]:
        try:
            found = self.log.path.stat()
        except OSError:
            return -1, 0
        return found.st_ino, found.st_size

    def _grown(self, stat: tuple[int, int]) -> bool:
        """Whether the file begins with what was read."""
        known = self._read
        if stat[0] != known.inode or stat[1] < known.bytes:
            return False
        with self.log.path.open("rb") as file:
            file.seek(known.bytes - len(known.tail))
            return file.read(len(known.tail)) == known.tail

    def _take(self, known: _Read) -> None:
        """Enter the lines after those that are known; those before a damaged one stay entered."""
        with self.log.path.open("rb") as file:
            file.seek(known.bytes)
            for line in file:
                self._enter(known, line)

    def _enter(self, known: _Read, line: bytes) -> None:
        row = parse(line, self.log.path, len(known.changes) + 1)
        known.changes.append((row.id, row.label))
        if row.label is None:
            known.labels.pop(row.id, None)
        else:
            known.labels[row.id] = row.label
        known.bytes += len(line)
        known.tail = (known.tail + line)[-TAIL:]


def merge(marks: Sequence[LabelEdit]) -> dict[str, LabelEdit]:
    """One mark a picture: the last label said of it, which any earlier one of these may already have changed."""
    chains: dict[str, list[LabelEdit]] = {}
    for mark in marks:
        chains.setdefault(mark.id, []).append(mark)
    return {id: _as_one(chain) for id, chain in chains.items()}


def _as_one(chain: Sequence[LabelEdit]) -> LabelEdit:
    """Marks of one picture as one. Those that come back to where they began change nothing, whatever holds now."""
    first, last = chain[0], chain[-1]
    if len(chain) > 1 and last.label in first.was:
        return replace(last, was=frozenset())
    return replace(last, was=first.was.union(mark.label for mark in chain[:-1]))


def _written(marks: Sequence[tuple[int, LabelEdit]], before: Mapping[str, str]) -> Iterator[int]:
    """The places of those marks that change something, each seeing what those before it left."""
    now: dict[str, str | None] = {}
    for place, mark in marks:
        if _counts(mark, now.get(mark.id, before.get(mark.id))):
            now[mark.id] = mark.label
            yield place


def _counts(mark: LabelEdit, before: str | None) -> bool:
    return before != mark.label and before in mark.was


def tally(labels: Mapping[str, str]) -> dict[str, int]:
    """How many labels of each kind there are."""
    found = list(labels.values())
    return {name: found.count(name) for name in ("on", "off", "unsure")}
