"""The turn of one subject: a process of its own, whatever becomes of it is a value, and the record of it.

A subject that fails, is killed or hangs holds up no other: its turn is over, and its record says how it ended.
"""

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from luigi import configuration

from pipeline.errors import Stopped, of_system
from pipeline.night_record import HAD_TURN, Outcome, RunningTurn, Turn
from pipeline.option_types import plain_number
from pipeline.run_process import is_alive
from pipeline.run_record import LONGEST_LINE, NAME, RunState, duration, read_events, seconds_waited
from pipeline.store.jsonl import timestamp
from pipeline.text import to_plain_line
from tasks import disk_budget, isolation, run_log, signals
from tasks.nightly import night_figures, night_files
from tasks.nightly.night_options import NightlyOptions
from tasks.nightly.subject_process import FoundProcess, Limits, OwnProcess, ProcessEnd, SubjectProcess, follow

COMMAND = (sys.executable, "-m", "tasks")
LOG_TAIL = 1 << 14  # bytes at the end of a log, in which its last line is looked for
NIGHTS_BACK = 110  # the newest, under whose dates a turn is looked for: `nightly --missed` makes up for 100

Start = Callable[[Sequence[str], Path], SubjectProcess]


@dataclass(frozen=True, kw_only=True)
class TurnEnd:
    """How a turn ended, and the run that it made."""

    outcome: Outcome
    line: str
    run: str = ""


def command(subject: str, options: NightlyOptions) -> list[str]:
    """The command of a turn: a run whose flags are not remembered, so that they do not bind runs by day. It reports to
    the luigid to which the night reports.
    """
    minutes = [] if options.minutes is None else [f"--gan-max-minutes={plain_number(options.minutes)}"]
    until = ["--until", options.until] if options.until else []
    refresh = ["--refresh"] if options.refreshes else []
    url = configuration.get_config().get("core", "scheduler_url", "")
    scheduler = ["--scheduler", url] if url else []
    return [*COMMAND, "run", "--dataset", subject, "--unremembered", *refresh, *until, *minutes, *scheduler]


def give_turn(night: date, subject: str, options: NightlyOptions, *, need: str, start: Start = OwnProcess) -> Turn:
    """Run one subject to its end or its limits, and keep the record of its turn, which is returned.

    Errors: `Stopped` if this command was asked to stop: the subject has its turn when the night goes on.
    """
    running = night_files.running(night, subject)
    if running and (end := _ended_meanwhile(subject, running)):
        return record_turn(night, subject, running, end, need=need)
    if running and is_alive(running.pid, running.born):
        process: SubjectProcess = FoundProcess(running)
    else:  # of a turn that was interrupted the figures before it are those to compare with
        before = running.before if running else night_figures.read_figures(subject)
        began = timestamp("milliseconds")
        try:
            process = start(command(subject, options), night_files.log(night, subject))
        except OSError as error:
            line = f"its process could not be started: {of_system(error)}"
            return skip(night, subject, need=need, outcome="failed", line=line)
        pid, born = getattr(process, "pid", 0), getattr(process, "born", None)
        running = RunningTurn(pid=pid, born=born, began=began, before=before)
        night_files.write_running(night, subject, running)
    limits = Limits(turn=options.turn_seconds, night=seconds_left(night, options))
    end = follow(
        process,
        limits=limits,
        should_stop=signals.should_stop,
        waited=partial(_waited, subject, running),
        spent=_since(running.began),
    )
    if end.ended_by == "stopped":
        raise Stopped
    return record_turn(night, subject, running, end, need=need)


def record_turn(night: date, subject: str, running: RunningTurn, end: ProcessEnd, *, need: str) -> Turn:
    """Keep how the turn ended, and what the subject has now."""
    log = night_files.log(night, subject)
    ended, sheet = turn_end(_own_run(subject, running), end, log), night_figures.last_sheet(subject)
    found = Turn(
        subject=subject,
        need=need,
        outcome=ended.outcome,
        line=" ".join(to_plain_line(ended.line, LONGEST_LINE).split()),
        began=running.began,
        seconds=math.ceil(end.seconds * 10) / 10,  # never less than it took: else seconds of the night would be left
        run=ended.run,
        log=str(log),
        before=running.before,
        after=night_figures.read_figures(subject),
        alarms=night_figures.lasting_alarms(subject),
        wants=night_figures.wanted(subject),
        bytes=disk_budget.size_of_dataset(subject),
        sheet=sheet.path,
        columns=sheet.columns,
    )
    kept = night_files.write_turn(night, found)
    night_files.end_running(night, subject)
    return kept


