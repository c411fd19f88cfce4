"""Making one stage, and what may happen meanwhile."""

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from pipeline.errors import Stopped, UserError
from pipeline.labels.log import repair_hint
from pipeline.result import Result
from pipeline.store.artifacts import ArtifactStore
from tasks import run_log, stage_locks, stage_task
from tasks.stage_task import StageTask
from tasks.stages import STAGE_TASKS


def write_one(options, *, folder, progress, should_stop):
    (folder / "made").write_text("yes")
    return Result(outputs={}, summary={"figures": 1})


def fill_the_disk(options, *, folder, progress, should_stop):
    raise OSError(errno.ENOSPC, "No space left on device", str(folder / "made"))


def go_wrong(options, *, folder, progress, should_stop):
    raise OSError(errno.EPIPE, "Broken pipe")


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A task that is all its own: `task.keys` are what `key()` gives, one after the other, the last for ever."""
    monkeypatch.chdir(tmp_path)
    store = ArtifactStore(tmp_path / "shelf")

    class Task:
        stage, dataset, run_name, version, forced_by, resources = "report", "x", run_log.new_name(), 1, "", {}
        task_id, resumable, isolated = "x", False, False
        set_status_message = set_progress_percentage = None
        function = f"{__name__}:write_one"
        options = SimpleNamespace(significant=dict)
        inputs = notes = arguments = folders = staticmethod(dict)
        published = StageTask.published
        complete = StageTask.complete
        shown = StageTask.shown

        def __init__(self):
            self.artifact_store, self.keys = store, ["a" * 64]

        def key(self):
            return self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]

    monkeypatch.setattr(stage_task, "import_module", lambda _: SimpleNamespace(**globals()))
    return Task()


def test_make_uses_the_key_that_is_needed_once_the_lock_is_free(task):
    old, new = "a" * 64, "b" * 64
    task.keys = [old, new]  # another run made its input anew while this one waited
    stage_task.make_artifact(task)
    assert [found.manifest.key for found in task.artifact_store.all()] == [new]


def test_make_reports_a_full_disk_as_a_user_error(task):
    task.function = f"{__name__}:fill_the_disk"
    with pytest.raises(UserError, match=r"made: No space left on device; free some space"):
        stage_task.make_artifact(task)
    (row,) = run_log.record("x", task.run_name).rows()[-1:]
    assert (row["outcome"], "No space left" in row["error"]) == ("failed", True)


def test_make_raises_other_errors_of_the_system_as_they_are(task):
    task.function = f"{__name__}:go_wrong"
    with pytest.raises(BrokenPipeError):
        stage_task.make_artifact(task)


def test_make_records_an_error_of_publishing(task, monkeypatch):
    def fail(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(ArtifactStore, "publish", fail)
    with pytest.raises(UserError, match="Read-only file system"):
        stage_task.make_artifact(task)
    assert run_log.record("x", task.run_name).rows()[-1]["outcome"] == "failed"


def test_dataset_flag_is_added_once_to_each_command_of_an_advice():
    advice = f"{repair_hint(Path('data/pikachu/labels.jsonl'))}; `python -m tasks gc --keep 1` frees space"
    shown = stage_task.with_dataset_flag(advice, "pikachu")
    assert "`python -m tasks labels repair --dataset pikachu`" in shown
    assert "`python -m tasks gc --dataset pikachu --keep 1`" in shown
    assert stage_task.with_dataset_flag(advice, "demo") == advice


@pytest.mark.parametrize(
    ("gpu", "reason"), [(True, "another training uses the GPU"), (False, "another training on this machine")]
)
def test_stage_that_trains_waits_for_another_training_and_says_so_once(
    task, tmp_path, monkeypatch, capsys, gpu, reason
):
    monkeypatch.setattr(stage_locks, "has_gpu_driver", lambda: gpu)
    monkeypatch.setattr(stage_locks.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    task.resources = {"gpu": 1}
    asked = iter([False, False, True])
    monkeypatch.setattr(stage_task.signals, "should_stop", lambda: next(asked))
    with FileLock(tmp_path / "ganmill-gpu.lock"), pytest.raises(Stopped):
        stage_task.make_artifact(task)
    assert [line for line in capsys.readouterr().err.splitlines() if "waits" in line] == [f"report     waits: {reason}"]


def test_only_stages_that_train_wait_for_another_training():
    assert [stage.stage for stage in STAGE_TASKS if "gpu" in stage.resources] == ["classifier", "gan"]
