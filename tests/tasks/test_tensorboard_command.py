"""The command `python -m tasks tensorboard`: which trainings TensorBoard is given, and by which names."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.gan.tensorboard_events import EventLog, event_files
from pipeline.report.trainings import Trainings
from pipeline.store.jsonl import dump_row
from tasks import paths, tensorboard_command
from tasks.cli import main
from tasks.tensorboard_command import TrainingLinks

REPOSITORY = Path(__file__).parent.parent.parent

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
    real = importlib.util.find_spec  # which TensorFlow asks too
    found = {"tensorboard": True}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *package: found.get(name) or real(name, *package))
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
    links = TrainingLinks("cats", tmp_path)
    assert links.update() == 1
    (begin("b") / "events.out.tfevents.1.ganmill").touch()
    assert links.update() == 2
    assert {"001-dcgan-64px", "002-dcgan-64px"} <= {path.name for path in tmp_path.iterdir()}


def test_what_cannot_be_shown_is_said_once_and_the_others_are_shown(begin, tmp_path, monkeypatch, capsys):
    def refuse(folder: Path) -> None:
        raise OSError("disk full")

    (begin("a") / "stats.jsonl").write_text(dump_row(ROW))
    (begin("b") / "events.out.tfevents.1.ganmill").touch()
    monkeypatch.setattr(tensorboard_command, "write_events", refuse)
    links = TrainingLinks("cats", tmp_path)
    assert [links.update(), links.update()] == [1, 1]
    told = "001-dcgan-64px is not shown: its events cannot be written (disk full)\n"
    assert capsys.readouterr().err == told


def test_events_that_were_not_written_whole_are_written_anew(begin, tmp_path, monkeypatch):
    folder = begin("a")
    (folder / "stats.jsonl").write_text(dump_row(ROW | {"step": 1}))

    def fill_the_disk(self: EventLog, row: dict) -> None:
        raise OSError("disk full")

    links = TrainingLinks("cats", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(EventLog, "_add", fill_the_disk)
        assert links.update() == 0
    assert event_files(folder) == []
    assert links.update() == 1
    (path,) = event_files(folder)
    assert b"loss/d_loss" in path.read_bytes()


def test_a_signal_ends_the_writing_of_events_between_two_trainings(begin, tmp_path, monkeypatch):
    for letter in "ab":
        (begin(letter) / "stats.jsonl").write_text(dump_row(ROW))
    monkeypatch.setattr(tensorboard_command, "write_events", lambda to: (to / "events.out.tfevents.5.made").touch())
    answers = iter([False, True])
    monkeypatch.setattr(tensorboard_command.signals, "should_stop", lambda: next(answers))
    assert TrainingLinks("cats", tmp_path).update() == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_command_alone_ends_tensorboard_and_leaves_nothing(begin, number, tmp_path):
    (begin("a") / "events.out.tfevents.1.ganmill").touch()
    sleeper = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"
    code = (
        f"import importlib.util, sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from tasks import cli, tensorboard_command\n"
        f"tensorboard_command.COMMAND = (sys.executable, '-c', {sleeper!r})\n"
        "importlib.util.find_spec = lambda name: name\n"
        "sys.exit(cli.main(['tensorboard', '--dataset', 'cats']))"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        child = int(process.stdout.readline())
        process.send_signal(number)
        assert process.wait(20) == 0
    assert not psutil.pid_exists(child)
    assert list(tmp_path.glob("ganmill-tensorboard-*")) == []


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
