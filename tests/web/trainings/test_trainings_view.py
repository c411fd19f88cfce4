"""The trainings of a dataset: newest first, in their state, with what there is of each."""

import shutil

import pytest
from filelock import FileLock
from starlette.exceptions import HTTPException

from pipeline.report.trainings import SHEETS
from pipeline.web.trainings.notes import TRAINING, change_note
from pipeline.web.trainings.trainings_view import TrainingsView
from tests.web.fake_trainings import run, samples, training


def view(fake_dataset):
    return TrainingsView(fake_dataset.paths())


def states(fake_dataset):
    return {each.training.number: each.state for each in view(fake_dataset).all()}


def test_newest_is_first_with_its_name_and_note(fake_dataset):
    training(fake_dataset, "one")
    key = training(fake_dataset, "two", definition="wgan-gp")
    change_note(fake_dataset.data, TRAINING, key[:12], name="sharp", star=True)
    newest, oldest = view(fake_dataset).all()
    assert (newest.title, newest.note.star, newest.training.name) == ("sharp", True, "002-wgan-gp-16px")
    assert (oldest.title, oldest.note.star) == ("001-dcgan-16px", False)


def test_state_tells_done_running_unfinished_and_deleted(fake_dataset):
    training(fake_dataset, "done")
    running = training(fake_dataset, "running", finished=False)
    training(fake_dataset, "unfinished", finished=False)
    gone = training(fake_dataset, "gone")
    shutil.rmtree(fake_dataset.store("gan").root / gone[:12])
    shutil.rmtree(fake_dataset.folder / "generated" / "cats" / SHEETS / gone[:12])
    fake_dataset.store("gan").work(running, resume=False)
    with FileLock(fake_dataset.store("gan").root / f".lock-{running[:12]}"):
        found = states(fake_dataset)
    assert found == {1: "done", 2: "running", 3: "unfinished", 4: "deleted"}
    assert states(fake_dataset)[2] == "unfinished"


def test_training_that_has_no_number_yet_is_shown_too(fake_dataset):
    training(fake_dataset)
    (fake_dataset.folder / "generated" / "cats" / "trainings.jsonl").unlink()
    (found,) = view(fake_dataset).all()
    assert (found.training.number, found.state, found.training.definition) == (0, "done", "dcgan")


def test_detail_has_sheets_scores_alarms_and_links(fake_dataset):
    key = training(fake_dataset, epochs=4)
    samples(fake_dataset, key)
    seen = view(fake_dataset)
    detail = seen.detail(seen.find(key[:12]))
    assert [(sheet.epoch, sheet.images_seen) for sheet in detail.sheets] == [
        (0, 0),
        (1, 640),
        (2, 1280),
        (3, 1920),
        (4, 2560),
    ]
    assert detail.drawn_from == "epoch 4, the last, at which the KID by textures-64 was lowest"
    assert detail.best == "0.1000 ± 0.0100 at epoch 4 by textures-64"
    assert (detail.score.kid, detail.score.verdict) == (0.1, "worse than reals")
    assert (detail.latents.seed, detail.latents.size, detail.latents.grid, detail.latents.gap) == (0, 100, 8, 2)
    assert {"reals", "samples", "generator", "statistics"} <= set(detail.links)
    assert detail.alarms == []


def test_alarm_is_told_with_its_epochs(fake_dataset):
    key = training(fake_dataset, epochs=25, finished=False, d_accuracy=0.999)
    seen = view(fake_dataset)
    (alarm,) = seen.detail(seen.find(key[:12])).alarms
    assert alarm.kind == "balance"
    assert alarm.end is None
    assert f"alarm since epoch {alarm.start}" in alarm.text


def test_sheets_of_the_artifact_remain_when_the_live_ones_are_gone(fake_dataset):
    key = training(fake_dataset, epochs=2)
    shutil.rmtree(fake_dataset.folder / "generated" / "cats" / SHEETS / key[:12])
    found = view(fake_dataset).find(key[:12])
    assert list(found.sheets()) == [0, 1, 2]
    assert found.file("reals.png")
    assert found.course().last["epoch"] == 2


def test_files_that_are_no_sheets_are_left_out(fake_dataset):
    key = training(fake_dataset, epochs=1, finished=False)
    folder = fake_dataset.folder / "generated" / "cats" / SHEETS / key[:12]
    for name in ("epoch-x.png", "epoch-0003.png.part", "epoch-99999999999999999999.png", "epoch-①.png"):
        (folder / name).touch()
    assert list(view(fake_dataset).find(key[:12]).sheets()) == [0, 1]


def test_unfinished_training_has_the_seed_of_the_run_that_makes_it(fake_dataset):
    key = training(fake_dataset, finished=False)
    began = {"event": "stage_start", "stage": "gan", "key": key}
    run(fake_dataset, "20260102-000000-000000-1", {"event": "options", "settings": '{"gan.seed": 9}'}, began)
    seen = view(fake_dataset)
    body = seen.body(seen.find(key[:12]))
    assert (body.seed, body.run) == (9, "20260102-000000-000000-1")


@pytest.mark.parametrize("id", ["", "abc", "0" * 12, "../../../etc"])
def test_unknown_training_is_refused(fake_dataset, id):
    training(fake_dataset)
    with pytest.raises(HTTPException, match="there is no training"):
        view(fake_dataset).find(id)


def test_manifest_with_rubbish_gives_a_body(fake_dataset):
    key = training(fake_dataset)
    found = view(fake_dataset).find(key[:12])
    found.files.gan.manifest.summary.update(images="many", drawn_from=7, epochs="x", alarms=[1, {"kind": 2}], notices=3)
    detail = view(fake_dataset).detail(found)
    assert (detail.images, detail.drawn_from, detail.epochs_done) == (None, "7", 3)
