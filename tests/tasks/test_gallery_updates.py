"""When the page of trainings is written, and that no run fails because of it."""

import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline.errors import Stopped, UserError
from pipeline.report.trainings import Trainings
from pipeline.store.manifest import Manifest
from tasks import gallery_updates, paths, runner
from tasks.cleanup import collect_garbage
from tasks.cli import main
from tasks.gallery_updates import after, during_training, refresh
from tasks.run_pipeline import RunPipeline
from tasks.stages import Generate, Normalize, Report, TrainGan

KEY = "a" * 64
PAGE = Path("generated/cats/index.html")


@pytest.fixture
def task(working_folder, monkeypatch):
    """A training of the dataset cats, as far as the page asks."""
    monkeypatch.setattr(gallery_updates, "EVERY", 0.01)
    options = SimpleNamespace(epochs=9, definition="dcgan")
    return SimpleNamespace(dataset="cats", options=options, chosen={"normalize": SimpleNamespace(size=32)})


def publish(stage: str, letter: str, **facts) -> Path:
    store = paths.artifact_store("cats", stage)
    work = store.work(letter * 64, resume=False)
    facts = {"options": {}, "inputs": {}, "created": "2026-01-01T00:00:00+00:00", **facts}
    return store.publish(work, Manifest(stage=stage, version=1, dataset="cats", key=letter * 64, **facts)).folder


def add_sheet(epoch: int) -> None:
    folder = paths.training_sheets("cats", KEY)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"epoch-{epoch:04d}.png").touch()


def wait_for(text: str) -> None:
    """Wait until the page has `text`."""
    for _ in range(1000):
        if PAGE.exists() and text in PAGE.read_text():
            return
        time.sleep(0.01)
    raise AssertionError(f"{text} never came: {PAGE.read_text() if PAGE.exists() else 'no page'}")


def test_page_is_written_with_each_new_sheet(task):
    store = paths.artifact_store("cats", "gan")
    with store.lock(KEY), during_training(task, KEY):
        wait_for("No sample sheet yet.")
        for epoch in (0, 1):
            add_sheet(epoch)
            wait_for(f"epoch-000{epoch}.png")
        assert ">running<" in PAGE.read_text()
    assert ">unfinished<" in PAGE.read_text()
    assert Path("generated/cats/001-dcgan-32px/epoch-0001.png").exists()


@pytest.mark.parametrize(
    ("error", "state"),
    [(UserError("too few pictures"), "failed"), (RuntimeError("bug"), "failed"), (Stopped(), "unfinished")],
)
def test_training_that_fails_says_why_and_one_that_was_stopped_did_not_fail(task, error, state):
    add_sheet(0)
    with pytest.raises(type(error)), paths.artifact_store("cats", "gan").lock(KEY), during_training(task, KEY):
        raise error
    assert f">{state}<" in PAGE.read_text()
    assert str(error) in PAGE.read_text()
    with during_training(task, KEY):
        pass
    assert ">failed<" not in PAGE.read_text()


def page_of_a_killed_training(task) -> None:
    """The page as a run leaves it that is killed while it trains."""
    with paths.artifact_store("cats", "gan").lock(KEY), during_training(task, KEY):
        add_sheet(0)
        wait_for("epoch-0000.png")
        killed = PAGE.read_bytes()
    PAGE.write_bytes(killed)
    assert ">running<" in PAGE.read_text()


def test_status_corrects_the_page_of_a_training_that_was_killed(task, capsys):
    page_of_a_killed_training(task)
    Path("data/cats/runs").mkdir(parents=True)
    main(["status", "--dataset", "cats"])
    assert ">unfinished<" in PAGE.read_text()
    assert ">running<" not in PAGE.read_text()


def test_the_start_of_a_run_corrects_the_page_of_a_training_that_was_killed(task, monkeypatch):
    page_of_a_killed_training(task)
    monkeypatch.setattr(runner, "_run", lambda *arguments, **options: PAGE.read_text().count(">running<"))
    pipeline = RunPipeline(dataset="cats", query="cat")
    assert runner.launch(pipeline, pipeline) == 0


def test_status_writes_no_page_that_shows_nothing_running(task):
    refresh("cats")
    gallery_updates.correct("cats")
    assert not PAGE.exists()
    publish("gan", "a", options={"definition": "dcgan"}, summary={"size": 32})
    refresh("cats")
    PAGE.write_text("as it was")
    gallery_updates.correct("cats")
    assert PAGE.read_text() == "as it was"


def test_earlier_trainings_get_their_numbers_before_a_new_one(task):
    publish("gan", "b", options={"definition": "wgan-gp", "epochs": 3}, summary={"epochs": 3, "size": 64})
    with during_training(task, KEY):
        pass
    names = [training.name for training in Trainings(paths.generated_folder("cats")).all()]
    assert names == ["001-wgan-gp-64px", "002-dcgan-32px"]


def test_number_of_epochs_that_training_decides_is_unknown(task):
    task.options.epochs = "auto"
    with during_training(task, KEY):
        add_sheet(3)
    assert "; 3 epochs." in PAGE.read_text()


def test_page_is_written_after_a_stage_also_if_it_fails(task):
    publish("gan", "a", options={"definition": "dcgan"}, summary={"size": 32})
    with after("cats"):
        pass
    assert "001-dcgan-32px" in PAGE.read_text()
    PAGE.unlink()
    with pytest.raises(UserError), after("cats"):
        raise UserError("no")
    assert PAGE.exists()


def test_no_run_fails_if_the_page_cannot_be_written(task, caplog):
    Path("generated").write_text("a file where a folder is needed")
    refresh("cats")
    with during_training(task, KEY):
        pass
    with pytest.raises(UserError, match="too few"), during_training(task, KEY):
        raise UserError("too few")
    assert "the page of trainings of cats was not written: " in caplog.text
    assert "Errno" not in caplog.text


def test_fault_of_the_page_fails_no_run(task, caplog, monkeypatch):
    monkeypatch.setattr(gallery_updates.gallery, "refresh", lambda *arguments, **options: 1 / 0)
    with during_training(task, KEY), after("cats"):
        pass
    assert "ZeroDivisionError" in caplog.text


def test_training_samples_and_report_are_on_the_page_and_other_stages_are_not(working_folder):
    shown = {
        stage: RunPipeline(dataset="cats", query="cat").upstream(stage).shown(KEY)
        for stage in (Normalize, TrainGan, Generate, Report)
    }
    assert [isinstance(context, nullcontext) for context in shown.values()] == [True, False, False, False]


def test_garbage_collection_takes_what_it_deletes_from_the_page(task):
    folder = publish("gan", "a", options={"definition": "dcgan"}, summary={"size": 32})
    publish("gan", "b", options={"definition": "lsgan"}, created="2026-02-02T00:00:00+00:00")
    refresh("cats")
    pipeline = RunPipeline(dataset="cats", query="cat")
    assert folder in collect_garbage(pipeline, keep=0, dry_run=True)
    assert "001-dcgan-32px" in PAGE.read_text()
    collect_garbage(pipeline, keep=0)
    assert "001-dcgan" not in PAGE.read_text()
    assert "002-lsgan" in PAGE.read_text()
    assert not Path("generated/cats/001-dcgan-32px").is_symlink()
    assert not paths.training_sheets("cats", KEY).exists()
