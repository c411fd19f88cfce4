"""The queue: who starts when, what survives, and what a repeated submission does."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.web.jobs import job_queue, job_runner
from pipeline.web.jobs.job import MAX_ATTEMPTS
from pipeline.web.jobs.job_queue import JobQueue, OtherSubmission, Submission
from pipeline.web.jobs.run_status import Started
from tests.web.fake_dataset import FakeDataset
from tests.web.waiting import until

FAKE = Path(__file__).parent.parent / "fake_tasks.py"


@pytest.fixture
def queue(tmp_path, gate, monkeypatch):
    """The queue of a server with the datasets cats and dogs; nothing happens before `tick`."""
    monkeypatch.setattr(job_runner, "SETTLE_SECONDS", 0.0)
    made = another(tmp_path, gate)
    yield made
    gate.write_text("done")
    for job in made.all():
        if job.process and job.process.code is None:
            ended(made, job)


def another(folder, gate):
    """What a server that was started later has."""
    for name in ("cats", "dogs"):
        (FakeDataset(folder, name).data / "runs").mkdir(parents=True, exist_ok=True)
    return JobQueue(FakeDataset(folder).site(sys.executable, str(FAKE), str(gate)))


def submitted(queue, dataset="cats", until="", **more):
    return queue.submit(Submission(dataset=dataset, until=until), **more)


def states(queue):
    queue.runner.tick()
    return [job.state for job in queue.store.all()]


def ended(queue, job):
    def over():
        queue.runner.tick()
        return (found := queue.find(job.id)).is_over and found

    return until(over)


def recorded(queue, job):
    """Wait until the run of `job` has a record."""

    def has_record():
        queue.runner.tick()
        return queue.find(job.id).run

    return until(has_record)


def test_job_runs_to_its_end_with_its_settings_as_flags(queue, gate):
    gate.write_text("kept 12 of 70")
    settings = {"gan.epochs": "20", "download.host_rate": "-1"}
    job = queue.submit(Submission(dataset="cats", until="filter", settings=settings, definition="wgan"))
    assert job.state == "queued"
    found = ended(queue, job)
    assert (found.state, found.outcome) == ("done", "filter kept 12 of 70")
    assert found.started <= found.ended
    flags = "--gan-epochs=20 --download-host-rate=-1 --gan-definition=wgan"
    assert gate.with_suffix(".runs").read_text() == f"run --dataset cats --until filter {flags}\n"


def test_scheduler_of_the_server_is_passed_on(queue, gate):
    gate.write_text("done")
    queue.site = replace(queue.site, scheduler="http://localhost:8082")
    ended(queue, submitted(queue))
    assert gate.with_suffix(".runs").read_text() == "run --dataset cats --scheduler http://localhost:8082\n"


@pytest.mark.parametrize("how", ["failed", "next", "refused"])
def test_job_ends_as_its_run_ends(queue, gate, how):
    gate.write_text(f"{how}: label 30 on target")
    found = ended(queue, submitted(queue))
    assert found.state == {"refused": "failed"}.get(how, how)
    assert "label 30 on target" in found.outcome


def test_trainings_run_one_after_another_and_a_short_job_beside_them(queue, gate):
    first, second = submitted(queue, "cats"), submitted(queue, "dogs", "gan")
    short, other = submitted(queue, "dogs", "filter"), submitted(queue, "cats", "normalize")
    assert states(queue) == ["running", "queued", "running", "queued"]
    waits = queue.turns().waits
    assert waits == {second.id: "the run of dogs until filter", other.id: "the run of cats"}
    gate.write_text("done")
    assert [ended(queue, job).state for job in (first, second, short, other)] == ["done"] * 4


def test_trainings_run_beside_each_other_on_two_gpus(queue, gate, monkeypatch):
    monkeypatch.setattr(job_runner, "visible_gpus", lambda: ("0", "3"))
    submitted(queue, "cats"), submitted(queue, "dogs")
    assert states(queue) == ["running", "running"]
    assert [job.gpu for job in queue.store.all()] == ["0", "3"]


def test_job_waits_for_a_run_of_a_terminal(queue, gate):
    queue.run_of("cats").start("filter")  # as far as the queue knows, a terminal could have
    job = submitted(queue)
    assert states(queue) == ["queued"]
    assert queue.turns().waits == {job.id: "the run of cats that was started elsewhere"}
    gate.write_text("done")
    assert ended(queue, job).state == "done"


def test_run_status_of_a_dataset_says_that_its_job_is_queued(queue, gate):
    submitted(queue, "dogs")
    job = submitted(queue, "cats")
    queue.runner.tick()
    found = queue.run_status("cats")
    assert (found.state, found.note) == ("queued", "waits for the run of dogs")
    assert queue.stop_run("cats").state == "none"
    assert queue.find(job.id).state == "stopped"


def test_job_whose_server_is_gone_is_followed_by_the_next_one(queue, gate, tmp_path):
    job = submitted(queue)
    recorded(queue, job)
    later = another(tmp_path, gate)
    gate.write_text("kept 3")
    assert (ended(later, job).state, later.find(job.id).outcome) == ("done", "filter kept 3")


def test_job_whose_process_is_gone_starts_again_three_times_at_most(queue, gate):
    job = submitted(queue)
    for _ in range(MAX_ATTEMPTS + 1):
        recorded(queue, job)
        os.kill(queue.find(job.id).process.pid, signal.SIGKILL)
        until(lambda: queue.run_of("cats").progress().state != "running")
        queue.runner.tick()
    found = ended(queue, job)
    assert (found.state, found.attempts) == ("failed", MAX_ATTEMPTS)
    assert found.outcome.endswith("it was started 4 times")
    assert found.outcome.isprintable()


def test_job_that_was_running_before_a_restart_of_the_machine_starts_again(queue, gate, tmp_path):
    job = submitted(queue)
    queue.store.change(
        job.id,
        lambda found: found.changed(
            state="running",
            process=Started(until="", pid=os.getpid(), born=-1.0, began="2026-01-01T00:00:00+00:00"),
        ),
    )
    gate.write_text("done")
    later = another(tmp_path, gate)
    assert (ended(later, job).state, later.find(job.id).attempts) == ("done", 1)


def test_stop_of_a_running_job_keeps_it_to_be_resumed(queue, gate):
    job = submitted(queue)
    recorded(queue, job)
    until(lambda: queue.run_of("cats").progress().percent)
    assert queue.stop(job.id).stop_asked
    assert ended(queue, job).state == "stopped"
    gate.write_text("done")
    assert queue.resume(job.id).state == "queued"
    assert ended(queue, job).state == "done"


def test_job_that_was_stopped_while_it_loaded_was_not_killed(queue):
    gone = Started(until="", pid=os.getpid(), born=1.0, began="2026-01-01T00:00:00+00:00")
    job = submitted(queue)
    with queue.store.locked():
        queue.store.write(job.changed(state="running", process=gone, stop_asked=time.time()))
    assert states(queue) == ["stopped"]
    assert queue.all()[0].outcome == "it was stopped before its run began"


def test_stop_of_a_queued_job_and_delete(queue):
    job = submitted(queue)
    assert queue.stop(job.id).state == "stopped"
    assert states(queue) == ["stopped"]
    with pytest.raises(UserError, match="this job is over"):
        queue.stop(job.id)
    queue.delete(job.id)
    with pytest.raises(HTTPException, match="no such job"):
        queue.find(job.id)
    assert not (queue.store.folder / job.id).exists()


def test_running_job_is_neither_deleted_nor_resumed(queue):
    job = submitted(queue)
    queue.runner.tick()
    for refused in (queue.delete, queue.resume):
        with pytest.raises(UserError, match="running"):
            refused(job.id)


def test_idempotency_key_gives_the_same_job_also_from_another_server(queue, gate, tmp_path):
    first = submitted(queue, key="a", body=b"1")
    assert another(tmp_path, gate).submit(Submission(dataset="cats"), key="a", body=b"1").id == first.id
    with pytest.raises(OtherSubmission, match="choose a new one"):
        submitted(queue, key="a", body=b"2")
    assert submitted(queue, key="b", body=b"1").id != first.id


def test_only_one_of_two_servers_runs_the_queue_and_takes_what_the_other_accepts(queue, gate, tmp_path):
    second = another(tmp_path, gate)
    assert queue.runner.holds_queue()
    assert not second.runner.holds_queue()
    gate.write_text("done")
    job = submitted(second)
    assert ended(queue, job).state == "done"
    queue.runner.release()
    assert second.runner.holds_queue()
    second.runner.release()


def test_job_that_cannot_be_started_says_why_and_waits(queue, monkeypatch):
    full = OSError(28, "No space left on device", "x")
    monkeypatch.setattr(job_queue.BackgroundRun, "start", lambda *_, **__: (_ for _ in ()).throw(full))
    job = submitted(queue)
    assert states(queue) == ["queued"]
    assert queue.turns().waits[job.id].startswith("cannot start: x: No space left on device; free some space")


def test_job_that_cannot_be_started_keeps_no_other_waiting(queue, gate, tmp_path):
    gate.write_text("done")
    (tmp_path / "data" / "cats" / "page-run").write_text("a file in place of the folder")
    hindered, other = submitted(queue, "cats"), submitted(queue, "dogs")
    assert ended(queue, other).state == "done"
    assert queue.turns().waits[hindered.id].startswith("cannot start: ")


def test_job_with_an_argument_that_no_process_takes_fails_and_the_queue_goes_on(queue, gate):
    gate.write_text("done")
    wrong, other = submitted(queue), submitted(queue)
    with queue.store.locked():
        queue.store.write(wrong.changed(settings={"download.query": "a\0b"}))
    assert ended(queue, other).state == "done"
    assert queue.find(wrong.id).outcome == "cannot start: embedded null byte"


def test_error_of_the_program_does_not_end_the_queue(queue, gate, monkeypatch):
    gate.write_text("done")
    broken, follow = submitted(queue, "cats"), job_runner.follow
    assert states(queue) == ["running"]
    fails = lambda job, *rest: {}["x"] if job.id == broken.id else follow(job, *rest)  # noqa: E731
    monkeypatch.setattr(job_runner, "follow", fails)
    assert ended(queue, submitted(queue, "dogs", "filter")).state == "done"
    monkeypatch.undo()


def test_job_of_a_dataset_that_is_gone_fails_and_does_not_bring_it_back(queue, tmp_path):
    job = submitted(queue, "dogs")
    (tmp_path / "data" / "dogs" / "runs").rmdir()
    assert states(queue) == ["failed"]
    assert queue.find(job.id).outcome == "the dataset is not there any more"
    assert not list((tmp_path / "data" / "dogs").iterdir())


def test_queue_is_limited(queue, monkeypatch):
    monkeypatch.setattr(job_queue, "MAX_QUEUED", 2)
    submitted(queue), submitted(queue)
    with pytest.raises(UserError, match="2 jobs wait already"):
        submitted(queue)


def test_damaged_and_strange_files_are_left_out(queue):
    job = submitted(queue)
    folder = queue.store.folder
    (folder / "20260101000000000aaaaaaaa").mkdir()
    (folder / "20260101000000000aaaaaaaa" / "job.json").write_text("{")
    (folder / "notes.txt").write_text("mine")
    other = json.loads((folder / job.id / "job.json").read_text()) | {"id": "../../etc"}
    (folder / "20260101000000000bbbbbbbb").mkdir()
    (folder / "20260101000000000bbbbbbbb" / "job.json").write_text(json.dumps(other))
    for number, run in enumerate(("../../etc", "a\0b")):  # no record has such a name
        id = f"20260101000000000cccccc0{number}"
        (folder / id).mkdir()
        (folder / id / "job.json").write_text(json.dumps(other | {"id": id, "run": run}))
    assert [each.id for each in queue.all()] == [job.id]
    assert queue.store.find("../" + job.id) is None


def test_jobs_of_another_server_are_locked_while_they_change(queue):
    job = submitted(queue)
    with FileLock(queue.store.folder / ".lock"):
        other = JobQueue(queue.site)
        assert other.find(job.id).state == "queued"  # reading takes no lock
