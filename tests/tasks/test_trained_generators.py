"""The setting gan.start: another dataset, or the folder of a training."""

import json
import os
import shutil

import numpy as np
import pytest

from pipeline.errors import UserError
from tasks import paths
from tasks.cli import main
from tasks.settings import resolve
from tasks.stages import TrainGan
from tasks.trained_generators import find_start
from tests.tasks.fake_stages import use_fakes

CONFIG = "[filter]\nmethod = none\n[gan]\nextractor = own\n[cats.download]\nquery = cat\n[dogs.download]\nquery = dog\n"


@pytest.fixture
def cats(configure, monkeypatch):
    """The checkpoint of the training of a dataset in a new working folder."""
    configure(CONFIG)
    use_fakes(monkeypatch)
    assert main(["run", "--dataset", "cats"]) == 0
    checkpoint = paths.artifact_store("cats", "gan").latest().folder / "final.npz"
    checkpoint.write_bytes(b"weights")
    return checkpoint


def test_a_dataset_and_the_folder_of_its_training_are_the_same_start(cats):
    by_name, by_folder = find_start("cats", "dogs"), find_start("models/cats/gan/latest", "dogs")
    assert by_name.checkpoint == by_folder.checkpoint == cats.resolve()
    assert by_name.digest == by_folder.digest
    assert find_start("", "dogs") is None


def test_another_generator_of_the_start_is_another_digest(cats):
    before = find_start("cats", "dogs")
    assert before.require_same() == cats.resolve()
    cats.write_bytes(b"others.")
    os.utime(cats, ns=(1, 1))
    assert find_start("cats", "dogs").digest != before.digest
    with pytest.raises(UserError, match=r"^gan\.start = cats: .*final\.npz was deleted or changed while the run"):
        before.require_same()


def test_the_start_of_a_run_is_the_one_when_it_began(cats):
    """`cats` may publish another training while `dogs` is at earlier stages."""
    assert main(["run", "--dataset", "dogs"]) == 0
    task = TrainGan(dataset="dogs", settings=resolve("dogs", {"gan.start": "cats"}).text())
    before, store = task.content(), paths.artifact_store("cats", "gan")
    assert main(["run", "--dataset", "cats", "--gan-seed", "5"]) == 0
    (store.latest().folder / "final.npz").write_bytes(b"others")
    assert store.latest().folder != cats.parent
    assert task.content() == before
    assert task.arguments()["start"] == cats.resolve()


def test_the_last_training_of_the_dataset_itself_would_be_another_in_each_run(cats):
    name = cats.parent.name
    with pytest.raises(UserError) as caught:
        find_start("models/cats/gan/latest", "cats")
    assert str(caught.value) == (
        "gan.start = models/cats/gan/latest: this is the last training of cats itself, which each run would train"
        f" again; give the folder of one of its trainings, models/cats/gan/{name}"
    )
    assert find_start(f"models/cats/gan/{name}", "cats").checkpoint == cats.resolve()


def test_a_plan_says_that_the_start_has_changed(cats, capsys):
    assert main(["run", "--dataset", "dogs"]) == 0
    capsys.readouterr()
    assert main(["plan", "--dataset", "dogs", "--gan-start", "cats"]) == 0
    assert "gan        will run   start changed: none → cats" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("start", "says"),
    [
        ("dogs", "gan.start = dogs: this is the dataset itself"),
        ("cat", "gan.start = cat: there is no dataset 'cat'; did you mean 'cats'?"),
        ("models/nobody", "gan.start = models/nobody: there is no final.npz in this folder"),
    ],
)
def test_a_start_that_is_none_is_one_line(cats, start, says):
    with pytest.raises(UserError) as caught:
        find_start(start, "dogs")
    assert str(caught.value).startswith(says)


def test_a_training_whose_checkpoint_was_deleted_is_one_line(cats, capsys):
    cats.unlink()
    assert main(["plan", "--dataset", "dogs", "--gan-start", "cats"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: gan.start = cats: ")
    assert "final.npz is missing, so the training is damaged; `python -m tasks rerun gan --dataset cats` trains" in said


@pytest.mark.parametrize(
    ("images", "says"),
    [
        ([50, 32, 32, 3], "is of normalize.size = 32, normalize.colour = rgb and a definition that is not conditional"),
        ([50, 64, 64, 1], "is of normalize.size = 64, normalize.colour = grey and a definition that is not"),
        ([50, 64, 64, 3], ""),
    ],
    ids=["size", "colour", "same"],
)
def test_a_plan_refuses_a_start_of_other_pictures(cats, capsys, images, says):
    origin = np.frombuffer(json.dumps({"seed": 0, "name": "dcgan", "images": images}).encode(), np.uint8)
    with cats.open("wb") as file:
        np.savez(file, step=np.int64(9), origin=origin)
    code = main(["plan", "--dataset", "dogs", "--gan-start", "cats", "--normalize-size", "64"])
    assert code == (2 if says else 0)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("start", ["cats", "models/cats/gan/latest"])
def test_what_is_finished_needs_its_start_no_more(cats, capsys, start):
    assert main(["run", "--dataset", "dogs", "--gan-start", start]) == 0
    shutil.rmtree("models/cats")
    shutil.rmtree("data/cats")
    capsys.readouterr()
    assert main(["plan", "--dataset", "dogs", "--json"]) == 0
    assert {step["state"] for step in json.loads(capsys.readouterr().out)} == {"up to date"}
    assert main(["status", "--dataset", "dogs"]) == 0
    assert main(["gc", "--dataset", "dogs"]) == 0
    assert main(["plan", "--dataset", "dogs", "--gan-seed", "5"]) == 0
    assert f"gan        will run   seed 0 → 5; gan.start = {start}: there is no" in capsys.readouterr().out
    assert main(["run", "--dataset", "dogs", "--gan-seed", "5"]) != 0
    assert f"gan.start = {start}: there is no" in capsys.readouterr().err
    assert main(["run", "--dataset", "dogs", "--gan-seed", "0"]) == 0


def test_a_damaged_training_is_not_one_that_is_missing(cats):
    (cats.parent / "manifest.json").write_bytes(b"{")
    with pytest.raises(UserError, match=r"^gan\.start = cats: the training of cats is damaged: .*rerun gan --dataset"):
        find_start("cats", "dogs")


def test_a_dataset_without_a_training_says_how_to_train(configure):
    folder = configure(CONFIG)
    (folder / "data" / "cats" / "runs").mkdir(parents=True)
    with pytest.raises(
        UserError, match="cats has no trained generator on this machine; `python -m tasks run --dataset cats` trains"
    ):
        find_start("cats", "dogs")
