"""Making one stage, and what may happen meanwhile."""

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from pipeline.cluster.client import Cluster
from pipeline.errors import DamagedState, NextStep, Stopped, UserError
from pipeline.labels.log import repair_hint
from pipeline.result import Result
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.digest import of_bytes
from pipeline.store.manifest import Manifest
from tasks import cluster_stage, error_text, isolation, label_snapshots, locks, machines, run_log, signals
from tasks.make_artifact import make_artifact
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask
from tasks.stages import STAGE_TASKS, TrainClassifier


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
        task_id, resumable, isolated, unfinished, once, pictures = "x", False, False, False, False, ""
        set_status_message = set_progress_percentage = None
        function = f"{__name__}:write_one"
        options = SimpleNamespace(significant=dict)
        inputs = notes = arguments = folders = staticmethod(dict)
        published = StageTask.published
        complete = StageTask.complete
        shown, notices_of, trains = StageTask.shown, StageTask.notices_of, StageTask.trains

        def __init__(self):
            self.artifact_store, self.keys = store, ["a" * 64]

        def key(self):
            return self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]

    monkeypatch.setattr(isolation, "import_module", lambda _: SimpleNamespace(**globals()))
    return Task()


def test_make_uses_the_key_that_is_needed_once_the_lock_is_free(task):
    old, new = "a" * 64, "b" * 64
    task.keys = [old, new]  # another run made its input anew while this one waited
    make_artifact(task)
    assert [found.manifest.key for found in task.artifact_store.all()] == [new]


def write_pictures(options, *, folder, progress, should_stop):
    (folder / "images").mkdir()
    (folder / "images" / f"{of_bytes(b'raw')}.jpg").write_bytes(b"raw")
    (folder / "images.jsonl").write_text("")
    return Result(outputs={}, summary={"figures": 1})


def find_damage(options, *, folder, progress, should_stop):
    raise DamagedState("a file is not what was written")


@pytest.mark.parametrize("changed", [False, True])
def test_an_artifact_with_a_damaged_picture_is_deleted_so_that_the_next_run_makes_it_again(
    task, tmp_path, capsys, changed
):
    task.pictures, task.function = "images", f"{__name__}:write_pictures"
    make_artifact(task)
    reader = type(task)()
    reader.artifact_store, reader.keys = ArtifactStore(tmp_path / "reader"), ["b" * 64]
    reader.function, reader.stages_read = f"{__name__}:find_damage", lambda: [task]
    (picture,) = (task.published().folder / "images").iterdir()
    picture.write_bytes(b"cut" if changed else b"raw")
    assert task.complete()
    with pytest.raises(DamagedState, match="a file is not what was written"):
        make_artifact(reader)
    assert task.artifact_store.folders() == ([] if changed else [task.published().folder])
    said = f"{picture.name} is not what was written; the next run makes it again"
    assert (said in capsys.readouterr().err) is changed


def leave_unfinished(options, *, folder, progress, should_stop):
    (folder / "made").write_text("half")
    return Result(outputs={}, summary={"figures": 1}, unfinished="4 of 9 epochs")


def test_unfinished_artifact_is_complete_for_its_run_only(task):
    task.function = f"{__name__}:leave_unfinished"
    make_artifact(task)
    assert task.published().manifest.unfinished == "4 of 9 epochs"
    assert task.complete()
    mine, task.run_name = task.run_name, run_log.new_name()
    assert not task.complete()
    task.unfinished = True
    assert task.complete()
    task.unfinished, task.function = False, f"{__name__}:write_one"
    make_artifact(task)  # the next run
    assert [(found.folder.name, found.manifest.unfinished) for found in task.artifact_store.all()] == [
        ("a" * 12, "4 of 9 epochs"),
        ("a" * 12 + ".2", ""),
    ]
    task.run_name = mine
    assert task.published().manifest.unfinished == ""


def test_work_folder_of_a_resumable_stage_says_what_is_made_there(task):
    task.resumable, task.function = True, f"{__name__}:go_wrong"
    with pytest.raises(BrokenPipeError):
        make_artifact(task)
    draft = manifests.read(task.artifact_store.work_path("a" * 64))
    assert (draft.key, draft.stage, draft.files) == ("a" * 64, "report", {})


def test_make_reports_a_full_disk_as_a_user_error(task):
    task.function = f"{__name__}:fill_the_disk"
    with pytest.raises(UserError, match=r"made: No space left on device; free some space"):
        make_artifact(task)
    (row,) = run_log.record("x", task.run_name).rows()[-1:]
    assert (row["outcome"], "No space left" in row["error"]) == ("failed", True)


def test_make_raises_other_errors_of_the_system_as_they_are(task):
    task.function = f"{__name__}:go_wrong"
    with pytest.raises(BrokenPipeError):
        make_artifact(task)


