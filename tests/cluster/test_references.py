"""An artifact that a worker reads is a folder of this machine, or is fetched from the storage."""

import dataclasses
import io
import os

import numpy as np
import pytest

from pipeline.cluster import references
from pipeline.cluster.client import Cluster
from pipeline.cluster.references import StoredArtifact, keep_arrays, locate, refer
from pipeline.errors import DamagedState
from pipeline.progress import silent
from pipeline.store import manifest as manifests
from pipeline.store.manifest import Manifest, list_files
from pipeline.store.npz import ArrayForm
from pipeline.store.object_store import open_store
from pipeline.store.remote_artifacts import RemoteArtifacts


@pytest.fixture
def artifact(tmp_path):
    folder = tmp_path / "1a2b3c4d5e6f"
    folder.mkdir()
    (folder / "model").write_text("weights")
    facts = {"key": folder.name + "0" * 52, "options": {}, "inputs": {}, "files": list_files(folder)}
    manifests.write(Manifest(stage="classifier", version=1, dataset="cats", **facts), folder)
    return folder


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    monkeypatch.setattr(references, "scratch_folder", lambda: tmp_path / "scratch")
    references._fetch.cache_clear()
    return tmp_path / "scratch"


def test_workers_of_this_machine_read_the_folder(artifact, monkeypatch):
    monkeypatch.chdir(artifact.parent)
    reference = refer(artifact.relative_to(artifact.parent), Cluster(address="tls://127.0.0.1:1"))
    assert locate(reference) == artifact


def test_other_workers_fetch_it_once(artifact, scratch, tmp_path):
    cluster = Cluster(address="tls://x:1", storage=str(tmp_path / "store"), dataset="cats")
    RemoteArtifacts(open_store(cluster.storage), "cats/classifier").publish(artifact, manifests.read(artifact), silent)
    reference = refer(artifact, cluster)
    assert reference[:4] == (cluster.storage, "cats", "classifier", artifact.name)
    found = locate(reference)
    assert found.is_relative_to(scratch)
    assert (found / "model").read_text() == "weights"
    assert locate(reference) == found


def test_what_is_gone_is_one_line(scratch, tmp_path):
    gone = StoredArtifact(str(tmp_path / "store"), "cats", "classifier", "f" * 12, "outputs")
    with pytest.raises(DamagedState, match=rf"storage .*store: cats/classifier/{'f' * 12} is gone; run again"):
        locate(gone)


def test_workers_of_this_machine_keep_no_arrays(tmp_path):
    assert keep_arrays(tmp_path, "name", {}, lambda: {"a": np.arange(3)})["a"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


def test_copies_that_nobody_has_used_for_long_are_deleted(artifact, scratch, tmp_path):
    cluster = Cluster(address="tls://x:1", storage=str(tmp_path / "store"), dataset="cats")
    remote = RemoteArtifacts(open_store(cluster.storage), "cats/classifier")
    remote.publish(artifact, manifests.read(artifact), silent)
    other = refer(artifact, cluster)._replace(dataset="dogs")
    of_dogs = dataclasses.replace(manifests.read(artifact), dataset="dogs")
    RemoteArtifacts(remote.store, "dogs/classifier").publish(artifact, of_dogs, silent)
    first = locate(refer(artifact, cluster))
    pixels = first.with_name(f".packed-{first.name}.npy")
    pixels.write_bytes(b"pixels")
    os.utime(first, (0, 0))
    second = locate(other)
    assert (first.exists(), pixels.exists(), second.exists()) == (False, False, True)
    assert locate(refer(artifact, cluster)) == first
    os.utime(second, (0, 0))
    assert locate(other) == second
    references._fetch.cache_clear()
    locate(refer(artifact, cluster))
    assert second.exists()


def test_only_a_worker_has_a_folder_for_copies(tmp_path):
    dask = pytest.importorskip("dask", reason="dask is not installed")
    with pytest.raises(ValueError, match="worker"):
        references.scratch_folder()
    with dask.config.set({references.SCRATCH: str(tmp_path)}):
        assert references.scratch_folder() == tmp_path


FORMS = {"score": ArrayForm(("float64",), (2,)), "features": ArrayForm(("float16",), (2, 3))}


def test_an_artifact_that_was_made_again_is_not_taken_for_the_same(artifact, scratch, tmp_path):
    cluster = Cluster(address="tls://x:1", storage=str(tmp_path / "store"), dataset="cats")
    remote = RemoteArtifacts(open_store(cluster.storage), "cats/classifier")
    references_made = []
    for content in ("one", "two"):
        (artifact / "model").write_text(content)
        facts = {"key": artifact.name + "0" * 52, "options": {}, "inputs": {}, "files": list_files(artifact)}
        outputs = {"model": content}
        manifests.write(Manifest(stage="classifier", version=1, dataset="cats", outputs=outputs, **facts), artifact)
        remote.store.delete(f"cats/classifier/{artifact.name}")
        remote.publish(artifact, manifests.read(artifact), silent)
        references_made.append(refer(artifact, cluster))
        assert (locate(references_made[-1]) / "model").read_text() == content
    references._fetch.cache_clear()
    with pytest.raises(DamagedState, match="was made again; run again"):
        locate(references_made[0])


def npz(compress: bool = False, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **arrays)
    return file.getvalue()


def encrypted(data: bytes) -> bytes:
    """The archive with the mark of encryption on its members."""
    changed = bytearray(data)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = changed.find(mark)
        while start >= 0:
            changed[start + place] |= 1
            start = changed.find(mark, start + 1)
    return bytes(changed)


GOOD = {"score": np.array([0.5, 1 / 3]), "features": np.ones((2, 3), np.float16)}
DAMAGES = {
    "none": None,
    "empty": b"",
    "no archive": b"PK no zip",
    "cut": npz(**GOOD)[:-40],
    "encrypted": encrypted(npz(**GOOD)),
    "compressed": npz(compress=True, score=np.zeros(1 << 20), features=GOOD["features"]),
    "other names": npz(score=GOOD["score"], others=GOOD["features"]),
    "another shape": npz(score=np.zeros(3), features=GOOD["features"]),
    "another type": npz(score=np.zeros(2, np.int64), features=GOOD["features"]),
    "objects": npz(score=np.array([None, 1]), features=GOOD["features"]),
    "NaN": npz(score=np.array([np.nan, 1]), features=GOOD["features"]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_another_worker_has_computed_is_not_computed_again(tmp_path, damage):
    where = StoredArtifact(str(tmp_path / "store"), "cats", "classifier", "1a2b3c4d5e6f", "outputs")
    calls = []

    def compute():
        calls.append(1)
        return GOOD

    first = keep_arrays(where, "scores-abc", FORMS, compute)
    if (data := DAMAGES[damage]) is not None:
        open_store(where.storage).write("cats/classifier/work/scores-abc.npz", data)
    again = keep_arrays(where, "scores-abc", FORMS, compute)
    assert len(calls) == (1 if damage == "none" else 2)
    assert first.keys() == again.keys()
    for name, array in first.items():
        assert (again[name] == array).all()
        assert again[name].dtype == array.dtype
