"""How the last run of a dataset ended, by the first and the last line of its record: a record may have thousands."""

import os
from pathlib import Path

from pydantic import ValidationError

from pipeline.errors import DamagedState
from pipeline.run_record import NAME, RunEnded
from pipeline.store.jsonl import parse_row
from pipeline.web.jobs.background_run import FOLDER
from pipeline.web.jobs.run_status import MAX_RUNS_READ, RunStatus

END = 8192  # bytes at the end of a record, which hold its last line
START = 4096


def ended_run(folder: Path, names: list[str]) -> RunStatus | None:
    """How the newest run below `folder`/runs ended, if its record says so and no other of the newest may be at work.

    Args:
        folder: The folder of the dataset.
        names: The folders of its runs, the newest first.
    """
    records = [folder / "runs" / name / NAME for name in names[:MAX_RUNS_READ]]
    ends = [_end(record) for record in records]
    if not ends or ends[0] is None or not all(ends) or _started_since(folder, records[0]):
        return None
    return RunStatus(state=ends[0].outcome, began=_began(records[0]), outcome=ends[0].line())


def _started_since(folder: Path, record: Path) -> bool:
    """Whether the studio started a process after the newest record: it may not have one yet."""
    try:
        return (folder / FOLDER / "run.json").stat().st_mtime_ns > record.stat().st_mtime_ns
    except OSError:
        return False


def _end(record: Path) -> RunEnded | None:
    """The last event of a record, if it is the end of the run."""
    try:
        with record.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - END))
            row = parse_row(file.read().splitlines(keepends=True)[-1], NAME)
        return RunEnded.model_validate(row) if row["event"] == "end" else None
    except (OSError, IndexError, KeyError, DamagedState, ValidationError):
        return None


def _began(record: Path) -> str:
    try:
        with record.open("rb") as file:
            return str(parse_row(file.readline(START), NAME)["time"])
    except (OSError, KeyError, DamagedState):
        return ""
