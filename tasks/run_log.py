"""The record of a run: `data/<dataset>/runs/<run>/` holds record.jsonl (what ran, what was reused) and log.txt."""

import logging
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState, of_system
from pipeline.store.jsonl import dump_row, parse_row
from tasks import paths

PACKAGES = ("tensorflow", "keras", "luigi", "icrawler", "numpy", "opencv-python-headless", "Pillow", "scikit-learn")
NAME = "record.jsonl"


def now() -> str:
    """The time in UTC, ISO 8601, to the millisecond."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def versions() -> dict[str, str]:
    """What decides how the figures come out: Python, the system, the packages."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    return found | {name: metadata.version(name) for name in PACKAGES}


@dataclass(frozen=True)
class RunLog:
    """One run of one dataset. Every line is on the disk when the call returns."""

    folder: Path

    @property
    def run(self) -> str:
        """The run's name: when it started, and its process."""
        return self.folder.name

    @property
    def path(self) -> Path:
        """What happened, a line an event."""
        return self.folder / NAME

    @property
    def log(self) -> Path:
        """The log of everything that the console does not show."""
        return self.folder / "log.txt"

    def add(self, event: str, **facts: Any) -> None:
        """Append one line. Where the disk does not take it, this process keeps it, and says so once: a run must not
        fail for its record, nor a record hide why a run fails."""
        row = {"event": event, "time": now(), **facts}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(dump_row(row))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if not _unwritten.get(self.path):
                print(f"the record of this run cannot be written: {of_system(error, self.path)}", file=sys.stderr)
            _unwritten.setdefault(self.path, []).append(row)

    def rows(self) -> list[dict[str, Any]]:
        """What was recorded so far. Lines that a power cut or a hand has damaged are left out."""
        return [*_readable(self.path), *_unwritten.get(self.path, [])]

    def began(self) -> datetime | None:
        """When the run started; None where the record does not say."""
        try:
            return datetime.fromisoformat(self.rows()[0]["time"])
        except (IndexError, KeyError, TypeError, ValueError):
            return None

    def stages(self) -> dict[str, str]:
        """Each stage that this run has touched and how it ended: ran, reused, failed or stopped."""
        return {row["stage"]: row["outcome"] for row in self.rows() if row["event"] == "stage"}


_unwritten: dict[Path, list[dict[str, Any]]] = {}  # lines that no disk took, by record
_FIELDS = {"start": set(), "options": set(), "stage": {"stage", "outcome"}, "end": {"outcome"}}


def _readable(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a record that are whole and say what a line of their event says."""
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError:  # it is not there, or may not be read
        return
    if lines:
        for line in lines:
            try:
                row = parse_row(line, str(path))
            except DamagedState:
                continue
            needed = _FIELDS.get(str(row.get("event")))
            if needed is not None and all(isinstance(row.get(name), str) for name in needed | {"time"}):
                yield row


def runs_folder(dataset: str) -> Path:
    """Where the runs of a dataset are recorded."""
    return paths.dataset_folder(dataset) / "runs"


def new_name() -> str:
    """A name for a run that starts now: sorts by time, and no two processes share one."""
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}-{os.getpid()}"


def record(dataset: str, run: str) -> RunLog:
    """The record of a run, begun if it is not there yet."""
    found = RunLog(runs_folder(dataset) / run)
    if not found.rows():
        found.add("start", versions=versions(), pid=os.getpid())
    return found


def last(dataset: str) -> RunLog | None:
    """The newest run of `dataset`, or None."""
    folders = sorted(path for path in runs_folder(dataset).glob("*") if (path / NAME).exists())
    return RunLog(folders[-1]) if folders else None


class _Quiet(logging.FileHandler):
    """A log that cannot be written costs its lines, and no traceback for each of them on the console."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out."""

    def close(self) -> None:
        """Close the file; what a full disk did not take is lost."""
        with suppress(OSError):
            super().close()


def _handler(path: Path) -> logging.Handler:
    try:
        return _Quiet(path, encoding="utf-8")
    except OSError:  # the record, beside it, says that nothing can be written there
        return logging.NullHandler()


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send what libraries log, meanwhile, to the file `path`."""
    handler = _handler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
