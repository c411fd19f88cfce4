"""One run's record, what the console prints, what the label page shows and what luigid is told agree."""

import html
import re
from dataclasses import dataclass, field
from pathlib import Path

import luigi
import pytest
from filelock import FileLock

from pipeline.errors import Stopped, UserError
from pipeline.run_record import RunState, StageAdvanced, StageEnded, StageStarted, Waiting, read_events, read_state
from pipeline.web.jobs.background_run import BackgroundRun, RunStatus
from tasks import isolation, run_log, runner, signals, stage_reporter
from tasks.cli import main
from tasks.run_pipeline import RunPipeline

SMALL = ["--download-sources", "demo", "--download-demo-pictures", "20", "--normalize-size", "16"]
WORDS = ["run", "--until", "normalize", *SMALL, "--normalize-processes", "1"]
HOSTILE_TEXT = "\x1b[2J<img src=x onerror=alert(1)> \u202e"


@dataclass
class LuigidMessages:
    """What luigid's page shows, by stage: every status message, every percentage."""

    messages: dict[str, list[str]] = field(default_factory=dict)
    percents: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class ObservedRun:
    """One run, from all sides."""

    code: int
    console: list[str]
    record: Path
    luigid: LuigidMessages
    pages: list[RunStatus]  # one after each event

    @property
    def state(self) -> RunState:
        return read_state(self.record.parent)

    @property
    def page(self) -> RunStatus:
        return BackgroundRun(command=("false",), dataset="demo", folder=Path("data/demo")).progress()

    def events(self, kind: type) -> list:
        return [event for event in read_events(self.record) if isinstance(event, kind)]


@pytest.fixture
def eager_reports(tmp_path, monkeypatch):
    """An empty working folder in which nothing that is reported is left out for being too soon."""
    monkeypatch.chdir(tmp_path)
    for name in ("RECORD_EVERY", "STEPS", "SHOW_EVERY"):
        monkeypatch.setattr(stage_reporter, name, 1e-9 if name != "STEPS" else 10**12)
    monkeypatch.setattr(signals, "_asked", signals.threading.Event())
    return tmp_path


@pytest.fixture
def observe_run(eager_reports, monkeypatch, capsys):
    """`observe_run(*words)` runs a command in this process; returns what each side saw of it."""
    told, pages = LuigidMessages(), []

    class Scheduler(luigi.scheduler.Scheduler):
        def set_task_status_message(self, task_id, status_message):
            told.messages.setdefault(stage_of(task_id), []).append(status_message)

        def set_task_progress_percentage(self, task_id, progress_percentage):
            told.percents.setdefault(stage_of(task_id), []).append(progress_percentage)

    monkeypatch.setattr(runner.Factory, "create_local_scheduler", lambda _: Scheduler(record_task_history=False))
    add = run_log.RunLog.add

    def watched(record, event, **facts):
        made = add(record, event, **facts)
        pages.append(BackgroundRun(command=("false",), dataset="demo", folder=Path("data/demo")).progress())
        return made

    monkeypatch.setattr(run_log.RunLog, "add", watched)

    def run(*words: str) -> ObservedRun:
        code = main(list(words))
        return ObservedRun(code, capsys.readouterr().err.splitlines(), run_log.last("demo").path, told, pages)

    return run


def stage_of(task_id: str) -> str:
    return task_id.partition("_")[0].lower()


def fail_stage(monkeypatch, stage: str, error: BaseException) -> None:
    """Have the function of `stage` report some progress and then raise `error`."""
    call = isolation.call_function

    def work(name, *arguments, **keywords):
        if stage not in name:
            return call(name, *arguments, **keywords)
        keywords["progress"](3, 12, f"half way {HOSTILE_TEXT}")
        raise error

    monkeypatch.setattr(isolation, "call_function", work)


def counts(lines: list[str], stage: str) -> list[tuple[int, int]]:
    """What the console says of the progress of `stage`."""
    found = (re.match(rf"{stage} +(\d+) of (\d+) \(\d+ %\)", line) for line in lines)
    return [(int(match[1]), int(match[2])) for match in found if match]


