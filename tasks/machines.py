"""Where work is done and where its results are shared: the section [machines] of luigi.cfg, or a flag.

Neither is part of a content key: the same work gives the same results wherever it is done.
"""

import atexit
import configparser
import importlib.util
import re
from argparse import Namespace
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Any

from luigi import configuration

from pipeline.cluster.certificates import read_certificates
from pipeline.cluster.client import TRIES, Cluster
from pipeline.cluster.log_lines import hand_to_root
from pipeline.dataset_names import dataset_flag
from pipeline.errors import UserError
from pipeline.machine import BACKEND_ENVIRONMENT, usable_cores
from pipeline.option_types import Options, field_of, option, parse
from pipeline.store.object_store import open_store, without_password
from pipeline.store.remote_artifacts import RemoteArtifacts
from pipeline.store.remote_lock import RemoteLock
from pipeline.store.stored_manifest import number_of
from tasks.dataset_archive import ROOTS
from tasks.isolation import output_into

SECTION = "machines"
ADDRESS = re.compile(r"tls://(?P<host>[^:/\[\]]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
MOST_PORT = 65535
NOT_SHARED = ("memory",)  # storages of fsspec that end with the process
LOOPBACK = ("127.0.0.1", "localhost", "::1")
DASK: dict[str, Any] = {  # its configuration, where schedulers and workers are started
    "distributed.worker.daemon": False,  # a worker starts processes too
    "distributed.worker.preload": ["pipeline.cluster.environment"],
    "distributed.scheduler.allowed-failures": TRIES - 1,
    # What nobody reads costs an idle process 5 % of a core: statistics of its functions, and a look at its event loop
    # fifty times a second
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
}


class MachineOptions(Options):
    """Where work is done and where its results are shared."""

    storage: str = option(
        "",
        "address that several machines share, such as s3://bucket/prefix or /folder, to which every artifact is copied"
        " and from which it is fetched where it is missing; empty: artifacts stay on this machine",
    )
    cluster: str = option(
        "",
        "who works: empty, processes of each stage on this machine; local, Dask workers on this machine;"
        " tls://host:8786, the workers of a scheduler",
    )
    certificates: str = option(
        "data/.cluster", "folder with the certificates of the cluster, the same files on each machine"
    )


_flags: dict[str, str] = {}  # of this process


def use_flags(arguments: Namespace) -> None:
    """Let the flags of a command win over luigi.cfg."""
    _flags.clear()
    for name in MachineOptions.model_fields:
        if (text := getattr(arguments, name, None)) is not None:
            _flags[name] = text


def chosen() -> MachineOptions:
    """The options of this process. Errors: `UserError` for an unknown name or a value that is not allowed."""
    texts = {**_section(), **_flags}
    return _make(tuple(sorted(texts.items())))


@lru_cache(maxsize=8)  # every task asks
def _make(texts: tuple[tuple[str, str], ...]) -> MachineOptions:
    values: dict[str, Any] = {}
    for name, text in texts:
        field = field_of(MachineOptions, name, f"luigi.cfg [{SECTION}]:")
        values[name] = parse(field, text, f"{SECTION}.{name}")
    return MachineOptions(**values)


def _section() -> dict[str, str]:
    config = configuration.get_config()
    try:
        return dict(config.items(SECTION)) if config.has_section(SECTION) else {}
    except configparser.Error as error:
        raise UserError(f"luigi.cfg [{SECTION}]: {' '.join(str(error).split())}; write %% for a %") from None


def check() -> None:
    """Check the settings before anything starts, for commands that use them. Errors: `UserError`."""
    options = chosen()
    if options.storage:
        _check_storage(options.storage)
        open_store(options.storage)
    if options.cluster not in ("", "local"):
        cluster_of("")


def _check_storage(address: str) -> None:
    protocol, _, place = address.rpartition("://")
    if protocol in NOT_SHARED or (not protocol and not address.startswith(("/", "~"))):
        raise UserError(
            f"storage = {without_password(address)!r}: expected a folder that begins with /, or an address such as"
            " s3://bucket/prefix"
        )
    if protocol in ("", "file"):
        folder = Path(place).expanduser().resolve()
        for name in ROOTS:
            if folder.is_relative_to(Path(name).resolve()):
                raise UserError(
                    f"storage = {address}: it is in {name}/, where this machine has its own copies; choose a folder"
                    " beside it"
                )


def shared_artifacts(dataset: str, stage: str) -> RemoteArtifacts | None:
    """The artifacts of one stage that machines share; None if they share none."""
    address = chosen().storage
    return RemoteArtifacts(open_store(address), f"{dataset}/{stage}") if address else None


def how_to_fetch(dataset: str, stage: str = "") -> str:
    """What to do for what the shared storage has of a dataset, or of one stage; empty if that is nothing, or not known.

    Commands that only read look at the copies of this machine; runs fetch what is missing.
    """
    try:
        store = open_store(chosen().storage) if chosen().storage else None
        names = store.names(f"{dataset}/{stage}" if stage else "") if store else []
    except UserError:  # the mistake that the caller reports comes first
        return ""
    if store is None or not (any(map(number_of, names)) if stage else dataset in names):
        return ""
    command = f"`python -m tasks run{dataset_flag(dataset)}`"
    what = "some" if stage else "it"
    return f"storage {store.shown} has {what}: {command} with the same settings fetches what it has"


def shared_lock(dataset: str, stage: str, key: str) -> RemoteLock | None:
    """The lock of the machine that makes `key`; None if machines share no storage."""
    address = chosen().storage
    return RemoteLock(open_store(address), f"{dataset}/{stage}/locks/{key[:12]}") if address else None


def cluster_of(dataset: str) -> Cluster | None:
    """The cluster that works for `dataset`; None if this machine does.

    Errors: `UserError` for a wrong address, missing packages or certificates, or workers without a shared storage.
    """
    options = chosen()
    if not options.cluster:
        return None
    if importlib.util.find_spec("distributed") is None:
        raise UserError(f"cluster = {options.cluster}: distributed is missing; `make cluster` installs it")
    if options.cluster == "local":
        return local_cluster(dataset)
    if host_of(options.cluster) not in LOOPBACK and not options.storage:
        raise UserError(
            f"cluster = {options.cluster}: its workers need a storage that all machines reach: set storage, for example"
            " storage = s3://bucket/prefix or a folder that they share"
        )
    certificates = read_certificates(Path(options.certificates))
    storage = open_store(options.storage).address if options.storage else ""  # an absolute path, for workers elsewhere
    return Cluster(address=options.cluster, certificates=certificates, storage=storage, dataset=dataset)


def trains_elsewhere(dataset: str) -> Cluster | None:
    """The cluster whose workers train for `dataset`; None if this machine does."""
    cluster = cluster_of(dataset) if chosen().cluster not in ("", "local") else None
    return cluster if cluster and cluster.storage else None


def host_of(address: str) -> str:
    """The host of a scheduler's address. Errors: `UserError`."""
    if not (match := ADDRESS.fullmatch(address)) or not 1 <= int(match["port"]) <= MOST_PORT:
        raise UserError(f"cluster = {address!r}: expected nothing, local, or an address such as tls://example.org:8786")
    return match["host"].strip("[]")


def local_cluster(dataset: str) -> Cluster:
    """A cluster of processes of this machine, which ends with this process."""
    address, certificates = _start_local()
    return Cluster(address=address, certificates=certificates, dataset=dataset)


def workers_print_into(log: Path) -> AbstractContextManager[None]:
    """While this is open, the cluster of this machine is started, if a stage asks for it, so that what its workers
    print goes into the file `log`."""
    return output_into(log) if chosen().cluster == "local" else nullcontext()


@lru_cache(maxsize=1)
def _start_local() -> tuple[str, dict[str, str]]:
    """The address and the certificates."""
    import dask
    from distributed import LocalCluster, Security

    hand_to_root()
    security = Security.temporary()  # whoever reaches the scheduler could let it run code
    dask.config.set(DASK)  # for good, as a lost worker is replaced at any time
    started = LocalCluster(
        n_workers=usable_cores(),
        threads_per_worker=1,
        host="127.0.0.1",
        protocol="tls",
        security=security,
        dashboard_address=None,
        env=BACKEND_ENVIRONMENT,
    )
    names = [f"tls_{side}_{kind}" for side in ("scheduler", "worker", "client") for kind in ("key", "cert")]
    atexit.register(started.close)
    return started.scheduler_address, {name: getattr(security, name) for name in ["tls_ca_file", *names]}


def share_labels(dataset: str, digest: str, content: bytes) -> None:
    """Copy a label snapshot into the shared storage, if there is one."""
    if address := chosen().storage:
        store, name = open_store(address), f"{dataset}/labels/{digest}.jsonl"
        if store.size(name) is None:
            store.write(name, content)
