"""The trainings of a dataset for people: numbered in the order in which they began, newest last.

generated/<dataset>/
    001-dcgan-32px           leads to training/<key>, the folder of the sample sheets: a symbolic link where possible,
                             or else a text file with the path
    training/<key>/          sample sheets, statistics, plots, film; and links `samples`, `report`, `networks`
    trainings.jsonl          a row for each training. A number is never given again, even after `gc` deleted a training

A training is named by its content key, so one that is resumed or looked at again keeps its number.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from pipeline.errors import DamagedState
from pipeline.store.artifacts import SHORT
from pipeline.store.atomic import write_whole
from pipeline.store.digest import is_digest
from pipeline.store.jsonl import dump_row, parse_row

REGISTER = "trainings.jsonl"
SHEETS = "training"  # the folder of the folders of sample sheets
LOCK_SECONDS = 10.0  # as long as a run waits for another one that writes the register
LONGEST_PATH = 4096  # bytes
MAX_NAME = 60  # characters of a definition's name in the name of a folder


@dataclass(frozen=True, kw_only=True)
class Training:
    """A row of the register. `began` is ISO 8601, UTC; `epochs` None: as many as it takes; `error`: why it failed."""

    number: int
    key: str
    definition: str
    size: int | None  # pixels
    epochs: int | None
    began: str
    error: str = ""

    @property
    def name(self) -> str:
        """The folder's name for people: 001-dcgan-32px."""
        definition = re.sub(r"[^\w.-]+", "-", self.definition).strip("-.")[:MAX_NAME]
        return "-".join([f"{self.number:03d}", definition or "gan", *([f"{self.size}px"] if self.size else [])])


class Trainings:
    """The register of one dataset, in `folder` (generated/<dataset>)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def sheets(self, training: Training) -> Path:
        """The folder of sample sheets of `training`."""
        return self.folder / SHEETS / training.key[:SHORT]

    def all(self) -> list[Training]:
        """The trainings, oldest first. Rows that cannot be read are left out."""
        found: dict[int, Training] = {}
        with suppress(OSError):
            for line in (self.folder / REGISTER).read_bytes().splitlines(keepends=True):
                if training := _training(line):
                    found.setdefault(training.number, training)
        return [found[number] for number in sorted(found)]

    def begin(self, *, key: str, definition: str, size: int | None, epochs: int | None, began: str) -> Training:
        """Give the training `key` the next number, unless it has one; forget why it failed before."""
        with self._locked():
            known = self.all()
            training = next((each for each in known if each.key == key), None) or Training(
                number=self._number(key, known), key=key, definition=definition, size=size, epochs=epochs, began=began
            )
            self._write(known, replace(training, epochs=epochs, error=""))
        return training

    def fail(self, key: str, error: str) -> None:
        """Note why the training `key` failed."""
        with self._locked():
            known = self.all()
            for training in known:
                if training.key == key:
                    self._write(known, replace(training, error=error))

    def adopt(self, found: Iterable[Training]) -> None:
        """Give numbers to trainings of earlier releases, which have none, in the order in which they began.

        The numbers of `found` do not matter.
        """
        numbered = {training.key for training in self.all()}
        for training in sorted(found, key=lambda training: training.began):
            if training.key not in numbered:
                facts = {name: value for name, value in asdict(training).items() if name not in ("number", "error")}
                self.begin(**facts)
                numbered.add(training.key)

    def link(self, training: Training, targets: dict[str, Path | None]) -> None:
        """Let the training's name lead to its folder, and the names in that folder to `targets`; None: to nothing."""
        folder = self.sheets(training)
        folder.mkdir(parents=True, exist_ok=True)
        point(self.folder / training.name, folder)
        for name, target in targets.items():
            point(folder / name, target)

    def unlink(self, training: Training) -> None:
        """Remove the name of a training whose files are gone, if it is a link; what a person put there stays."""
        point(self.folder / training.name, None)

    def _number(self, key: str, known: list[Training]) -> int:
        """A number for a training that is not in the register: the next one.

        If somebody deleted the register, the links tell which numbers are taken, and whether one is that of `key`.
        """
        taken = {training.number for training in known}
        for path in self.folder.glob("[0-9]*-*"):
            number = path.name.partition("-")[0]
            if number.isascii() and number.isdecimal() and _is_pointer(path):
                if Path(_pointed(path)).name == key[:SHORT] and int(number) not in taken:
                    return int(number)
                taken.add(int(number))
        return max(taken, default=0) + 1

    def _write(self, known: list[Training], changed: Training) -> None:
        rows = {training.number: training for training in known}
        if rows.get(changed.number) != changed:
            rows[changed.number] = changed
            lines = "".join(dump_row(asdict(rows[number])) for number in sorted(rows))
            write_whole(self.folder / REGISTER, lines.encode("utf-8", "replace"))

    def _locked(self) -> Any:
        """Hold this while a number is given: two processes must not take the same. Errors: `Timeout`, `OSError`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / f".{REGISTER}.lock", timeout=LOCK_SECONDS)


def point(path: Path, target: Path | None) -> None:
    """Let `path` lead to `target`: a relative symbolic link, or a text file where links are not possible.

    With None remove it. Anything else that has that name stays, as it is not ours.
    """
    there = os.path.lexists(path)
    if there and not _is_pointer(path):
        return
    if target is None:
        if there:
            path.unlink()
        return
    relative = os.path.relpath(target, path.parent)
    if there and _pointed(path) == relative:
        return
    draft = path.with_name(f".{path.name}-{os.getpid()}")
    draft.unlink(missing_ok=True)  # of a killed process that had the same number
    try:
        os.symlink(relative, draft, target_is_directory=True)
    except OSError:
        draft.write_text(Path(relative).as_posix() + "\n", encoding="utf-8")
    os.replace(draft, path)


def _is_pointer(path: Path) -> bool:
    """Whether `point` made `path`."""
    return path.is_symlink() or (
        path.is_file() and _pointed(path).startswith((f"{SHEETS}{os.sep}", f"{os.pardir}{os.sep}"))
    )


def _pointed(path: Path) -> str:
    """Where `path` leads to, relative to its folder; empty if it is too long, or no link and no text file."""
    with suppress(OSError, UnicodeDecodeError):
        if path.is_symlink():
            return os.readlink(path)
        if path.stat().st_size < LONGEST_PATH:
            return str(Path(path.read_text(encoding="utf-8").strip()))
    return ""


def _training(line: bytes) -> Training | None:
    """The training in a line of the register, or None: a person may have edited it, or a disk damaged it."""
    try:
        row = parse_row(line, REGISTER)
        made = Training(**{field.name: row[field.name] for field in fields(Training)})
    except (DamagedState, KeyError):
        return None
    numbers = (made.number, *(each for each in (made.size, made.epochs) if each is not None))
    texts = (made.definition, made.began, made.error)
    fine = all(type(each) is int and 0 < each < 10**9 for each in numbers) and all(isinstance(t, str) for t in texts)
    return made if fine and is_digest(made.key) else None