def assert_agree(run: ObservedRun) -> None:
    """The same stages in the same order, the same done and total, the same final word of each stage and of the run."""
    started = [event.stage for event in run.events(StageStarted)]
    assert [line.split()[0] for line in run.console if line.endswith(" starts")] == started
    assert list(dict.fromkeys(page.stage for page in run.pages if page.stage)) == started
    for stage in started:
        events = [event for event in run.events(StageAdvanced) if event.stage == stage]
        (end,) = [event for event in run.events(StageEnded) if event.stage == stage]
        recorded = [(event.done, event.total) for event in events if event.total]
        assert recorded
        assert counts(run.console, stage) == recorded
        assert [(page.done, page.total) for page in run.pages if page.stage == stage and page.total] == recorded
        percents = [event.percent for event in events if event.total]
        assert [page.percent for page in run.pages if page.stage == stage and page.total] == percents
        assert run.luigid.percents[stage] == percents + [100] * (end.outcome == "ran")
        messages = [html.unescape(message) for message in run.luigid.messages[stage]]
        assert messages == [*(event.note for event in events), end.made or end.error]
    assert run.page.state == run.state.outcome
    assert run.page.outcome == run.state.final_line


def test_contract_of_a_run_that_is_done(observe_run):
    run = observe_run(*WORDS)
    assert (run.code, run.page.state) == (0, "done")
    assert_agree(run)
    last = run.state.ended["normalize"].made
    assert f"normalize  {last}" in run.console
    assert run.page.outcome == f"normalize {last}"


def test_contract_of_a_run_that_finds_everything_up_to_date(observe_run):
    observe_run(*WORDS)
    run = observe_run(*WORDS)
    assert run.state.ended["normalize"].outcome == "reused"
    assert (run.page.state, run.page.outcome) == ("done", f"normalize {run.state.ended['normalize'].made}")
    assert f"normalize  {run.state.ended['normalize'].made}" in run.console


def test_contract_of_a_run_that_fails_with_hostile_text(observe_run, monkeypatch):
    fail_stage(monkeypatch, "normalize", UserError(f"no square in {HOSTILE_TEXT}; run `python -m tasks labels`"))
    run = observe_run(*WORDS)
    assert (run.code, run.page.state) == (1, "failed")
    assert_agree(run)
    (line,) = [line for line in run.console if "failed:" in line]
    assert run.page.outcome == " ".join(line.split())
    assert all(line.isprintable() for line in run.console)
    assert not any("<img" in message for messages in run.luigid.messages.values() for message in messages)


def test_contract_of_a_run_that_a_fault_of_ours_ends(observe_run, monkeypatch):
    fail_stage(monkeypatch, "normalize", KeyError("surprise"))
    run = observe_run(*WORDS)
    assert (run.code, run.page.state, run.page.outcome) == (1, "failed", "normalize failed: KeyError: 'surprise'")
    assert "normalize  failed: KeyError: 'surprise'" in run.console


def test_contract_of_a_run_that_is_stopped(observe_run, monkeypatch):
    fail_stage(monkeypatch, "normalize", Stopped("stopped after 3 of 12"))
    run = observe_run(*WORDS)
    assert (run.code, run.page.state) == (130, "stopped")
    assert_agree(run)
    assert run.console[-1] == run.page.outcome == "stopped after 3 of 12"


def test_contract_of_an_error_before_the_first_stage(observe_run, monkeypatch):
    monkeypatch.setattr(runner, "_fetch_weights", lambda *_: (_ for _ in ()).throw(UserError("no such weights")))
    run = observe_run(*WORDS)
    assert (run.code, run.page.state, run.page.outcome) == (2, "failed", "no such weights")
    assert run.console == ["error: no such weights"]


def test_contract_of_a_stage_that_waits(observe_run, eager_reports):
    task = RunPipeline(dataset="demo", options="download.sources=demo download.demo_pictures=20").stages()[0]
    with FileLock(task.artifact_store.lock(task.key()).lock_file) as lock:
        asked = iter([False, False])

        def release() -> bool:
            if next(asked, True):
                lock.release()
            return False

        signals.should_stop, kept = release, signals.should_stop
        try:
            run = observe_run(*WORDS)
        finally:
            signals.should_stop = kept
    (wait,) = run.events(Waiting)
    assert f"download   waits: {wait.reason}" in run.console
    assert [page.note for page in run.pages if page.note.startswith("waits")] == [f"waits: {wait.reason}"]
    assert_agree(run)
