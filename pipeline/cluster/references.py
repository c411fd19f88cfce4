"""Artifacts that a worker reads: folders of this machine, or what the storage that machines share has of them."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from pipeline.cluster.client import Cluster
from pipeline.errors import DamagedState
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.object_store import open_store
from pipeline.store.remote_artifacts import RemoteArtifacts


class StoredArtifact(NamedTuple):
    """An artifact in the storage."""

    storage: str
    dataset: str
    stage: str
    name: str


Reference: TypeAlias = Path | StoredArtifact


def refer(folder: Path, cluster: Cluster) -> Reference:
    """What a worker needs to find the artifact `folder`."""
    if not cluster.storage:
        return folder.absolute()
    stage = manifests.read(folder).stage
    return StoredArtifact(cluster.storage, cluster.dataset, stage, folder.name)


def locate(reference: Reference) -> Path:
    """The folder of the artifact, on a worker; it is fetched if it is not here.

    Raises:
        DamagedState: it is gone, or not what was written.
    """
    return reference if isinstance(reference, Path) else _fetch(reference, scratch_folder())


@lru_cache(maxsize=32)
def _fetch(wanted: StoredArtifact, scratch: Path) -> Path:
    remote = RemoteArtifacts(open_store(wanted.storage), f"{wanted.dataset}/{wanted.stage}")
    store = ArtifactStore(scratch / wanted.dataset / wanted.stage, remote)
    if (found := remote.read(wanted.name)) is None:
        raise DamagedState(
            f"storage {wanted.storage}: {wanted.dataset}/{wanted.stage}/{wanted.name} is gone; run again"
        )
    return store.bring(Artifact(store.root / wanted.name, found.manifest)).folder


def scratch_folder() -> Path:
    """A folder of this machine for its workers, which is deleted when they end."""
    from distributed import get_worker

    try:
        return Path(get_worker().local_directory).parent / "artifacts"
    except ValueError:  # not on a worker
        return Path(tempfile.gettempdir()) / "ganmill-artifacts"


def keep_arrays(where: Reference, name: str, compute: Callable[[], Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `compute()` gives, from the storage if a worker has computed it before: `name` is a digest of all that it
    follows from. Workers of this machine compute it.
    """
    if isinstance(where, Path):
        return dict(compute())
    store, file = open_store(where.storage), f"{where.dataset}/{where.stage}/work/{name}.npz"
    try:
        with np.load(io.BytesIO(store.read(file) or b""), allow_pickle=False) as found:
            return dict(found)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile):  # not there, or not whole
        arrays = dict(compute())
        data = io.BytesIO()
        np.savez(data, **arrays)  # type: ignore[arg-type]  # NumPy's types allow no names that are not known
        store.write(file, data.getvalue())
        return arrays
