"""How a run ends, on the console and in its record."""

from types import SimpleNamespace

import luigi
import pytest
from luigi.rpc import RPCError

from tasks import luigid, run_log, runner
from tasks.runner import TaskFailure
from tasks.stages import TrainGan


class Undone(luigi.Task):
    """Is never complete."""

    def complete(self):
        return False


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return run_log.record("demo", "a-run")


def build(monkeypatch, *outcomes) -> runner.Ending:
    """What `build` returns when Luigi's rounds end like this."""
    rounds = iter(outcomes)

    def one(*_, **__):
        if isinstance(outcome := next(rounds), Exception):
            raise outcome
        return SimpleNamespace(status=outcome)

    monkeypatch.setattr(luigi, "build", one)
    monkeypatch.setattr(luigid.Waiting, "POLL_SECONDS", 0)
    return runner.build(Undone(), 1, luigid.Waiting("", print))


def test_verdict_on_a_lost_luigid_is_one_line_that_says_what_to_do(record, monkeypatch, capsys):
    ending = build(monkeypatch, luigi.LuigiStatusCode.NOT_RUN, RPCError("Connection refused"))
    assert runner._verdict(Undone(), record, ending) == 1
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("not finished: luigid does not answer (Connection refused); what is made is kept: start it")
    assert str(record.log) in last
    assert (record.rows()[-1]["event"], record.rows()[-1]["outcome"]) == ("end", "failed")


def test_verdict_names_and_records_a_stage_whose_process_died(record, capsys):
    failure = TaskFailure(task=TrainGan(dataset="demo"), line="its process was ended by signal 9")
    ending = runner.Ending(summary="there were failed tasks", failures=(failure,))
    assert runner._verdict(Undone(), record, ending) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "gan        failed: its process was ended by signal 9"
    assert len(said) == 2
    assert record.stages() == {"gan": "failed"}


def test_verdict_on_a_run_that_needs_labels_is_a_next_step_and_no_failure(record, capsys):
    record.add("stage", stage="classifier", outcome="next", error="label 30 on target: `make label DATASET=cats`")
    assert runner._verdict(Undone(), record, runner.Ending(summary="there were failed tasks")) == 3
    assert capsys.readouterr().err == "next: label 30 on target: `make label DATASET=cats`\n"
    assert (record.state().outcome, record.state().final_line) == (
        "next",
        "next: label 30 on target: `make label DATASET=cats`",
    )


def test_verdict_prefers_a_failure_to_a_next_step(record, capsys):
    record.add("stage", stage="classifier", outcome="next", error="label 30 on target")
    record.add("stage", stage="gan", outcome="failed", error="out of memory")
    assert runner._verdict(Undone(), record, runner.Ending(summary="there were failed tasks")) == 1
    assert "gan        failed: out of memory" in capsys.readouterr().err


def test_verdict_in_the_words_of_luigi_has_no_smiley(record, monkeypatch, capsys):
    ending = build(monkeypatch, luigi.LuigiStatusCode.SCHEDULING_FAILED)
    assert runner._verdict(Undone(), record, ending) == 1
    said = capsys.readouterr().err
    assert said.startswith("not finished: there were tasks whose scheduling failed")
    assert ":" + "(" not in said


def test_verdict_is_done_if_luigid_was_lost_after_everything_was_made(record, monkeypatch):
    ending = runner.Ending(summary="", lost="Connection refused")
    monkeypatch.setattr(Undone, "complete", lambda self: True)
    assert runner._verdict(Undone(), record, ending) == 0
    assert record.rows()[-1]["outcome"] == "done"
