"""The artifact store: only complete artifacts are found."""

import json
import os

import pytest

from pipeline.errors import DamagedState
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import ArtifactStore, load
from pipeline.store.manifest import Manifest, list_files

KEY, OTHER = "a" * 64, "b" * 64


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "normalize")


def publish_one_file(store, key=KEY, text="pixels", **facts):
    """Publish an artifact with one file."""
    work = store.work(key, resume=False)
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
    return store.publish(work, manifest)


def test_find_returns_the_artifact_of_its_key_only(store):
    published = publish_one_file(store)
    assert store.find(KEY).folder == published.folder
    assert store.find(KEY).manifest.outputs == {"images": "pixels"}
    assert store.find(OTHER) is None


def test_keys_with_the_same_prefix_are_distinguished(store):
    publish_one_file(store, key="a" * 64)
    assert store.find("a" * 12 + "b" * 52) is None


def test_work_in_progress_is_not_an_artifact(store):
    work = store.work(KEY, resume=False)
    (work / "half.txt").write_text("half")
    assert store.find(KEY) is None
    assert store.begun(KEY)
    assert store.all() == []


def test_work_is_kept_only_with_resume(store):
    (store.work(KEY, resume=True) / "checkpoint").write_text("1")
    assert (store.work(KEY, resume=True) / "checkpoint").exists()
    assert not (store.work(KEY, resume=False) / "checkpoint").exists()


def test_rerun_is_kept_beside_the_first_artifact_and_preferred(store):
    first, second = publish_one_file(store, text="old"), publish_one_file(store, text="new", forced="run-2")
    assert first.folder.exists()
    assert store.find(KEY).folder == second.folder
    assert store.find(KEY, forced="run-2").folder == second.folder
    assert store.find(KEY, forced="run-3") is None


def test_unfinished_artifact_is_found_by_its_run_alone_or_on_request(store):
    folder = publish_one_file(store, run="run-1", unfinished="4 of 9 epochs").folder
    assert store.find(KEY) is None
    assert store.find(KEY, run="run-2") is None
    assert store.find(KEY, run="run-1").folder == store.find(KEY, unfinished=True).folder == folder
    assert store.damage(KEY) is None
    finished = publish_one_file(store, run="run-2").folder
    assert store.find(KEY).folder == store.find(KEY, run="run-1").folder == finished


def test_older_finished_artifact_is_found_behind_an_unfinished_rerun(store):
    finished = publish_one_file(store).folder
    publish_one_file(store, run="run-2", forced="run-2", unfinished="4 of 9 epochs")
    assert store.find(KEY, run="run-3").folder == finished


def test_tenth_rerun_is_preferred_to_the_ninth(store):
    for number in range(10):
        last = publish_one_file(store, text=str(number))
    assert store.find(KEY).folder == last.folder


def test_latest_names_the_last_published_artifact(store):
    publish_one_file(store)
    published = publish_one_file(store, key=OTHER)
    assert (store.root / "latest").resolve() == published.folder.resolve()


def test_latest_is_a_text_file_without_symlinks(store, monkeypatch):
    def raise_os_error(*arguments, **keywords):
        raise OSError("no links here")

    monkeypatch.setattr(os, "symlink", raise_os_error)
    published = publish_one_file(store)
    assert (store.root / "latest").read_text().strip() == published.folder.name


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_truncated_manifest_is_damage(store, length):
    path = publish_one_file(store).folder / manifests.NAME
    path.write_bytes(path.read_bytes()[:length])
    assert store.find(KEY) is None
    assert str(path) in store.damage(KEY)


def test_edited_manifest_is_damage(store):
    path = publish_one_file(store).folder / manifests.NAME
    body = json.loads(path.read_text())
    body["outputs"]["images"] = "something else"
    path.write_text(json.dumps(body))
    assert store.find(KEY) is None
    assert "not what was written" in store.damage(KEY)


def test_missing_file_is_damage(store):
    image = publish_one_file(store).folder / "images" / "one.txt"
    image.unlink()
    assert store.find(KEY) is None
    assert f"{image} is missing" in store.damage(KEY)


def test_truncated_file_is_damage(store):
    image = publish_one_file(store).folder / "images" / "one.txt"
    image.write_text("pix")
    assert store.find(KEY) is None
    assert "3 bytes where 6 were written" in store.damage(KEY)


def test_find_returns_the_previous_artifact_if_the_rerun_is_damaged(store):
    first, second = publish_one_file(store), publish_one_file(store)
    (second.folder / "images" / "one.txt").unlink()
    assert store.find(KEY).folder == first.folder


def test_damaged_omits_artifacts_that_were_made_again(store):
    folder = publish_one_file(store).folder
    (folder / "images" / "one.txt").unlink()
    assert list(store.damaged()) == [folder]
    publish_one_file(store)
    assert store.damaged() == {}


def test_folder_without_a_manifest_is_damaged(store):
    folder = publish_one_file(store).folder
    (folder / manifests.NAME).unlink()
    with pytest.raises(DamagedState, match=r"manifest\.json is missing"):
        load(folder)
    assert list(store.damaged()) == [folder]


def test_lock_is_exclusive(store):
    with store.lock(KEY), pytest.raises(TimeoutError):
        store.lock(KEY).acquire(timeout=0)


def test_folder_with_an_invalid_suffix_is_ignored(store):
    published = publish_one_file(store)
    (store.root / f"{published.folder.name}.²").mkdir()
    assert store.find(KEY).folder == published.folder
    assert publish_one_file(store).folder.name == f"{published.folder.name}.2"
