"""The command `python -m tasks tensorboard`: which trainings TensorBoard is given, and by which names."""

import json
import sys
from pathlib import Path

import pytest

from pipeline.report.trainings import Trainings
from pipeline.store.jsonl import dump_row
from tasks import paths, tensorboard_command
from tasks.cli import main

# In place of TensorBoard: prints its arguments, and what it sees
SEES = """
import json, os, sys
folder = sys.argv[2]
seen = {name: sorted(os.listdir(os.path.join(folder, name))) for name in sorted(os.listdir(folder))}
print(json.dumps([sys.argv[3:], seen]))
sys.exit(3)
"""
ROW = {"epoch": 1, "step": 4, "images_seen": 64, "d_loss": 1.0, "g_loss": 2.0, "images_per_second": 9, "seconds": 7}


@pytest.fixture
def begin(working_folder, monkeypatch):
    """`begin(key)`: begin a training of the dataset cats; returns its folder."""
    (working_folder / "data" / "cats" / "runs").mkdir(parents=True)
    monkeypatch.setattr(tensorboard_command, "COMMAND", (sys.executable, "-c", SEES))
    monkeypatch.setattr(tensorboard_command.importlib.util, "find_spec", lambda name: name)
    trainings = Trainings(paths.generated_folder("cats"))

    def begin(letter: str) -> Path:
        facts = {"definition": "dcgan", "size": 64, "epochs": 3, "began": "2026-01-01T00:00:00+00:00"}
        folder = trainings.sheets(trainings.begin(key=letter * 64, **facts))
        folder.mkdir(parents=True)
        return folder

    return begin


def test_each_training_with_events_is_shown_by_its_name(begin, capfd):
    (begin("a") / "events.out.tfevents.1.ganmill").touch()
    begin("b")  # has not begun
    (begin("c") / "events.out.tfevents.2.ganmill").touch()
    assert main(["tensorboard", "--dataset", "cats", "--port", "7000"]) == 3  # TensorBoard's own exit code
    arguments, seen = json.loads(capfd.readouterr().out)
    assert arguments == ["--host", "127.0.0.1", "--port", "7000"]
    assert seen == {
        "001-dcgan-64px": ["events.out.tfevents.1.ganmill"],
        "003-dcgan-64px": ["events.out.tfevents.2.ganmill"],
    }


def test_a_training_without_events_gets_them_from_its_statistics(begin, monkeypatch, capfd):
    folder = begin("a")
    (folder / "stats.jsonl").write_text(dump_row(ROW))
    monkeypatch.setattr(tensorboard_command, "write_events", lambda to: (to / "events.out.tfevents.5.made").touch())
    assert main(["tensorboard", "--dataset", "cats"]) == 3
    _, seen = json.loads(capfd.readouterr().out)
    assert seen == {"001-dcgan-64px": ["events.out.tfevents.5.made", "stats.jsonl"]}


def test_one_that_runs_without_events_is_named(begin, monkeypatch, capsys):
    (begin("a") / "stats.jsonl").write_text(dump_row(ROW))
    monkeypatch.setattr("pipeline.store.artifacts.ArtifactStore.is_in_use", lambda *_: True)
    assert main(["tensorboard", "--dataset", "cats"]) == 2
    first, last = capsys.readouterr().err.splitlines()
    assert first == "001-dcgan-64px runs without gan.tensorboard: it is shown when it has ended"
    assert last.startswith("error: cats has no training to show yet; `python -m tasks run --dataset cats --gan-tens")


def test_a_training_that_begins_later_is_linked_too(begin, tmp_path):
    (begin("a") / "events.out.tfevents.1.ganmill").touch()
    assert tensorboard_command.link_trainings("cats", tmp_path) == 1
    (begin("b") / "events.out.tfevents.1.ganmill").touch()
    assert tensorboard_command.link_trainings("cats", tmp_path) == 2
    assert {"001-dcgan-64px", "002-dcgan-64px"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--dataset", "cat"], "there is no dataset 'cat'; did you mean 'cats'?"),
        (["--dataset", "cats", "--port", "0"], "--port 0: expected a number from 1 to 65535, for example 6006"),
    ],
)
def test_mistakes_are_one_line(begin, capsys, words, says):
    assert main(["tensorboard", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {says}"


def test_without_tensorboard_a_line_says_how_to_install_it(begin, monkeypatch, capsys):
    monkeypatch.setattr(tensorboard_command.importlib.util, "find_spec", lambda name: None)
    assert main(["tensorboard", "--dataset", "cats"]) == 2
    assert "`make tensorboard` installs it" in capsys.readouterr().err
