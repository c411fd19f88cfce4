"""What is on a shelf is whole, or it is not there."""

import json
import os

import pytest

from pipeline.errors import DamagedState
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import ArtifactStore, load
from pipeline.store.manifest import Manifest, check_contents, list_files

KEY, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def shelf(tmp_path):
    return ArtifactStore(tmp_path / "normalize")


def put(shelf, key=KEY, text="pixels", **facts):
    """Publish a folder with one file."""
    work = shelf.work(key, resume=False)
    (work / "images").mkdir()
    (work / "images" / "one.txt").write_text(text)
    manifest = Manifest(
        stage="normalize",
        version=1,
        dataset="demo",
        key=key,
        options={"size": 64},
        inputs={},
        outputs={"images": text},
        files=list_files(work),
        **facts,
    )
    return shelf.publish(work, manifest)


def test_a_published_folder_is_found_by_its_key_and_by_no_other(shelf):
    published = put(shelf)
    assert shelf.find(KEY).folder == published.folder
    assert shelf.find(KEY).manifest.outputs == {"images": "pixels"}
    assert shelf.find(OTHER) is None


def test_two_keys_with_the_same_beginning_are_told_apart(shelf):
    put(shelf, key="a" * 64)
    assert shelf.find("a" * 12 + "b" * 52) is None


def test_work_in_progress_is_never_found(shelf):
    work = shelf.work(KEY, resume=False)
    (work / "half.txt").write_text("half")
    assert shelf.find(KEY) is None
    assert shelf.begun(KEY)
    assert shelf.all() == []


def test_work_is_kept_only_for_a_stage_that_can_go_on(shelf):
    (shelf.work(KEY, resume=True) / "checkpoint").write_text("1")
    assert (shelf.work(KEY, resume=True) / "checkpoint").exists()
    assert not (shelf.work(KEY, resume=False) / "checkpoint").exists()


def test_a_rerun_stands_beside_what_was_there_and_wins(shelf):
    first, second = put(shelf, text="old"), put(shelf, text="new", forced="run-2")
    assert first.folder.exists()
    assert shelf.find(KEY).folder == second.folder
    assert shelf.find(KEY, forced="run-2").folder == second.folder
    assert shelf.find(KEY, forced="run-3") is None


def test_the_tenth_rerun_wins_over_the_ninth(shelf):
    for number in range(10):
        last = put(shelf, text=str(number))
    assert shelf.find(KEY).folder == last.folder


def test_latest_names_what_was_published_last(shelf):
    put(shelf)
    published = put(shelf, key=OTHER)
    assert (shelf.root / "latest").resolve() == published.folder.resolve()


def test_latest_is_a_text_file_where_links_cannot_be_made(shelf, monkeypatch):
    def refuse(*arguments, **keywords):
        raise OSError("no links here")

    monkeypatch.setattr(os, "symlink", refuse)
    published = put(shelf)
    assert (shelf.root / "latest").read_text().strip() == published.folder.name


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_manifest_cut_short_is_named_and_not_used(shelf, length):
    path = put(shelf).folder / manifests.NAME
    path.write_bytes(path.read_bytes()[:length])
    assert shelf.find(KEY) is None
    assert str(path) in shelf.damage(KEY)


def test_a_manifest_that_was_edited_is_named_and_not_used(shelf):
    path = put(shelf).folder / manifests.NAME
    body = json.loads(path.read_text())
    body["outputs"]["images"] = "something else"
    path.write_text(json.dumps(body))
    assert shelf.find(KEY) is None
    assert "not what was written" in shelf.damage(KEY)


def test_a_missing_image_is_named_and_the_folder_not_used(shelf):
    image = put(shelf).folder / "images" / "one.txt"
    image.unlink()
    assert shelf.find(KEY) is None
    assert f"{image} is missing" in shelf.damage(KEY)


def test_a_shorter_image_is_named_and_the_folder_not_used(shelf):
    image = put(shelf).folder / "images" / "one.txt"
    image.write_text("pix")
    assert shelf.find(KEY) is None
    assert "3 bytes where 6 were written" in shelf.damage(KEY)


def test_a_changed_image_of_the_same_size_is_found_when_contents_are_read(shelf):
    published = put(shelf)
    (published.folder / "images" / "one.txt").write_text("PIXELS")
    with pytest.raises(DamagedState, match=r"one\.txt is not what was written"):
        check_contents(published.manifest, published.folder)


def test_when_the_rerun_is_damaged_the_whole_one_before_it_is_used(shelf):
    first, second = put(shelf), put(shelf)
    (second.folder / "images" / "one.txt").unlink()
    assert shelf.find(KEY).folder == first.folder


def test_what_was_made_again_is_no_longer_called_damaged(shelf):
    folder = put(shelf).folder
    (folder / "images" / "one.txt").unlink()
    assert list(shelf.damaged()) == [folder]
    put(shelf)
    assert shelf.damaged() == {}


def test_a_folder_without_a_manifest_is_damaged(shelf):
    folder = put(shelf).folder
    (folder / manifests.NAME).unlink()
    with pytest.raises(DamagedState, match=r"manifest\.json is missing"):
        load(folder)
    assert list(shelf.damaged()) == [folder]


def test_the_lock_lets_one_in(shelf):
    with shelf.lock(KEY), pytest.raises(TimeoutError):
        shelf.lock(KEY).acquire(timeout=0)


def test_a_folder_that_a_person_named_oddly_hides_no_other(shelf):
    published = put(shelf)
    (shelf.root / f"{published.folder.name}.²").mkdir()
    assert shelf.find(KEY).folder == published.folder
    assert put(shelf).folder.name == f"{published.folder.name}.2"
