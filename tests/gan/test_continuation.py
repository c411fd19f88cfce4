"""Which earlier training a new one goes on from."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from pipeline.gan.config import Definition
from pipeline.gan.continuation import Continuation, epochs_begun, find_continuation
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.jsonl import write_rows
from pipeline.store.manifest import Manifest, list_files

STEPS = 10  # of an epoch
CONSTANT = Definition()


@pytest.fixture
def store(tmp_path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "gan")


def wanted(epochs: int | None, **changes) -> Manifest:
    """The manifest of a training of `epochs` epochs before it is made."""
    key = f"{epochs or 0:02x}" * 32
    known = {
        "options": {"epochs": epochs, "most_steps": 50_000, "seed": 0},
        "inputs": {"filter.kept": "a", "definition": "b"},
    }
    return Manifest(stage="gan", version=2, dataset="x", key=key, **(known | changes))


def find(store: ArtifactStore, draft: Manifest, definition: Definition) -> Continuation:
    return find_continuation(store, draft, definition, size=16)


def rows(epochs: int) -> list[dict]:
    numbers = ("images_seen", "d_loss", "g_loss", "images_per_second", "seconds")
    return [{"epoch": n, "step": n * STEPS, **dict.fromkeys(numbers, 1.0)} for n in range(1, epochs + 1)]


def finish(
    store: ArtifactStore,
    epochs: int,
    *,
    steps: int | None = None,
    seconds: float | None = None,
    auto: bool = False,
    unfinished="",
    **changes,
) -> Path:
    """Publish a training that has `epochs` epochs."""
    draft = dataclasses.replace(wanted(None if auto else epochs, **changes), unfinished=unfinished)
    folder = store.work(draft.key, resume=False)
    write_rows(folder / "stats.jsonl", rows(epochs))
    (folder / "final.npz").write_text(f"weights of {epochs} epochs")
    summary = {"epochs": epochs, "steps": epochs * STEPS if steps is None else steps}
    summary |= {} if seconds is None else {"seconds": seconds}
    return store.publish(folder, dataclasses.replace(draft, summary=summary, files=list_files(folder))).folder


def stop(store: ArtifactStore, epochs: int, *, at: int, **changes) -> Path:
    """Leave a training of `epochs` epochs that was stopped at the step `at`."""
    draft = wanted(epochs, **changes)
    folder = store.work(draft.key, resume=False)
    manifests.write(draft, folder)
    write_rows(folder / "stats.jsonl", rows(at // STEPS))
    (folder / "checkpoints").mkdir()
    np.savez(folder / "checkpoints" / f"step-{at:09d}.npz", step=np.int64(at))
    return folder


def test_the_longest_training_of_fewer_epochs_is_continued(store):
    finish(store, 40)
    folder = finish(store, 60)
    finish(store, 80)
    found = find(store, wanted(70), CONSTANT)
    assert (found.folder, found.epochs) == (folder, 60)
    assert found.remark == f"goes on from epoch 60 of {folder}"


def test_without_an_earlier_training_there_is_nothing_to_say(store):
    assert find(store, wanted(70), CONSTANT).remark == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"options": {"epochs": 60, "most_steps": 50_000, "seed": 1}},
        {"inputs": {"filter.kept": "other", "definition": "b"}},
        {"inputs": {"filter.kept": "a", "definition": "other"}},
        {"version": 1},
    ],
)
def test_training_of_another_seed_pictures_definition_or_version_is_not_continued(store, changes):
    finish(store, 60, **changes) if "version" not in changes else finish_of_version(store, 1)
    assert find(store, wanted(70), CONSTANT).remark == ""


def finish_of_version(store: ArtifactStore, version: int) -> None:
    draft = dataclasses.replace(wanted(60), version=version, summary={"epochs": 60, "steps": 600})
    store.publish(store.work(draft.key, resume=False), draft)


def test_fewer_epochs_train_from_nothing_and_this_is_said(store):
    folder = finish(store, 70)
    found = find(store, wanted(60), CONSTANT)
    assert found.folder is None
    assert found.remark == f"trains from nothing: {folder} has 70 epochs, more than 60"


@pytest.mark.parametrize("kind", ["linear", "cosine"])
@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_schedule_that_depends_on_the_end_trains_from_nothing_and_this_is_said(store, kind, network):
    finish(store, 60)
    definition = Definition.model_validate({network: {"optimizer": {"schedule": {"kind": kind}}}})
    found = find(store, wanted(70), definition)
    assert found.folder is None
    assert f"learning rates depend on it ({network}.optimizer.schedule)" in found.remark


def test_schedule_over_a_number_of_images_and_growing_do_not_depend_on_the_end(store):
    folder = finish(store, 60)
    tree = {"generator": {"optimizer": {"schedule": {"kind": "linear", "over": 500, "warmup": 20}}}}
    growing = {"growing": {"start": 8}, "discriminator": {"norm": "none"}}
    assert find(store, wanted(70), Definition.model_validate(tree | growing)).folder == folder


def test_work_of_a_stopped_training_is_continued(store):
    finish(store, 20)
    folder = stop(store, 60, at=4 * STEPS * 10 + 3)
    found = find(store, wanted(70), CONSTANT)
    assert (found.folder, found.epochs) == (folder, 40)


def test_work_beyond_the_wanted_epochs_is_not_continued(store):
    stop(store, 60, at=20 * STEPS + 1)
    assert find(store, wanted(20), CONSTANT).folder is None
    assert find(store, wanted(21), CONSTANT).folder is not None


def test_own_work_and_work_of_a_running_training_are_left_alone(store):
    stop(store, 70, at=300)
    assert find(store, wanted(70), CONSTANT).folder is None
    folder = stop(store, 60, at=300)
    with FileLock(store.lock(wanted(60).key).lock_file):
        assert find(store, wanted(70), CONSTANT).folder is None
    assert find(store, wanted(70), CONSTANT).folder == folder


def test_work_without_a_checkpoint_or_with_a_torn_manifest_is_not_continued(store):
    folder = stop(store, 60, at=300)
    (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes()[:50])
    assert find(store, wanted(70), CONSTANT).folder is None
    folder = stop(store, 50, at=300)
    next((folder / "checkpoints").iterdir()).unlink()
    assert find(store, wanted(70), CONSTANT).folder is None


def test_number_of_epochs_goes_on_from_an_automatic_training(store):
    folder = finish(store, 60, auto=True)
    assert find(store, wanted(300), CONSTANT).folder == folder
    assert find(store, wanted(60), CONSTANT).folder == folder
    assert find(store, wanted(50), CONSTANT).remark == f"trains from nothing: {folder} has 60 epochs, more than 50"


def test_automatic_training_goes_on_from_one_that_it_would_not_have_ended_before(store, monkeypatch):
    folder = finish(store, 60)
    assert find(store, wanted(None), CONSTANT).folder == folder
    monkeypatch.setattr("pipeline.gan.continuation.automatic_end", lambda rows, *, full_size_after: 50)
    remark = find(store, wanted(None), CONSTANT).remark
    assert remark == f"trains from nothing: {folder} has 60 epochs, more than epochs = auto takes"
    monkeypatch.setattr("pipeline.gan.continuation.automatic_end", lambda rows, *, full_size_after: 60)
    assert find(store, wanted(None), CONSTANT).folder == folder


def test_training_with_a_time_goes_on_from_one_that_took_less(store):
    given = {"epochs": 60, "most_steps": 50_000, "seed": 0}
    folder = finish(store, 60, options=given | {"total_minutes": 1.0}, seconds=60.04)  # ended after its last step
    for options in (given, given | {"epochs": 70, "total_minutes": 1.0}, given | {"total_minutes": 2.0}):
        assert find(store, wanted(70, options=options), CONSTANT).folder == folder
    remark = find(store, wanted(70, options=given | {"total_minutes": 0.5}), CONSTANT).remark
    assert remark == f"trains from nothing: {folder} took 1.00 minutes, more than 0.5"


def test_training_with_a_time_goes_on_from_a_stopped_one_by_the_time_of_its_epochs(store):
    folder = stop(store, 60, at=300)  # 30 epochs of a second each
    given = {"epochs": 70, "most_steps": 50_000, "seed": 0}
    assert find(store, wanted(70, options=given | {"total_minutes": 0.5}), CONSTANT).folder == folder
    remark = find(store, wanted(70, options=given | {"total_minutes": 0.25}), CONSTANT).remark
    assert remark == f"trains from nothing: {folder} took 0.50 minutes, more than 0.25"


def test_automatic_training_goes_on_from_one_that_might_take_fewer_steps(store):
    folder = finish(store, 60, auto=True)
    given = {"epochs": None, "seed": 0}
    assert find(store, wanted(None, options=given | {"most_steps": 60 * STEPS + 1}), CONSTANT).folder == folder
    remark = find(store, wanted(None, options=given | {"most_steps": 60 * STEPS - STEPS}), CONSTANT).remark
    assert remark == f"trains from nothing: {folder} has 60 epochs, more than epochs = auto takes"


def test_unfinished_training_goes_on_whatever_its_schedule_is(store):
    draft = wanted(70)
    finish(store, 20, steps=20 * STEPS + 5, options=draft.options, unfinished="20 of 70 epochs")
    decays = Definition.model_validate({"generator": {"optimizer": {"schedule": {"kind": "cosine"}}}})
    assert find(store, draft, decays).epochs == 20
    assert find(store, wanted(80), decays).folder is None
    assert find(store, wanted(80), CONSTANT).epochs == 20
    assert find(store, wanted(20), CONSTANT).folder is None  # it has five steps more


CHANGES = {
    "cut": (lambda path: path.write_text("weights"), "has 7 bytes where 20 were written"),
    "flipped": (lambda path: path.write_text("Weights of 60 epochs"), "is not what was written"),
    "lost": (lambda path: path.unlink(), "is missing"),
}


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=CHANGES)
def test_damaged_training_is_left_out_for_the_next_best_and_both_are_named(store, change, says):
    shorter, longer = finish(store, 40), finish(store, 60)
    change(longer / "final.npz")
    found = find(store, wanted(70), CONSTANT)
    assert (found.folder, found.epochs) == (shorter, 40)
    why = f"because a longer training is damaged: {longer}/final.npz {says}"
    assert found.remark == f"goes on from epoch 40 of {shorter}, {why}"


@pytest.mark.parametrize(("change", "says"), CHANGES.values(), ids=CHANGES)
def test_only_training_that_is_damaged_is_the_reason_to_train_from_nothing(store, change, says):
    folder = finish(store, 60)
    finish(store, 80)  # which is too long, but not why
    change(folder / "final.npz")
    remark = find(store, wanted(70), CONSTANT).remark
    assert remark == f"trains from nothing: the earlier training is damaged: {folder}/final.npz {says}"


def test_damaged_training_that_is_shorter_than_the_best_is_not_mentioned(store):
    (finish(store, 40) / "final.npz").unlink()
    folder = finish(store, 60)
    assert find(store, wanted(70), CONSTANT).remark == f"goes on from epoch 60 of {folder}"


def test_work_without_an_intact_checkpoint_is_left_out_for_the_next_best(store):
    finished, work = finish(store, 20), stop(store, 60, at=300)
    (path,) = (work / "checkpoints").iterdir()
    content = bytearray(path.read_bytes())
    content[content.index(b"NUMPY") + 128] ^= 1  # within the array
    path.write_bytes(content)
    found = find(store, wanted(70), CONSTANT)
    assert (found.folder, found.damage) == (finished, f"{work} has no intact checkpoint")
    np.savez(work / "checkpoints" / "step-000000290.npz", step=np.int64(290))
    assert find(store, wanted(70), CONSTANT).folder == work  # goes on from the checkpoint before


def test_epochs_of_a_stopped_training_are_those_of_its_newest_checkpoint(store):
    assert epochs_begun(stop(store, 9, at=35)) == 3
    assert epochs_begun(stop(store, 8, at=4)) == 0
    assert epochs_begun(stop(store, 7, at=0)) is None  # nothing has been learned: it begins anew
    assert epochs_begun(store.root / "missing") is None
