"""The manifest of an artifact: read as it was written, or not at all."""

import json
import shutil

import pytest

from pipeline.errors import DamagedState
from pipeline.store import manifest as manifests
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import write_rows
from pipeline.store.manifest import Manifest, check_contents, check_files, list_files, list_folders


@pytest.fixture
def folder(tmp_path):
    """The folder of an artifact with one file in a subfolder."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "one.txt").write_text("pixels")
    return tmp_path


@pytest.fixture
def manifest(folder):
    made = Manifest(stage="x", version=1, dataset="kätzchen", key="k", options={"size": 64}, inputs={}, notes={"n": 3},
                    files=list_files(folder))  # fmt: skip
    manifests.write(made, folder)
    return made


def test_read_returns_what_was_written(folder, manifest):
    assert manifests.read(folder) == manifest


def test_list_files_has_size_and_digest_of_every_file_but_the_manifest(folder, manifest):
    assert list_files(folder) == manifest.files == {"images/one.txt": [6, of_bytes(b"pixels")]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda body: body.pop("self"), r"cannot be read \(KeyError"),
        (lambda body: body.update(stage="y"), "is not what was written"),
        (lambda body: body.update(colour="red"), r"cannot be read \(TypeError"),
        (lambda body: body.pop("options"), r"cannot be read \(TypeError"),
    ],
)
def test_read_refuses_a_manifest_that_was_edited(folder, manifest, change, says):
    path = folder / manifests.NAME
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))
    with pytest.raises(DamagedState, match=says):
        manifests.read(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"{", b"\xff", b"null"])
def test_read_refuses_what_is_no_manifest(folder, content):
    (folder / manifests.NAME).write_bytes(content)
    with pytest.raises(DamagedState, match=r"manifest\.json cannot be read"):
        manifests.read(folder)


def test_check_files_names_the_missing_file(folder, manifest):
    check_files(manifest, folder)
    (folder / "images" / "one.txt").unlink()
    with pytest.raises(DamagedState, match=r"one\.txt is missing"):
        check_files(manifest, folder)


def test_check_contents_detects_a_change_of_the_same_size(folder, manifest):
    check_contents(manifest, folder)
    (folder / "images" / "one.txt").write_text("PIXELS")
    check_files(manifest, folder)
    with pytest.raises(DamagedState, match=r"one\.txt is not what was written"):
        check_contents(manifest, folder)


@pytest.fixture
def pictures(tmp_path):
    """An artifact with a folder of three pictures: two that rows describe, and one that is named by its SHA-256."""
    (tmp_path / "images").mkdir()
    rows = [{"id": "c", "file": "", "outcome": "rejected"}]
    for name in "ab":
        (tmp_path / "images" / f"{name}.png").write_text(name)
        rows.append({"id": name, "file": f"images/{name}.png", "sha256": of_bytes(name.encode())})
    (tmp_path / "images" / f"{of_bytes(b'raw')}.jpg").write_bytes(b"raw")
    write_rows(tmp_path / "images.jsonl", rows)
    return tmp_path


@pytest.fixture
def of_pictures(pictures):
    facts = {"files": list_files(pictures, pictures="images"), "folders": list_folders(pictures, "images")}
    return Manifest(stage="x", version=1, dataset="cats", key="k", options={}, inputs={}, **facts)


def test_a_folder_of_pictures_is_counted_and_not_listed(pictures, of_pictures):
    assert list(of_pictures.files) == ["images.jsonl"]
    assert of_pictures.folders == {"images": [3, (pictures / "images").stat().st_mtime_ns]}
    assert list_folders(pictures, "") == {}
    manifests.write(of_pictures, pictures)
    assert manifests.read(pictures) == of_pictures
    check_contents(of_pictures, pictures)


def test_a_missing_picture_is_noticed(pictures, of_pictures):
    (pictures / "images" / "a.png").unlink()
    with pytest.raises(DamagedState, match="images has 2 files where 3 were written"):
        check_files(of_pictures, pictures)


@pytest.mark.parametrize("name", [".DS_Store", "Thumbs.db", "desktop.ini", ".nfs0001", "._a.png", "notes.txt", "new"])
def test_what_a_look_into_the_folder_leaves_there_is_no_damage(pictures, of_pictures, name):
    (pictures / "images" / name).write_text("of a file manager")
    check_contents(of_pictures, pictures)
    assert list_folders(pictures, "images")["images"][0] == 3
    (pictures / "images" / "a.png").unlink()
    with pytest.raises(DamagedState, match="images has 2 files where 3 were written"):
        check_files(of_pictures, pictures)


def test_a_missing_folder_of_pictures_is_noticed(pictures, of_pictures):
    for path in (pictures / "images").iterdir():
        path.unlink()
    (pictures / "images").rmdir()
    with pytest.raises(DamagedState, match="images is missing"):
        check_files(of_pictures, pictures)


def test_pictures_of_an_unchanged_folder_are_not_counted(pictures, of_pictures, monkeypatch):
    monkeypatch.setattr(manifests, "_count", lambda _: pytest.fail("counted"))
    check_files(of_pictures, pictures)


def test_a_copied_folder_is_undamaged(pictures, of_pictures, tmp_path_factory):
    copy = shutil.copytree(pictures, tmp_path_factory.mktemp("copy") / "artifact", copy_function=shutil.copyfile)
    (copy / "images" / "new").touch()
    (copy / "images" / "new").unlink()
    check_files(of_pictures, copy)


@pytest.mark.parametrize("name", ["a.png", f"{of_bytes(b'raw')}.jpg"])
def test_check_contents_detects_a_changed_picture(pictures, of_pictures, name):
    (pictures / "images" / name).write_text("?")
    check_files(of_pictures, pictures)
    with pytest.raises(DamagedState, match=f"{name} is not what was written"):
        check_contents(of_pictures, pictures)
