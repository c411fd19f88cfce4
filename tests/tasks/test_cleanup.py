"""Garbage collection: what is deleted, and what stays."""

import os
import re
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.store.manifest import Manifest, list_files
from tasks import paths, run_log
from tasks.cleanup import collect_garbage
from tasks.cli import main
from tasks.run_pipeline import RunPipeline


@pytest.fixture
def pipeline(working_folder):
    return RunPipeline(dataset="cats", query="cat")


def publish(stage: str, letter: str, text: str = "pixels", *, key: str = "", inputs: dict | None = None) -> Path:
    """Publish an artifact of the dataset cats whose key is 64 times `letter`, or `key`; returns its folder."""
    store, key = paths.artifact_store("cats", stage), key or letter * 64
    work = store.work(key, resume=False)
    (work / "file.txt").write_text(text)
    facts = {"options": {}, "inputs": inputs or {}, "outputs": {"images": letter}, "files": list_files(work)}
    return store.publish(work, Manifest(stage=stage, version=1, dataset="cats", key=key, **facts)).folder


def begin(stage: str, letter: str):
    """Begin to make an artifact; returns the folder of the work."""
    work = paths.artifact_store("cats", stage).work(letter * 64, resume=True)
    (work / "checkpoint").write_text("half")
    return work


def test_only_the_newest_artifacts_of_each_stage_stay(pipeline):
    old, middle, new = (publish("download", letter) for letter in "abc")
    assert collect_garbage(pipeline, keep=2).keys() == {old}
    assert [folder.exists() for folder in (old, middle, new)] == [False, True, True]


def test_artifact_of_the_current_settings_stays_whatever_its_age(pipeline):
    current = publish("download", "a", key=pipeline.stages()[0].key())
    newer, last_used = publish("download", "b"), publish("download", "c")
    assert collect_garbage(pipeline, keep=0).keys() == {newer}
    assert current.exists()
    assert last_used.exists()


def test_what_the_last_used_artifacts_were_made_from_stays(pipeline):
    """The last run was stopped after a download; an export of the squares needs the download before it."""
    old, origin, last = (publish("download", letter) for letter in "abc")
    squares = publish("normalize", "d", inputs={"download.images": "b"})
    newer = publish("normalize", "e", inputs={"download.images": "c"})
    verdicts = publish("filter", "f", inputs={"normalize.images": "d"})
    assert collect_garbage(pipeline, keep=0).keys() == {old}
    assert all(folder.exists() for folder in (origin, last, squares, newer, verdicts))


def test_the_training_that_another_dataset_begins_with_stays(configure):
    pipeline, (old, named, last) = RunPipeline(dataset="cats", query="cat"), [None] * 3
    configure("")
    old, named, last = (publish("gan", letter) for letter in "abc")
    configure(f"[dogs.download]\nquery = dog\n[dogs.gan]\nstart = models/cats/gan/{named.name}\n")
    for dataset in ("cats", "dogs"):
        (paths.dataset_folder(dataset) / "runs").mkdir(parents=True, exist_ok=True)
    assert collect_garbage(pipeline, keep=0).keys() == {old}
    assert named.exists()
    assert last.exists()


def test_dry_run_names_folders_and_bytes_and_deletes_nothing(pipeline):
    old, _ = publish("download", "a", "x" * 5000), publish("download", "b")
    sizes = collect_garbage(pipeline, keep=1, dry_run=True)
    assert sizes.keys() == {old}
    assert 5000 < sizes[old] < 10_000
    assert old.exists()


def test_unfinished_work_is_deleted_unless_a_run_holds_its_lock(pipeline):
    busy, left = begin("download", "a"), begin("download", "b")
    with paths.artifact_store("cats", "download").lock("a" * 64):
        assert collect_garbage(pipeline, keep=3).keys() == {left}
    assert (busy.exists(), left.exists()) == (True, False)


