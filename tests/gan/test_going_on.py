"""Trainings that go on from an earlier one, end by themselves or at their time limit."""

import json

import numpy as np
import pytest

from pipeline.errors import Stopped, UserError
from pipeline.gan import Dcgan
from pipeline.gan.training.checkpoint import read_arrays
from pipeline.progress import TellingProgress, silent
from tests.gan.conftest import TINY
from tests.gan.interrupted import LEFT, SHEETS, STEPS, Killed, assert_same, figures, kill_at

pytestmark = pytest.mark.usefixtures("fast_evaluator")


def continue_from(workspace, source: str, name: str, **options):
    """Train in the folder `name`, going on from the training in `source`."""
    return workspace.train(name, continues=workspace.folder(source), **options)


def test_more_epochs_go_on_from_the_finished_training_and_are_bit_identical(workspace, whole_training):
    workspace.train("a", epochs=3)  # the third epoch is scored only because it is the last
    assert (workspace.folder("a") / "samples" / "epoch-0003.png").exists()
    assert figures(workspace.folder("a"))[-1]["last"] == 1
    done = []
    result = continue_from(workspace, "a", "b", progress=lambda step, *_: done.append(step))
    assert done == [7, 8]
    assert_same(workspace.folder("b"), whole_training)
    assert sorted(path.name for path in (workspace.folder("b") / "samples").iterdir()) == SHEETS
    best, expected = (read_arrays(folder / "best.npz") for folder in (workspace.folder("b"), whole_training))
    assert all(np.array_equal(best[name], expected[name]) for name in expected)
    assert result.summary["epochs"] == 4
    assert len(figures(workspace.folder("a"))) == 3  # which did not change


def test_going_on_with_as_many_epochs_takes_no_step(workspace, whole_training):
    done = []
    workspace.train("a")
    continue_from(workspace, "a", "b", progress=lambda step, *_: done.append(step))
    assert done == []
    assert_same(workspace.folder("b"), whole_training)


@pytest.mark.long
def test_going_on_after_a_kill_during_the_copy_copies_again(workspace, whole_training, monkeypatch):
    workspace.train("a", epochs=3)
    with monkeypatch.context() as patch:
        kill_at(patch, "pipeline.gan.training.saved.save_checkpoint", 0)
        with pytest.raises(Killed):
            continue_from(workspace, "a", "b")
    continue_from(workspace, "a", "b")
    assert_same(workspace.folder("b"), whole_training)


@pytest.mark.long
def test_going_on_resumes_the_own_training_once_it_has_begun(workspace, whole_training):
    workspace.train("a", epochs=2)
    done = []
    with pytest.raises(Stopped):
        continue_from(
            workspace, "a", "b", progress=lambda step, *_: done.append(step), should_stop=lambda: len(done) == 2
        )
    continue_from(workspace, "a", "b", progress=lambda step, *_: done.append(step))
    assert done == [5, 6, 7, 8]
    assert_same(workspace.folder("b"), whole_training)


@pytest.mark.long
def test_damaged_training_is_not_continued_and_this_is_said(workspace, whole_training):
    workspace.train("a", epochs=3)
    path, said = workspace.folder("a") / "final.npz", []
    path.write_bytes(path.read_bytes()[:-100])
    continue_from(workspace, "a", "b", progress=TellingProgress(silent, said.append))
    assert said == [f"trains from nothing: {path.parent} cannot be read"]
    assert_same(workspace.folder("b"), whole_training)


@pytest.mark.long
def test_epoch_at_which_a_training_goes_on_or_resumes_is_said(workspace):
    said, done = [], []
    progress = TellingProgress(lambda step, *_: done.append(step), said.append)
    workspace.train("a", epochs=2, progress=progress)
    assert said == []
    with pytest.raises(Stopped):
        continue_from(workspace, "a", "b", progress=progress, should_stop=lambda: done[-1:] == [7])
    continue_from(workspace, "a", "b", progress=progress)
    assert said == [f"goes on from epoch 2 of {workspace.folder('a')}", "resumes at epoch 4 of 4"]


