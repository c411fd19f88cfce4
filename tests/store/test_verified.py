"""Files of an artifact are read unchanged, or not at all."""

import json

import numpy as np
import pytest

from pipeline.errors import DamagedState
from pipeline.store import verified
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.jsonl import write_rows
from pipeline.store.manifest import Manifest, list_files

KEY = "c" * 64


@pytest.fixture
def folder(tmp_path):
    """An artifact of the filter with a file of each kind."""
    store = ArtifactStore(tmp_path / "filter")
    work = store.work(KEY, resume=False)
    write_rows(work / "scores.jsonl", [{"id": "a", "score": 0.25}, {"id": "b", "score": 0.75}])
    (work / "samples.json").write_text('{"kid": 1}')
    np.save(work / "features.npy", np.arange(6.0))
    facts = {"options": {}, "inputs": {}, "files": list_files(work)}
    return store.publish(work, Manifest(stage="filter", version=1, dataset="cats", key=KEY, **facts)).folder


READ = {
    "scores.jsonl": (verified.read_rows, b"0.25", b"0.95"),
    "samples.json": (verified.read_bytes, b"1", b"2"),
    "features.npy": (verified.read_array, np.float64(5).tobytes(), np.float64(7).tobytes()),
}


def test_unchanged_files_are_read(folder):
    assert verified.read_rows(folder, "scores.jsonl")[1] == {"id": "b", "score": 0.75}
    assert verified.read_bytes(folder, "samples.json") == b'{"kid": 1}'
    assert verified.read_array(folder, "features.npy").tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("name", READ)
def test_changed_file_raises_damaged_state_with_command(folder, name):
    read, old, new = READ[name]
    path = folder / name
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(DamagedState, match=rf"{name} is not what was written; `python -m tasks rerun filter`"):
        read(folder, name)


def test_missing_or_added_file_raises_damaged_state(folder):
    (folder / "samples.json").unlink()
    with pytest.raises(DamagedState, match=r"samples.json cannot be read \(No such file"):
        verified.read_bytes(folder, "samples.json")
    (folder / "added.json").write_text("{}")
    with pytest.raises(DamagedState, match=r"added.json is not what was written"):
        verified.read_bytes(folder, "added.json")


def test_edited_manifest_raises_damaged_state(folder):
    path = folder / "manifest.json"
    body = json.loads(path.read_text())
    body["files"]["scores.jsonl"][1] = "0" * 64
    path.write_text(json.dumps(body))
    with pytest.raises(DamagedState, match=r"manifest.json is not what was written"):
        verified.read_rows(folder, "scores.jsonl")


def test_folder_without_a_manifest_is_read_unchecked(tmp_path):
    write_rows(tmp_path / "rows.jsonl", [{"a": 1}])
    assert verified.read_rows(tmp_path, "rows.jsonl") == [{"a": 1}]
