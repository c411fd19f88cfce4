"""Labels given on the page: the current labels, and edits that must not overwrite newer ones."""

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.labels.log import VALIDATION, LabelLog, parse_label

HOW_LABELLED = "page"
COMPARED_BYTES = 256  # before the end of what was read: if they differ, the file was replaced


@dataclass(frozen=True, kw_only=True)
class LabelEdit:
    """A label that a person gave a square. `previous` are the labels it may have had as they saw it; None is no
    label."""

    id: str
    label: str | None
    previous: frozenset[str | None]


@dataclass(frozen=True, kw_only=True)
class ConflictingEdit:
    """An edit that came too late: the label was changed elsewhere after the person last saw it."""

    id: str
    label: str | None
    now: str | None


@dataclass(frozen=True, kw_only=True)
class EditResult:
    """The result of label edits."""

    labels: dict[str, str | None]  # the current label of each edited square
    refused: tuple[ConflictingEdit, ...]
    written: tuple[int, ...]  # indices of the edits that changed a label; only these may be undone
    revision: str


@dataclass(frozen=True, kw_only=True)
class LabelChanges:
    """Labels that changed since a revision."""

    everything: bool  # the revision is unknown: `labels` are all current labels
    labels: dict[str, str | None]
    revision: str  # to ask for the next changes


Bytes = bytes  # a field of the class below has that name


@dataclass
class _ReadState:
    """How far the log was read, and what it contains."""

    inode: int = -1
    bytes: int = 0
    tail: Bytes = b""
    epoch: str = ""  # changes whenever the log is read from its beginning
    changes: list[tuple[str, str | None]] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    validation: set[str] = field(default_factory=set)  # pictures that were ever labelled for validation


