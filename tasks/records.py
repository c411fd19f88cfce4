"""The record of a run: `data/<dataset>/runs/<run>/` holds record.jsonl (what ran, what was reused) and log.txt."""

import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.store.jsonl import dump_row, read_rows
from tasks import homes

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
class Record:
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
        """Append one line."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(dump_row({"event": event, "time": now(), **facts}))
            file.flush()
            os.fsync(file.fileno())

    def rows(self) -> list[dict[str, Any]]:
        """What was recorded so far."""
        return list(read_rows(self.path)) if self.path.exists() else []

    def began(self) -> datetime:
        """When the run started."""
        return datetime.fromisoformat(self.rows()[0]["time"])

    def stages(self) -> dict[str, str]:
        """Each stage that this run has touched and how it ended: ran, reused, failed or stopped."""
        return {row["stage"]: row["outcome"] for row in self.rows() if row["event"] == "stage"}


def runs_folder(dataset: str) -> Path:
    """Where the runs of a dataset are recorded."""
    return homes.dataset_folder(dataset) / "runs"


def new_name() -> str:
    """A name for a run that starts now: sorts by time, and no two processes share one."""
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}-{os.getpid()}"


def record(dataset: str, run: str) -> Record:
    """The record of a run, begun if it is not there yet."""
    found = Record(runs_folder(dataset) / run)
    if not found.path.exists():
        found.add("start", versions=versions(), pid=os.getpid())
    return found


def last(dataset: str) -> Record | None:
    """The newest run of `dataset`, or None."""
    folders = sorted(path for path in runs_folder(dataset).glob("*") if (path / NAME).exists())
    return Record(folders[-1]) if folders else None


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send what libraries log, meanwhile, to the file `path`."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
