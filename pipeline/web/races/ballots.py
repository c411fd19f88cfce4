"""The votes of a race: an append-only file, in which the last row of a voter counts."""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DamagedState, UserError, of_system
from pipeline.store.jsonl import dump_row, parse_row, timestamp

MAX_VOTERS = 1000
MAX_CHANGES = 20  # rows of one voter: with the limits here a race's votes take less than 15 MB
Choice = tuple[str, ...]  # ids of entries, the best first


@dataclass(frozen=True, kw_only=True)
class Votes:
    """The votes at one moment."""

    choices: Mapping[str, Choice]  # of each voter
    rows: Mapping[str, int]  # how many rows each voter has
    unreadable: int = 0  # lines that were torn by a crash or changed by a person

    def changes_left(self, voter: str) -> int:
        """How often this voter may still vote."""
        return max(0, MAX_CHANGES - self.rows.get(voter, 0))


class Refused(UserError):
    """A vote that is not taken: one line for the voter."""


class BallotBox:
    """The file `votes.jsonl` of a race. Whoever calls `cast` holds the lock of the race."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[tuple[int, int], Votes] | None = None
        self._mutex = threading.Lock()

    def votes(self) -> Votes:
        """All votes; the file is read again only if it changed. A line that cannot be read counts for nobody."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return Votes(choices={}, rows={})
        stamp = (found.st_mtime_ns, found.st_size)
        with self._mutex:
            if self._known is None or self._known[0] != stamp:
                self._known = (stamp, _read(self.path))
            return self._known[1]

    def cast(self, voter: str, choice: Choice, *, admit: Callable[[], bool] = lambda: True) -> Votes:
        """Record a vote; when this returns, it survives a crash of the machine. The same vote again writes nothing.

        `admit` is asked whether a new voter may come in. Raises `Refused`, and `UserError` for a full disk.
        """
        votes = self.votes()
        if votes.choices.get(voter) == choice:
            return votes
        if voter not in votes.rows and len(votes.rows) >= MAX_VOTERS:
            raise Refused(f"{MAX_VOTERS:,} people have voted, and this race takes no more")
        if voter not in votes.rows and not admit():
            raise Refused("too many people have voted from this address; try again in an hour")
        if not votes.changes_left(voter):
            raise Refused(f"this vote was changed {MAX_CHANGES - 1} times and stays as it is")
        self._append(dump_row({"time": timestamp("milliseconds"), "voter": voter, "choice": list(choice)}).encode())
        return self.votes()

    def _append(self, line: bytes) -> None:
        try:
            with self.path.open("a+b", buffering=0) as file:
                before = file.seek(0, os.SEEK_END)
                try:
                    _write(file.fileno(), line if _ends_whole(self.path, before) else b"\n" + line)
                except OSError:
                    file.truncate(before)
                    raise
        except OSError as error:
            raise of_system(error, self.path) from error


def _write(handle: int, data: bytes) -> None:
    if os.write(handle, data) < len(data):
        raise OSError(28, "No space left on device")
    os.fsync(handle)


def _ends_whole(path: Path, size: int) -> bool:
    """Whether the last line is whole; a crash may have torn it, and it must not swallow the next one."""
    if not size:
        return True
    with path.open("rb") as file:
        file.seek(size - 1)
        return file.read(1) == b"\n"


def _read(path: Path) -> Votes:
    choices: dict[str, Choice] = {}
    rows: dict[str, int] = {}
    unreadable = 0
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            row = parse_row(line, path.name)
            voter, choice = row["voter"], row["choice"]
            if (
                not isinstance(voter, str)
                or not isinstance(choice, list)
                or not all(isinstance(i, str) for i in choice)
            ):
                raise ValueError
        except (DamagedState, KeyError, ValueError):
            unreadable += 1
            continue
        choices[voter], rows[voter] = tuple(choice), rows.get(voter, 0) + 1
    return Votes(choices=choices, rows=rows, unreadable=unreadable)
