"""The setting gan.start: another dataset, or the folder of a training."""

import os

import pytest

from pipeline.errors import UserError
from tasks import paths
from tasks.cli import main
from tasks.trained_generators import find_start, start_content
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
    by_name, by_folder = (
        find_start("cats", "dogs"),
        find_start("models/cats/gan/latest", "dogs"),
    )
    assert by_name.resolve() == by_folder.resolve() == cats.resolve()
    assert start_content("cats", "dogs") == start_content("models/cats/gan/latest", "dogs")
    assert start_content("", "dogs") == {}


def test_another_generator_of_the_start_is_another_content(cats):
    before = start_content("cats", "dogs")
    cats.write_bytes(b"others.")
    os.utime(cats, ns=(1, 1))
    assert start_content("cats", "dogs") != before


def test_a_plan_says_that_the_start_has_changed(cats, capsys):
    assert main(["run", "--dataset", "dogs"]) == 0
    capsys.readouterr()
    assert main(["plan", "--dataset", "dogs", "--gan-start", "cats"]) == 0
    assert "gan        will run   start changed: None → cats" in capsys.readouterr().out


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


def test_a_dataset_without_a_training_says_how_to_train(configure):
    folder = configure(CONFIG)
    (folder / "data" / "cats" / "runs").mkdir(parents=True)
    with pytest.raises(
        UserError, match="cats has no trained generator on this machine; `python -m tasks run --dataset cats` trains"
    ):
        find_start("cats", "dogs")
