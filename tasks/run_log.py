"""Writes the record of a run: `data/<dataset>/runs/<run>/` holds record.jsonl (its events) and log.txt (what libraries
log). The fields of the events are in pipeline/run_record.py."""

import logging
import multiprocessing
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

from pipeline.errors import of_system
from pipeline.progress import LONGEST_NOTE
from pipeline.run_record import (
    KINDS,
    LONGEST_LINE,
    NAME,
    RunState,
    process_start,
    read_events,
    read_state,
)
from pipeline.store.jsonl import dump_row, timestamp
from pipeline.text import to_plain_line
from tasks import console, paths

PACKAGES = ("tensorflow", "keras", "luigi", "icrawler", "numpy", "opencv-python-headless", "Pillow", "scikit-learn")
# The longest text of each field that quotes something: the record stays small, and a line of it is one line
LONGEST = {"note": LONGEST_NOTE, **dict.fromkeys(("reason", "text", "made", "error"), LONGEST_LINE)}


def versions() -> dict[str, str]:
    """What the figures depend on: the versions of Python, the system and the packages."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    return found | {name: metadata.version(name) for name in PACKAGES}


@dataclass(frozen=True)
class RunLog:
    """One run of one dataset. Every line is in the file when the call returns; all but progress are on the disk too."""

    folder: Path

    @property
    def run(self) -> str:
        """The run's name: when it started, and its process."""
        return self.folder.name

    @property
    def path(self) -> Path:
        """The events, one JSON object a line."""
        return self.folder / NAME

    @property
    def log(self) -> Path:
        """The log of the libraries, which the console does not show."""
        return self.folder / "log.txt"

    def add(self, event: str, **facts: Any) -> Any:
        """Append one event, and return it as the model that `KINDS` has for it; `facts` are its fields.

        If the disk does not take it, this process keeps it, says so once and tries again with the next event: a run
        must not fail because of its record, and a record must not hide why a run fails.
        """
        texts = {name: to_plain_line(str(facts[name]), most) for name, most in LONGEST.items() if name in facts}
        row = {"event": event, "time": timestamp("milliseconds"), **facts, **texts}
        made = KINDS[event].model_validate(row)
        waiting = [*_unwritten.pop(self.path, []), row]
        try:
            durable = any(each["event"] != "progress" for each in waiting)
            self._append("".join(map(dump_row, waiting)).encode(), durable=durable)
        except OSError as error:
            if len(waiting) == 1:
                print(f"the record of this run cannot be written: {of_system(error, self.path)}", file=sys.stderr)
            kept = [each for each in waiting if each["event"] != "progress"]
            _unwritten[self.path] = kept if kept and event == "progress" else waiting
        return made

    def add_and_print(self, event: str, **facts: Any) -> None:
        """Append one event and print its line on the console."""
        console.print_event(self.add(event, **facts))

    def _append(self, data: bytes, *, durable: bool) -> None:
        """Write `data` in one call, so that processes of one run do not mix their lines."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b", buffering=0) as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # an incomplete line must not swallow the next one
                    data = b"\n" + data
            while data:
                data = data[file.write(data) :]
            if durable:  # of progress the next line comes soon, and a sync may wait for all that a stage writes
                os.fsync(file.fileno())

    def rows(self) -> list[dict[str, Any]]:
        """The events so far, as JSON objects. Lines that are damaged are left out."""
        return [*(event.row() for event in read_events(self.path)), *_unwritten.get(self.path, [])]

    def state(self) -> RunState:
        """How the run stands."""
        found = read_state(self.folder)
        for row in _unwritten.get(self.path, []):
            found.add(KINDS[row["event"]].model_validate(row))
        return found

    def began(self) -> datetime | None:
        """When the run started; None if the record does not say."""
        try:
            return datetime.fromisoformat(self.state().began)
        except ValueError:
            return None

    def stages(self) -> dict[str, str]:
        """Each stage that this run has touched and how it ended: ran, reused, failed or stopped."""
        return {stage: event.outcome for stage, event in self.state().ended.items()}


_unwritten: dict[Path, list[dict[str, Any]]] = {}  # events that the disk did not take, by record


def runs_folder(dataset: str) -> Path:
    """Where the runs of a dataset are recorded."""
    return paths.dataset_folder(dataset) / "runs"


def new_name() -> str:
    """The name of a run that starts now. Names sort by time, and no two processes get the same."""
    return f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}-{os.getpid()}"


def record(dataset: str, run: str) -> RunLog:
    """The record of a run; writes the first event if there is none."""
    found = RunLog(runs_folder(dataset) / run)
    if not found.rows():
        parent = multiprocessing.parent_process()  # Luigi's worker forks a process for a task; the run is the parent
        pid = (parent.pid if parent else None) or os.getpid()
        found.add("start", pid=pid, born=process_start(pid), host=platform.node(), versions=versions())
    return found


def newest(dataset: str, most: int = 20) -> list[RunLog]:
    """The runs of `dataset` that began last, the newest first."""
    folders = sorted((path for path in runs_folder(dataset).glob("*") if (path / NAME).exists()), reverse=True)
    return [RunLog(folder) for folder in folders[:most]]


def last(dataset: str) -> RunLog | None:
    """The newest run of `dataset`, or None."""
    return next(iter(newest(dataset, 1)), None)


class _Quiet(logging.FileHandler):
    """A log file; lines that cannot be written are lost without a traceback on the console."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out."""

    def close(self) -> None:
        """Close the file; what a full disk did not take is lost."""
        with suppress(OSError):
            super().close()


def _handler(path: Path) -> logging.Handler:
    try:
        return _Quiet(path, encoding="utf-8")
    except OSError:  # `RunLog.add` says that nothing can be written there
        return logging.NullHandler()


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send what libraries log to the file `path` until the block ends."""
    handler = _handler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
