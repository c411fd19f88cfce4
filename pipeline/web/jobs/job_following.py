"""How the run of a job stands: by its own record and process, whatever other runs of the dataset there are."""

from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.run_process import is_alive, is_at_work
from pipeline.run_record import RunState
from pipeline.web.jobs.background_run import BackgroundRun
from pipeline.web.jobs.job import Job
from pipeline.web.jobs.run_status import (
    KILLED,
    RunStatus,
    died,
    ending,
    is_of,
    last_line,
    log_lines,
    newest_records,
    read_record,
    state_by_code,
    while_at_work,
)

GONE = "gone"  # the state of a run whose process ended without saying how


@dataclass(frozen=True, kw_only=True)
class Followed:
    """How the run of a job stands. `status.state` is 'running', one of the states of a job that is over, or `GONE`."""

    status: RunStatus
    record: RunState | None = None


def job_record(job: Job, runs: Path) -> RunState | None:
    """The record of the run of `job` in the folder `runs`; None if there is none yet."""
    if job.run:
        return read_record(runs / job.run)
    process = job.process
    return next((state for state in newest_records(runs) if process and is_of(state, process)), None)


def follow(job: Job, background_run: BackgroundRun, log: Path) -> Followed:
    """How the run of `job` stands, which was started."""
    record = job_record(job, background_run.runs)
    if record is None:
        return Followed(status=_without_record(job, background_run, log))
    shown = while_at_work(record)
    if is_at_work(record, background_run.runs / record.name):
        return Followed(status=shown, record=record)
    code = background_run.exit_code(job.process) if job.process else None
    state, outcome = ending(record, code, background_run.runs)
    if not record.outcome and (code is None or code < 0):
        state = "stopped" if job.stop_asked else GONE
    return Followed(status=replace(shown, state=state, outcome=outcome), record=record)


def _without_record(job: Job, background_run: BackgroundRun, log: Path) -> RunStatus:
    """A run that did not get as far as its record: it starts, or it was refused."""
    lines = log_lines(log)
    status = RunStatus(state="running", until=job.until, began=job.started, lines=lines)
    if job.process and is_alive(job.process.pid, job.process.born):
        return status
    code = background_run.exit_code(job.process) if job.process else None
    if code is None or code < 0:
        stopped = replace(status, state="stopped", outcome="it was stopped before its run began")
        return stopped if job.stop_asked else replace(status, state=GONE, outcome=KILLED)
    return replace(status, state=state_by_code(code), outcome=last_line(lines) or died(code))
