"""Races on the disk: data/.races/<id>/ has race.json, the votes, and the tiles of the entries."""

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import DamagedState, UserError, of_system
from pipeline.store.atomic import write_whole
from pipeline.web.races.race import Race, from_row, to_row

RACE, VOTES, TILES = "race.json", "votes.jsonl", "tiles"
ID = re.compile("[0-9a-f]{12}")
MAX_RACES = 500
LOCK_SECONDS = 10.0
Stamp = tuple[int, int]  # modification time (ns) and size of race.json


class RaceStore:
    """The races of one site, in `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._read: dict[str, tuple[Stamp, Race | None]] = {}
        self._mutex = threading.Lock()

    def folder(self, race_id: str) -> Path:
        """The folder of a race."""
        return self.root / race_id

    def tile(self, race_id: str, entry_id: str) -> Path:
        """The file of an entry's tile."""
        return self.folder(race_id) / TILES / f"{entry_id}.png"

    def ids(self) -> list[str]:
        """The ids of the races on the disk."""
        try:
            return sorted(path.name for path in self.root.iterdir() if ID.fullmatch(path.name))
        except OSError:
            return []

    def all(self) -> list[Race]:
        """Every race that can be read, the newest first."""
        found = (self.find(id) for id in self.ids())
        return sorted((race for race in found if race), key=lambda race: (race.created, race.id), reverse=True)

    def damaged(self) -> list[str]:
        """The ids of races whose file cannot be read."""
        return [id for id in self.ids() if self.find(id) is None]

    def find(self, race_id: str) -> Race | None:
        """A race, or None if there is none or its file cannot be read. A file is read again only if it changed."""
        if not ID.fullmatch(race_id):
            return None
        path = self.folder(race_id) / RACE
        try:
            found = path.stat()
        except OSError:
            return None
        stamp = (found.st_mtime_ns, found.st_size)
        with self._mutex:
            known = self._read.get(race_id)
        if known is None or known[0] != stamp:
            known = (stamp, _parsed(path))
            with self._mutex:
                self._read[race_id] = known
        return known[1]

    def by_token(self, token: str) -> Race | None:
        """The race whose link has this token. It is compared with every token in constant time."""
        given, found = token.encode("utf-8", "replace"), None
        for race in self.all():
            if secrets.compare_digest(given, race.token.encode()):
                found = race
        return found

    def create(self, race: Race) -> Race:
        """Write a new race; raises `UserError` if there are too many."""
        if len(self.ids()) >= MAX_RACES:
            raise UserError(f"{self.root} has {MAX_RACES} races already; remove the folders of old ones")
        (self.folder(race.id) / TILES).mkdir(parents=True)
        self._write(race)
        return race

    def change(self, race_id: str, change: Callable[[Race], Race]) -> Race:
        """Change a race, while no vote is recorded and nobody else changes it; returns it as it is now.

        Raises:
            DamagedState: If it cannot be read.
            UserError: If `change` refuses.
        """
        with self.locked(race_id):
            race = self.read(race_id)
            if (changed := change(race)) != race:
                self._write(changed)
        return changed

    def read(self, race_id: str) -> Race:
        """The race as it is on the disk now; raises `DamagedState`."""
        if (race := _parsed(self.folder(race_id) / RACE)) is None:
            raise DamagedState(f"{self.folder(race_id) / RACE} cannot be read; restore it from a copy")
        return race

    @contextmanager
    def locked(self, race_id: str) -> Iterator[None]:
        """Hold this while a race is changed or a vote is recorded: threads and other servers wait."""
        try:
            with FileLock(self.folder(race_id) / ".lock", timeout=LOCK_SECONDS, thread_local=False):
                yield
        except Timeout:
            raise UserError(f"{self.folder(race_id)} is busy; try again") from None

    def _write(self, race: Race) -> None:
        path = self.folder(race.id) / RACE
        try:
            write_whole(path, json.dumps(to_row(race), ensure_ascii=False, indent=1).encode("utf-8", "replace"))
        except OSError as error:
            raise of_system(error, path) from error


def _parsed(path: Path) -> Race | None:
    try:
        race = from_row(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError):
        return None
    return race if race.id == path.parent.name else None
