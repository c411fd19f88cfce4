"""An artifact that a worker reads is a folder of this machine, or is fetched from the storage."""

import numpy as np
import pytest

from pipeline.cluster import references
from pipeline.cluster.client import Cluster
from pipeline.cluster.references import StoredArtifact, keep_arrays, locate, refer
from pipeline.errors import DamagedState
from pipeline.progress import silent
from pipeline.store import manifest as manifests
from pipeline.store.manifest import Manifest, list_files
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
    assert reference == StoredArtifact(cluster.storage, "cats", "classifier", artifact.name)
    found = locate(reference)
    assert found.is_relative_to(scratch)
    assert (found / "model").read_text() == "weights"
    assert locate(reference) == found


def test_what_is_gone_is_one_line(scratch, tmp_path):
    gone = StoredArtifact(str(tmp_path / "store"), "cats", "classifier", "f" * 12)
    with pytest.raises(DamagedState, match=rf"storage .*store: cats/classifier/{'f' * 12} is gone; run again"):
        locate(gone)


def test_workers_of_this_machine_keep_no_arrays(tmp_path):
    assert keep_arrays(tmp_path, "name", lambda: {"a": np.arange(3)})["a"].tolist() == [0, 1, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [None, b"", b"PK no zip", b"half"])
def test_what_another_worker_has_computed_is_not_computed_again(tmp_path, damage):
    where = StoredArtifact(str(tmp_path / "store"), "cats", "classifier", "1a2b3c4d5e6f")
    calls = []

    def compute():
        calls.append(1)
        return {"score": np.array([0.5, 1 / 3]), "features": np.ones((2, 3), np.float16)}

    first = keep_arrays(where, "scores-abc", compute)
    if damage is not None:
        open_store(where.storage).write("cats/classifier/work/scores-abc.npz", damage)
    again = keep_arrays(where, "scores-abc", compute)
    assert len(calls) == (1 if damage is None else 2)
    assert first.keys() == again.keys()
    for name, array in first.items():
        assert (again[name] == array).all()
        assert again[name].dtype == array.dtype