def turn_end(run: RunState | None, end: ProcessEnd, log: Path) -> TurnEnd:
    """How a turn ended, by the record of its run, the end of its process, and what it printed."""
    name = run.name if run else ""
    where = f" in the stage {run.stage}" if run and run.stage else ""
    is_done = run is not None and run.outcome == "done"
    if end.ended_by == "hung" and not is_done:
        how = "killed, as it did not stop" if end.was_killed else "stopped"
        return TurnEnd(outcome="hung", line=f"over its time after {duration(end.seconds)}{where}: {how}", run=name)
    if end.ended_by == "waited" and not is_done:
        line = f"another run was at work all the time, for which it waited{where}; the next night continues"
        return TurnEnd(outcome="waited", line=line, run=name)
    if end.ended_by == "cut" and not is_done:
        line = f"the hours of the night were over{where}; the next night continues"
        return TurnEnd(outcome="cut", line=line, run=name)
    if run and run.end:
        return TurnEnd(outcome=run.end.outcome, line=run.final_line, run=name)
    if end.code is not None and end.code >= 0:  # it ended before it had a record, or without one
        last = _last_line(log)
        return TurnEnd(outcome="failed" if end.code else "done", line=last or f"ended with code {end.code}", run=name)
    if end.code is None:
        return TurnEnd(outcome="killed", line=f"its process died{where}, while nobody followed it", run=name)
    return TurnEnd(outcome="killed", line=f"{isolation.epitaph(end.code)}{where and f' ({where.strip()})'}", run=name)


def skip(night: date, subject: str, *, need: str, outcome: Outcome, line: str) -> Turn:
    """Keep that a subject had no turn, and why."""
    figures = night_figures.read_figures(subject)
    return night_files.write_turn(night, Turn(subject=subject, need=need, outcome=outcome, line=line, after=figures))


def seconds_left(night: date, options: NightlyOptions) -> float | None:
    """How long the turns of a night may still take; None: any time. Waiting between its commands does not count."""
    if options.night_seconds is None:
        return None
    return max(0.0, options.night_seconds - sum(turn.seconds for turn in night_files.turns(night).values()))


def turn_since(night: date, subject: str, *, command_began: datetime) -> date | None:
    """The night under whose date the subject has had a turn since the day of `night` ended, or in this command; None if
    it has not: then a missed night has something to make up for."""
    end_of_day = datetime.combine(night + timedelta(days=1), datetime.min.time()).astimezone()
    since = min(end_of_day, command_began)
    for other in night_files.dates()[:NIGHTS_BACK]:
        found = night_files.turn(other, subject) if other != night else None
        if found and found.outcome in HAD_TURN and _moment(found.began) >= since:
            return other
    return None


def _ended_meanwhile(subject: str, running: RunningTurn) -> ProcessEnd | None:
    """The end of a process that nobody followed, if its run says that it ended: then it need not run again."""
    run = None if is_alive(running.pid, running.born) else _own_run(subject, running)
    if run is None or run.end is None or run.outcome == "stopped":
        return None
    seconds = (_moment(run.end.time) - _moment(running.began)).total_seconds()
    return ProcessEnd(code=None, ended_by="", seconds=max(0.0, seconds))


def _own_run(subject: str, running: RunningTurn) -> RunState | None:
    """The record of the run that the process of a turn has made; None if it did not get that far."""
    for record in run_log.newest(subject, 5):
        with suppress(ValueError):
            state = record.state()
            if state.pid == running.pid and _moment(state.began) >= _moment(running.began) - timedelta(seconds=5):
                return state
    return None


def _waited(subject: str, running: RunningTurn) -> float:
    """For how many seconds the run of a turn has waited for other runs."""
    run = _own_run(subject, running)
    events = read_events(run_log.runs_folder(subject) / run.name / NAME, progress=False) if run else []
    return seconds_waited(events, datetime.now(timezone.utc))


def abandoned(night: date) -> list[tuple[date, str]]:
    """The turns of other nights that are still at work, as the command was killed that gave them: night and subject."""
    found = [(other, subject) for other in night_files.dates()[:NIGHTS_BACK] for subject in night_files.at_work(other)]
    running = [(other, subject, night_files.running(other, subject)) for other, subject in found if other != night]
    return [(other, subject) for other, subject, each in running if each and is_alive(each.pid, each.born)]


def _last_line(log: Path) -> str:
    """The last line that a process printed, without the word error."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOG_TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return str(of_system(error, log))
    return next((line.strip().removeprefix("error: ") for line in reversed(lines) if line.strip()), "")


def _since(began: str) -> float:
    """How many seconds ago something began."""
    return max(0.0, (datetime.now(timezone.utc) - _moment(began)).total_seconds())


def _moment(text: str) -> datetime:
    """The moment of an ISO 8601 text; the beginning of time if it is none."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(0, timezone.utc)
