"""The manifest of an artifact: read as it was written, or not at all."""

import json

import pytest

from pipeline.errors import DamagedState
from pipeline.store import manifest as manifests
from pipeline.store.digest import of_bytes
from pipeline.store.manifest import Manifest, check_contents, check_files, list_files


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