class LabelSync:
    """The labels of a dataset, synchronised with the label log: reads what anybody appends to it."""

    def __init__(self, path: Path) -> None:
        self.log = LabelLog(path)
        self._lock = threading.RLock()
        self._read = _ReadState(epoch=uuid.uuid4().hex[:12])

    def labels(self) -> dict[str, str]:
        """A copy of the current labels, by id; raises `DamagedState` with the line that cannot be read."""
        with self._lock:
            return dict(self._read_new_lines().labels)

    def ever_labelled(self) -> set[str]:
        """The ids of all squares that were ever labelled, as far as the log can be read."""
        with self._lock:
            self.readable_labels()
            return {id for id, _ in self._read.changes}

    def readable_labels(self) -> tuple[dict[str, str], str]:
        """The labels as far as the log can be read, and the problem with it; empty if there is none."""
        with self._lock:
            try:
                return self.labels(), ""
            except UserError as error:
                return dict(self._read.labels), str(error)

    def count_validation(self) -> int:
        """How many of the labels, as far as the log can be read, are of the validation set."""
        with self._lock:
            labels, _ = self.readable_labels()
            return len(labels.keys() & self._read.validation)

    def revision(self) -> str:
        """The revision of the log, which changes with every label."""
        with self._lock:
            found = self._read_new_lines()
            return f"{found.epoch}.{len(found.changes)}"

    def since(self, revision: str) -> LabelChanges:
        """Labels that changed since `revision`, by id."""
        epoch, _, count = revision.partition(".")
        with self._lock:
            found, now = self._read_new_lines(), self.revision()
            if epoch != found.epoch or not (count.isascii() and count.isdecimal()):
                return LabelChanges(everything=True, labels=dict(found.labels), revision=now)
            return LabelChanges(everything=False, labels=dict(found.changes[int(count) :]), revision=now)

    def apply(self, edits: Sequence[LabelEdit]) -> EditResult:
        """Write `edits` to the disk, except for squares whose label was changed elsewhere meanwhile.

        An edit that is already in effect is not written again, so an edit that was sent twice counts once. When this
        returns, the accepted edits survive a crash of the machine.
        """
        with self.log.locked(), self._lock:  # nobody else writes between reading and appending
            merged, before = merge_edits(edits), self.labels()
            labels_to_write = {id: edit.label for id, edit in merged.items() if _has_effect(edit, before.get(id))}
            conflicting = [edit for edit in merged.values() if before.get(edit.id) not in (edit.label, *edit.previous)]
            written = tuple(
                _effective_indices(
                    [(index, edit) for index, edit in enumerate(edits) if edit.id in labels_to_write], before
                )
            )
            refused = tuple(
                ConflictingEdit(id=edit.id, label=edit.label, now=before.get(edit.id)) for edit in conflicting
            )
            self.log.append(labels_to_write, how=HOW_LABELLED)
            labels = self._read_new_lines().labels
            return EditResult(
                labels={id: labels.get(id) for id in merged}, refused=refused, written=written, revision=self.revision()
            )

    def _read_new_lines(self) -> _ReadState:
        """Read the lines that were appended since the last call; all lines if the file was replaced."""
        stat = self._stat()
        known = self._read
        if stat == (known.inode, known.bytes):
            return known
        if not self._is_appended(stat):
            self._read = _ReadState(inode=stat[0], epoch=uuid.uuid4().hex[:12])
        if stat[1]:
            self._read_lines(self._read)
        return self._read

    def _stat(self) -> tuple[int, int]:
        try:
            found = self.log.path.stat()
        except OSError:
            return -1, 0
        return found.st_ino, found.st_size

    def _is_appended(self, stat: tuple[int, int]) -> bool:
        """Whether the file still begins with what was read."""
        known = self._read
        if stat[0] != known.inode or stat[1] < known.bytes:
            return False
        with self.log.path.open("rb") as file:
            file.seek(known.bytes - len(known.tail))
            return file.read(len(known.tail)) == known.tail

    def _read_lines(self, known: _ReadState) -> None:
        """Apply the new lines; the lines before a damaged one stay applied."""
        with self.log.path.open("rb") as file:
            file.seek(known.bytes)
            for line in file:
                self._apply_line(known, line)

    def _apply_line(self, known: _ReadState, line: bytes) -> None:
        row = parse_label(line, self.log.path, len(known.changes) + 1)
        known.changes.append((row.id, row.label))
        if row.set == VALIDATION:
            known.validation.add(row.id)
        if row.label is None:
            known.labels.pop(row.id, None)
        else:
            known.labels[row.id] = row.label
        known.bytes += len(line)
        known.tail = (known.tail + line)[-COMPARED_BYTES:]


def merge_edits(edits: Sequence[LabelEdit]) -> dict[str, LabelEdit]:
    """Merge edits to one for each square: its last label, and all labels it may have had before."""
    chains: dict[str, list[LabelEdit]] = {}
    for edit in edits:
        chains.setdefault(edit.id, []).append(edit)
    return {id: _merge_chain(chain) for id, chain in chains.items()}


def _merge_chain(chain: Sequence[LabelEdit]) -> LabelEdit:
    """Merge edits of one square. Edits that return to the first label have no effect."""
    first, last = chain[0], chain[-1]
    if len(chain) > 1 and last.label in first.previous:
        return replace(last, previous=frozenset())
    return replace(last, previous=first.previous.union(edit.label for edit in chain[:-1]))


def _effective_indices(edits: Sequence[tuple[int, LabelEdit]], before: Mapping[str, str]) -> Iterator[int]:
    """The indices of edits that change a label, each applied after those before it."""
    now: dict[str, str | None] = {}
    for index, edit in edits:
        if _has_effect(edit, now.get(edit.id, before.get(edit.id))):
            now[edit.id] = edit.label
            yield index


def _has_effect(edit: LabelEdit, before: str | None) -> bool:
    return before != edit.label and before in edit.previous


def count_labels(labels: Mapping[str, str]) -> dict[str, int]:
    """How many labels of each kind there are."""
    found = list(labels.values())
    return {name: found.count(name) for name in ("on", "off", "unsure")}