@pytest.mark.long
def test_training_whose_checkpoints_are_all_damaged_says_that_it_trains_from_nothing(workspace):
    said, done = [], []
    progress = TellingProgress(lambda step, *_: done.append(step), said.append)
    for stopped_at in (0, 3):  # the checkpoint before the first step is no loss
        with pytest.raises(Stopped):
            workspace.train("a", progress=progress, should_stop=lambda at=stopped_at: len(done) == at)
    assert said == []
    for path in (workspace.folder("a") / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    workspace.train("a", progress=progress)
    assert said == [f"no checkpoint in {workspace.folder('a')} can be read; trains from nothing"]


@pytest.mark.long
def test_time_limit_leaves_a_generator_and_going_on_from_it_is_bit_identical(workspace, whole_training):
    done, names = [], ["a", "b", "c"]
    for before, name in zip([None, *names], names, strict=False):  # two unfinished ones in a row
        source = before and workspace.folder(before)
        limit = 0 if name == "c" else 1e-9
        result = workspace.train(name, continues=source, max_minutes=limit, progress=lambda step, *_: done.append(step))
        left = sorted(path.name for path in workspace.folder(name).iterdir())
        assert {*LEFT} - {*left} <= {"best.npz"}  # until the first scored epoch
        assert result.unfinished == ("" if name == "c" else "0 of 4 epochs" if name == "a" else "1 of 4 epochs")
        gan = Dcgan.load(workspace.folder(name))
        assert (gan.epochs, gan.generate(2).shape) == ({"a": 0, "b": 1, "c": 4}[name], (2, 16, 16, 3))
    assert done == list(range(1, STEPS + 1))
    assert_same(workspace.folder("c"), whole_training)


def test_epochs_after_the_learning_rate_schedule_of_auto_are_refused(make_workspace):
    decays = {"generator": TINY["generator"] | {"optimizer": {"schedule": {"kind": "cosine"}}}}
    with pytest.raises(UserError, match=r"epochs = auto: .*models/tiny\.json.*set gan\.epochs to a number"):
        make_workspace(definition=TINY | decays).train("a", epochs=None)


@pytest.mark.long
def test_automatic_training_ends_by_itself_and_more_epochs_go_on_from_it(workspace, monkeypatch):
    monkeypatch.setattr("pipeline.gan.training.ending.MIN_STEPS", 6)
    monkeypatch.setattr("pipeline.gan.training.ending.plateau_epoch", lambda rows: 1)
    result = workspace.train("a", epochs=None)
    assert (result.summary["epochs"], result.summary["end"]) == (4, "the KID no longer falls")
    card = json.loads((workspace.folder("a") / "card.json").read_text())
    assert card["training"]["end"] == "the KID no longer falls"
    done = []
    longer = continue_from(workspace, "a", "b", epochs=5, progress=lambda step, *_: done.append(step))
    assert done == [9, 10]
    assert (longer.summary["epochs"], longer.summary["end"]) == (5, "")


@pytest.mark.long
def test_automatic_training_that_may_take_more_steps_goes_on_and_is_bit_identical(workspace, whole_training):
    first = workspace.train("a", epochs=None, most_steps=STEPS // 2)
    assert (first.summary["epochs"], first.summary["end"]) == (2, "it takes at most about 4 steps (gan.most_steps)")
    workspace.train("b", epochs=None, most_steps=STEPS, continues=workspace.folder("a"))
    assert_same(workspace.folder("b"), whole_training)


def test_training_whose_minutes_are_over_is_finished_and_goes_on_with_more_bit_identically(workspace, whole_training):
    first = workspace.train("a", total_minutes=1e-9)
    assert (first.unfinished, first.summary["steps"]) == ("", 1)
    assert first.summary["end"] == "its 1e-09 minutes are over (gan.total_minutes)"
    assert first.summary["seconds"] > 0
    card = json.loads((workspace.folder("a") / "card.json").read_text())
    assert card["training"]["end"] == first.summary["end"]
    done = []
    workspace.train("a", total_minutes=1e-9, progress=lambda step, *_: done.append(step))
    assert done == []
    longer = continue_from(workspace, "a", "b", total_minutes=60, progress=lambda step, *_: done.append(step))
    assert done == [*range(2, STEPS + 1)]
    assert (longer.unfinished, longer.summary["end"]) == ("", "")
    assert_same(workspace.folder("b"), whole_training)


def test_minutes_of_a_training_are_added_up_over_all_stops(workspace):
    first = workspace.train("a", max_minutes=1e-9)
    before = first.summary["seconds"] / 60
    done = []
    again = continue_from(workspace, "a", "b", total_minutes=before / 2, progress=lambda step, *_: done.append(step))
    assert done == []
    assert (first.unfinished, again.unfinished) == ("0 of 4 epochs", "")


def test_time_limit_in_the_first_epoch_is_a_notice(workspace):
    result = workspace.train("a", max_minutes=1e-9)
    assert result.summary["epochs"] == 0
    (notice,) = result.summary["notices"]
    assert notice == "the time was over in the first epoch, at step 1: the samples say little yet"


def test_generator_of_a_stopped_training_is_loaded_from_its_work_folder(workspace):
    done = []
    with pytest.raises(Stopped):
        workspace.train("a", progress=lambda step, *_: done.append(step), should_stop=lambda: len(done) == 3)
    gan = Dcgan.load(workspace.folder("a"))
    assert (gan.epochs, gan.generate(2).shape) == (1, (2, 16, 16, 3))