def test_make_records_an_error_of_publishing(task, monkeypatch):
    def fail(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(ArtifactStore, "publish", fail)
    with pytest.raises(UserError, match="Read-only file system"):
        make_artifact(task)
    assert run_log.record("x", task.run_name).rows()[-1]["outcome"] == "failed"


def test_dataset_flag_is_added_once_to_each_command_of_an_advice():
    advice = f"{repair_hint(Path('data/pikachu/labels.jsonl'))}; `python -m tasks gc --keep 1` frees space"
    shown = error_text.with_dataset_flag(advice, "pikachu")
    assert "`python -m tasks labels repair --dataset pikachu`" in shown
    assert "`python -m tasks gc --dataset pikachu --keep 1`" in shown
    assert error_text.with_dataset_flag(advice, "demo") == advice
    about_no_dataset = "`python -m tasks cluster certificates` makes them"
    assert error_text.with_dataset_flag(about_no_dataset, "pikachu") == about_no_dataset
    assert (
        error_text.with_dataset_flag("`make label` in the browser", "cats")
        == "`make label DATASET=cats` in the browser"
    )


def ask_for_labels(options, *, folder, progress, should_stop):
    raise NextStep("label 30 on target: `make label`")


def test_a_stage_that_needs_labels_ends_with_the_next_step(task):
    task.function = f"{__name__}:ask_for_labels"
    with pytest.raises(NextStep):
        make_artifact(task)
    row = run_log.record("x", task.run_name).rows()[-1]
    assert (row["outcome"], row["error"]) == ("next", "label 30 on target: `make label DATASET=x`")


@pytest.mark.parametrize(
    ("gpu", "reason"), [(True, "another training uses the GPU"), (False, "another training on this machine")]
)
def test_stage_that_trains_waits_for_another_training_and_says_so_once(
    task, tmp_path, monkeypatch, capsys, gpu, reason
):
    monkeypatch.setattr(locks, "has_gpu_driver", lambda: gpu)
    monkeypatch.setattr(locks.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    task.resources = {"gpu": 1}
    asked = iter([False, False, True])
    monkeypatch.setattr(signals, "should_stop", lambda: next(asked))
    with FileLock(tmp_path / "ganmill-gpu.lock"), pytest.raises(Stopped):
        make_artifact(task)
    assert [line for line in capsys.readouterr().err.splitlines() if "waits" in line] == [f"report     waits: {reason}"]


def test_only_stages_that_train_wait_for_another_training():
    assert [stage.stage for stage in STAGE_TASKS if "gpu" in stage.resources] == ["classifier", "gan"]


def test_a_classifier_without_enough_labels_waits_for_no_training(configure):
    configure("[toads.download]\nquery = toad\n[classifier]\nbackbone = none\n")
    classifier = RunPipeline(dataset="toads").upstream(TrainClassifier)
    assert not classifier.trains
    ids = [f"{number:064x}" for number in range(16)]
    labels = {id: "on" if number < 8 else "off" for number, id in enumerate(ids)}
    label_snapshots.log("toads").append(labels, how="page")
    assert RunPipeline(dataset="toads").upstream(TrainClassifier).trains


def test_a_stage_that_needs_no_cluster_starts_none(task, monkeypatch):
    monkeypatch.setattr(machines, "chosen", lambda: machines.MachineOptions(cluster="local"))
    monkeypatch.setattr(machines, "_start_local", lambda: pytest.fail("started"))
    make_artifact(task)
    assert task.complete()


@pytest.fixture
def on_cluster(task, tmp_path, monkeypatch):
    """The task, which a worker makes: `task.work` is done in its place."""
    cluster = Cluster(address="tls://x:1", storage=str(tmp_path / "store"), dataset="x")
    monkeypatch.setattr(machines, "trains_elsewhere", lambda _: cluster)
    monkeypatch.setattr(cluster_stage, "make_order", lambda *_: None)
    monkeypatch.setattr(cluster_stage, "run_on_cluster", lambda *_, **__: task.work())
    task.resources = {"gpu": 1}
    task.stages_read = list
    return task


def publish(task) -> None:
    """Leave the artifact where the run finds it."""
    facts = {"stage": task.stage, "version": 1, "dataset": "x", "options": {}, "inputs": {}, "summary": {"figures": 1}}
    task.artifact_store.publish(task.artifact_store.work("a" * 64, resume=False), Manifest(key="a" * 64, **facts))


def test_an_artifact_that_a_worker_has_made_gets_its_notices(on_cluster):
    on_cluster.work = lambda: publish(on_cluster)
    on_cluster.notices_of = lambda outputs: ["its generator is the same as that of another training"]
    make_artifact(on_cluster)
    made = on_cluster.artifact_store.latest()
    assert made.manifest.summary == {"figures": 1, "notices": on_cluster.notices_of({})}
    assert run_log.record("x", on_cluster.run_name).rows()[-1]["text"] == made.manifest.summary["notices"][0]


def test_what_a_worker_has_made_and_is_gone_is_one_line(on_cluster, tmp_path):
    on_cluster.work = lambda: None
    with pytest.raises(DamagedState, match=rf"^storage {tmp_path}/store: what a worker has made .*run again$"):
        make_artifact(on_cluster)
