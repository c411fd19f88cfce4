"""Artifacts that a worker reads: folders of this machine, or what the storage that machines share has of them."""

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

from pipeline.cluster.client import Cluster
from pipeline.errors import DamagedState
from pipeline.store import digest
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import Artifact, ArtifactStore, packed_files
from pipeline.store.npz import ArrayForms, Arrays, UnusableFile, check_finite, read_npz
from pipeline.store.object_store import open_store
from pipeline.store.remote_artifacts import RemoteArtifacts


class StoredArtifact(NamedTuple):
    """An artifact in the storage; `outputs` is the digest of what it holds, as a stage that is made again has the same
    name."""

    storage: str
    dataset: str
    stage: str
    name: str
    outputs: str


Reference: TypeAlias = Path | StoredArtifact

SCRATCH = "ganmill.scratch"  # in Dask's configuration: the folder that the workers of one machine share
KEPT = 7 * 86400  # seconds from the last use of an artifact until a worker deletes its copy


def refer(folder: Path, cluster: Cluster) -> Reference:
    """What a worker needs to find the artifact `folder`."""
    if not cluster.storage:
        return folder.absolute()
    return refer_to(Artifact(folder, manifests.read(folder)), cluster)


def refer_to(artifact: Artifact, cluster: Cluster) -> StoredArtifact:
    """What a worker needs to find `artifact` in the storage of the cluster."""
    outputs = digest.of_value(artifact.manifest.outputs)
    return StoredArtifact(cluster.storage, cluster.dataset, artifact.manifest.stage, artifact.folder.name, outputs)


def locate(reference: Reference) -> Path:
    """The folder of the artifact, on a worker; it is fetched if it is not here.

    Raises:
        DamagedState: it is gone, or not what was written.
    """
    if isinstance(reference, Path):
        return reference
    scratch = scratch_folder()
    try:
        os.utime(scratch / reference.dataset / reference.stage / reference.name)
    except OSError:  # it is not here yet, or another worker has deleted it
        _fetch.cache_clear()
    return _fetch(reference, scratch)


def _delete_unused(scratch: Path) -> None:
    """Delete copies that no worker of this machine has asked for since KEPT seconds."""
    for stage in scratch.glob("*/*"):
        store = ArtifactStore(stage)
        for folder in store.folders():
            with suppress(OSError):  # another worker was faster
                if time.time() - folder.stat().st_mtime > KEPT:
                    store.discard(folder)
                    for pixels in packed_files(folder):
                        pixels.unlink()


@lru_cache(maxsize=32)
def _fetch(wanted: StoredArtifact, scratch: Path) -> Path:
    remote = RemoteArtifacts(open_store(wanted.storage), f"{wanted.dataset}/{wanted.stage}")
    store = ArtifactStore(scratch / wanted.dataset / wanted.stage, remote)
    found = remote.read(wanted.name)
    if found is None or digest.of_value(found.manifest.outputs) != wanted.outputs:
        what = "is gone" if found is None else "was made again"
        where = f"{wanted.dataset}/{wanted.stage}/{wanted.name}"
        raise DamagedState(f"storage {remote.store.shown}: {where} {what}; run again")
    _delete_unused(scratch)
    folder = store.root / wanted.name
    if (folder / manifests.NAME).exists() and manifests.read(folder).outputs != found.manifest.outputs:
        store.discard(folder)  # from before it was made again
    return store.bring(Artifact(folder, found.manifest)).folder


def scratch_folder() -> Path:
    """A folder for the copies of a worker, which is deleted when it ends; the workers that `cluster worker` has started
    share one. Errors: `ValueError` if this process is no worker.
    """
    import dask
    from distributed import get_worker

    return Path(dask.config.get(SCRATCH, None) or Path(get_worker().local_directory) / "artifacts")


def keep_arrays(
    where: Reference, name: str, forms: ArrayForms, compute: Callable[[], Mapping[str, np.ndarray]]
) -> Arrays:
    """What `compute()` gives, arrays of these `forms`, from the storage if a worker has computed it before: `name` is a
    digest of all that it follows from. Workers of this machine compute it.
    """
    if isinstance(where, Path):
        return dict(compute())
    store, file = open_store(where.storage), f"{where.dataset}/{where.stage}/work/{name}.npz"
    with tempfile.TemporaryDirectory(prefix="ganmill-") as folder:
        path = Path(folder) / "arrays.npz"
        with suppress(UnusableFile):  # then it is computed again
            if store.download(file, path):
                found = read_npz(path, forms)
                check_finite(found)
                return found
        arrays = dict(compute())
        np.savez(path, **arrays)  # type: ignore[arg-type]  # NumPy's types allow no names that are not known
        store.upload(path, file)
        return arrays