def test_damaged_artifact_is_deleted_though_it_is_the_newest(pipeline):
    good, bad = publish("download", "a"), publish("download", "b")
    (bad / "manifest.json").write_text("{")
    assert collect_garbage(pipeline, keep=1).keys() == {bad}
    assert good.exists()


def test_unfinished_training_stays_while_its_key_is_unknown(pipeline):
    work, sheets = begin("gan", "a"), paths.training_sheets("cats", "a" * 64)
    sheets.mkdir(parents=True)
    assert collect_garbage(pipeline, keep=0) == {}
    assert work.exists()
    assert sheets.exists()


def test_sheets_of_a_training_that_is_gone_are_deleted(pipeline):
    kept, orphaned = (paths.training_sheets("cats", letter * 64) for letter in "ab")
    publish("gan", "a")
    for folder in (kept, orphaned):
        folder.mkdir(parents=True)
    assert collect_garbage(pipeline, keep=3).keys() == {orphaned}
    assert kept.exists()


def test_pictures_labels_and_records_stay(pipeline):
    stays = [
        paths.dataset_folder("cats") / name for name in ("pictures/one.jpg", "labels.jsonl", "runs/1/record.jsonl")
    ]
    for path in stays:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    collect_garbage(pipeline, keep=0)
    assert all(path.exists() for path in stays)


def test_pixels_of_squares_that_are_gone_are_deleted(pipeline):
    old, new = publish("normalize", "a"), publish("normalize", "b")
    pixels = [
        folder.with_name(f".packed-{folder.name}.{suffix}") for folder in (old, new) for suffix in ("npy", "part")
    ]
    for path in pixels:
        path.write_bytes(b"x" * 3000)
    sizes = collect_garbage(pipeline, keep=1)
    assert sizes.keys() == {old, *pixels[:2]}
    assert sizes[pixels[0]] == 3000
    assert [path.exists() for path in pixels] == [False, False, True, True]


def test_samples_that_pages_have_drawn_are_deleted(pipeline):
    drawn = paths.dataset_folder("cats") / "cache" / "draw-1" / "00000.png"
    drawn.parent.mkdir(parents=True)
    drawn.write_bytes(b"pixels")
    assert collect_garbage(pipeline, keep=3) == {drawn.parent.parent: 6}
    assert not drawn.parent.parent.exists()


def test_negative_keep_is_refused(pipeline):
    with pytest.raises(UserError, match="--keep -1: expected a whole number"):
        collect_garbage(pipeline, keep=-1)


def test_the_artifacts_of_the_last_run_stay(pipeline):
    used, other = publish("download", "a"), publish("download", "b")
    paths.artifact_store("cats", "download").point_latest(used)
    assert collect_garbage(pipeline, keep=0).keys() == {other}


def test_a_dropped_dataset_leaves_the_list_and_can_be_put_back(pipeline, capsys):
    folders = [publish(stage, "a") for stage in ("download", "gan", "report")]
    run_log.record("cats", "a-run").add("end", outcome="done")
    assert main(["status", "--drop", "--dataset", "cast"]) == 2
    assert "did you mean 'cats'" in capsys.readouterr().err
    assert main(["status", "--drop", "--dataset", "cats"]) == 0
    assert paths.datasets() == []
    kept = Path(re.search(r"data/\.dropped/cats-\d+-\d+", capsys.readouterr().out)[0])
    for folder in folders:
        root, _, rest = folder.parts[0], folder.parts[1], folder.parts[2:]
        assert not folder.exists()
        assert kept.joinpath(root, *rest, "file.txt").is_file()
    assert Path("models/dcgan.json").is_file()


def test_a_dataset_that_is_at_work_is_not_dropped(pipeline, capsys):
    folder = publish("download", "a")
    run_log.record("cats", "a-run")  # by this process
    assert main(["status", "--drop", "--dataset", "cats"]) == 2
    assert f"is at work (process {os.getpid()}); stop it first" in capsys.readouterr().err
    assert folder.exists()
