"""A stage as a whole on a worker of a cluster: it trains there, in a process of its own, and publishes its artifact.

The worker reads the inputs from the storage that machines share, copies what a resume needs into it while it works, and
publishes the artifact there. Progress comes back as events of the scheduler. A worker that is lost is replaced by
another one, which resumes from what is in the storage.
"""

import json
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from pipeline.cluster.client import Cluster, Notify, run_one
from pipeline.cluster.references import Reference, StoredArtifact, locate, refer, refer_to, scratch_folder
from pipeline.errors import UserError
from pipeline.gan.continuation import Continuation
from pipeline.pretrained import Weights
from pipeline.progress import Progress, ShouldStop, TellingProgress, tell
from pipeline.result import Result
from pipeline.store import manifest as manifests
from pipeline.store.artifacts import WORK, Artifact, ArtifactStore, load
from pipeline.store.manifest import Manifest, list_files
from pipeline.store.object_store import ObjectStore, StoreFault, open_store
from pipeline.store.remote_artifacts import RemoteArtifacts
from pipeline.store.remote_lock import RemoteLock
from pipeline.text import to_plain_line
from tasks import backbones, isolation, locks

COPY_SECONDS = 20.0  # from one copy of what a resume needs to the next
STATE = "state.json"
NOT_COPIED = (".part", ".lock")
PATH = re.compile(r"(?!\.)[\w. -]{1,100}(/(?!\.)[\w. -]{1,100}){0,9}", re.ASCII)  # of a file in a copy
LOG_END = 20_000  # bytes of what the stage has logged that reach the run
LONGEST = 500  # characters of a line of it


class FileContent(NamedTuple):
    """A file that goes along with an order."""

    name: str
    data: bytes


class Scratch(NamedTuple):
    """A folder that the worker makes for itself."""

    name: str


class ContinuationOrder(NamedTuple):
    """The earlier training to go on from."""

    folder: Reference
    epochs: int


@dataclass(frozen=True, kw_only=True)
class StageOrder:
    """What a worker needs to do a stage."""

    function: str  # "module:name"
    options: Any
    arguments: Mapping[str, Any]
    draft: Manifest
    resumable: bool
    cluster: Cluster
    backbone: str = ""  # the option of the classifier, for stages that measure samples

    @property
    def key(self) -> str:
        """The content key."""
        return self.draft.key


def make_order(task: Any, draft: Manifest, cluster: Cluster) -> StageOrder:
    """The order for the stage `task`, whose arguments name files and artifacts of this machine."""
    artifacts = {each.keyword or each.stage: refer_to(each.finished(), cluster) for each in task.stages_read()}
    packed = {name: _pack(value, name, cluster, task.artifact_store) for name, value in task.arguments().items()}
    return StageOrder(
        function=task.function,
        options=task.options,
        arguments={**packed, **artifacts},
        draft=draft,
        resumable=task.resumable,
        cluster=cluster,
        backbone=getattr(task, "backbone", ""),
    )


def _pack(value: Any, name: str, cluster: Cluster, store: ArtifactStore) -> Any:
    if isinstance(value, Path):
        if value.is_file():
            return FileContent(value.name, value.read_bytes())
        return refer(value, cluster) if (value / manifests.NAME).exists() else Scratch(name)
    if isinstance(value, Weights) and value.path.exists():
        return replace(value, path=_pack(value.path, name, cluster, store))
    if isinstance(value, Continuation):
        if value.folder is None or value.folder.name.startswith(WORK):  # of this machine alone
            return Continuation()
        # Made before there was a storage, or deleted from it: workers find it there from now on
        shared = store.share(load(value.folder))
        return ContinuationOrder(refer_to(shared, cluster), value.epochs)
    return value


def _unpack(value: Any, scratch: Path) -> Any:
    """What `_pack` was given, on the worker."""
    if isinstance(value, FileContent):
        path = scratch / value.name
        path.write_bytes(value.data)
        return path
    if isinstance(value, Scratch):
        return scratch / value.name
    if isinstance(value, Weights):
        return replace(value, path=_unpack(value.path, scratch))
    if isinstance(value, ContinuationOrder):
        return Continuation(folder=locate(value.folder), epochs=value.epochs)
    return locate(value) if isinstance(value, StoredArtifact) else value


def run_on_cluster(order: StageOrder, *, progress: Progress, should_stop: ShouldStop, log: Path) -> Manifest:
    """Let a worker do `order`; returns the manifest of the artifact, which is in the storage. The end of what the stage
    logs there is appended to the file `log`.

    Raises:
        UserError: as the stage raised it; or workers were lost; or the scheduler is gone.
        Stopped: the run was asked to stop; the worker has written a checkpoint.
    """

    def notify(event: tuple[Any, ...]) -> None:
        if event[0] == "line":
            tell(progress, event[1])
        elif event[0] == "log":
            _append(log, f"{order.draft.stage} on a worker:", *str(event[1])[-LOG_END:].splitlines())
        else:
            progress(*event[1:])

    name = f"{order.draft.stage}-{order.key[:32]}"
    needs = {"GPU": 1}
    return run_one(order.cluster, do_stage, order, name=name, resources=needs, notify=notify, should_stop=should_stop)


def _append(log: Path, *lines: str) -> None:
    with suppress(OSError), log.open("a", encoding="utf-8") as file:
        file.writelines(f"{to_plain_line(line, LONGEST)}\n" for line in lines)


def do_stage(order: StageOrder, notify: Notify, should_stop: ShouldStop) -> Manifest:
    """Do `order`, on a worker; `notify` is given events: ("progress", done, total, note), ("line", text), and at the
    end ("log", text).
    """
    shared = open_store(order.cluster.storage)
    prefix = f"{order.cluster.dataset}/{order.draft.stage}"
    store = ArtifactStore(scratch_folder() / prefix, RemoteArtifacts(shared, prefix))
    _check_weights(order)
    lock = RemoteLock(shared, f"{prefix}/locks/worker-{order.key[:12]}")
    saved = f"{prefix}/work/{order.key[:12]}"
    with locks.acquire(lock, lambda: notify(("line", "waits: another worker makes the same"))):
        made = store.find(order.key, forced=order.draft.forced, run=order.draft.run)
        if made is None:
            made = _make(order, store, shared, saved, notify, should_stop)
        manifest = store.share(made, _progress(notify)).manifest  # also if it was made before, but not copied
        if order.resumable:
            shared.delete(saved)
        return manifest


def _progress(notify: Notify) -> Progress:
    return TellingProgress(
        lambda done, total, note="": notify(("progress", done, total, note)), lambda line: notify(("line", line))
    )


def _make(
    order: StageOrder,
    store: ArtifactStore,
    shared: ObjectStore,
    saved: str,
    notify: Notify,
    should_stop: ShouldStop,
) -> Artifact:
    """Make the artifact; what a resume needs is in the folder `saved` of the storage meanwhile."""
    began = time.monotonic()
    folder = store.work(order.key, resume=order.resumable)
    if order.resumable and not any(folder.iterdir()):
        _copy_back(shared, saved, folder)
    with _copied_regularly(shared, saved, folder) if order.resumable else nullcontext():
        result = _work(order, folder, notify, should_stop)
    manifest = replace(
        order.draft,
        outputs=result.outputs,
        summary=result.summary,
        unfinished=result.unfinished,
        files=list_files(folder),
        created=datetime.now(timezone.utc).isoformat(),
        seconds=round(time.monotonic() - began, 2),
    )
    return store.publish(folder, manifest, latest=False)


def _check_weights(order: StageOrder) -> None:
    """Refuse to measure samples with other weights than the content key says."""
    expected = order.draft.inputs.get("extractor")
    if expected is None or order.arguments.get("classifier") is not None:  # its artifact has the weights
        return
    if backbones.extractor_digest(order.options.extractor, order.backbone) != expected:
        raise UserError(
            f"a worker measures samples with other weights than this machine (extractor = {order.options.extractor}):"
            " copy the cache folder of Keras, ~/.keras/models, to it, or remove it on both"
        )


def _work(order: StageOrder, folder: Path, notify: Notify, should_stop: ShouldStop) -> Result:
    with tempfile.TemporaryDirectory(prefix="ganmill-stage-") as name:
        arguments = {key: _unpack(value, Path(name)) for key, value in order.arguments.items()}
        work = partial(isolation.call_function, order.function, order.options, arguments)
        log = Path(name).absolute() / "log.txt"
        try:
            return isolation.call(work, folder=folder, progress=_progress(notify), should_stop=should_stop, log=log)
        finally:
            if end := _read_end(log):
                notify(("log", end))


def _read_end(log: Path) -> str:
    """The last LOG_END bytes of the file; empty if there is none."""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_END))
        return file.read().decode("utf-8", "replace")
    return ""


@contextmanager
def _copied_regularly(shared: ObjectStore, saved: str, folder: Path) -> Iterator[None]:
    """Copy what a resume needs into the storage again and again, and at the end of the block."""
    ended, copy = threading.Event(), _Copy(shared, saved, folder)

    def keep_copying() -> None:
        while not ended.wait(COPY_SECONDS):
            copy.update()

    thread = threading.Thread(target=keep_copying, name="copy", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        copy.update()


class _Copy:
    """A copy of a work folder in the storage: files that are whole, and a list of them, which is written last."""

    def __init__(self, shared: ObjectStore, saved: str, folder: Path) -> None:
        self.shared, self.saved, self.folder = shared, saved, folder
        self._copied: dict[str, tuple[int, int]] = {}  # size and modification time, by name

    def update(self) -> None:
        """Upload what has changed. A storage that is away for a while costs only the steps since the last copy."""
        with suppress(StoreFault, OSError):
            now = {
                name: stamp for name, stamp in self._list() if PATH.fullmatch(name) and not name.endswith(NOT_COPIED)
            }
            changed = [name for name, stamp in now.items() if self._copied.get(name) != stamp]
            # Checkpoints first: statistics may be ahead of them, as after a kill, but not behind
            for name in sorted(changed, key=lambda name: not name.startswith("checkpoints/")):
                self.shared.upload(self.folder / name, f"{self.saved}/{name}")
            if changed or now.keys() != self._copied.keys():
                self.shared.write(f"{self.saved}/{STATE}", dump_names(now))
            for name in self._copied.keys() - now.keys():  # checkpoints that newer ones have replaced
                self.shared.delete(f"{self.saved}/{name}")
            self._copied = now

    def _list(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for path in sorted(self.folder.rglob("*")):
            if path.is_file():
                stat = path.stat()
                yield path.relative_to(self.folder).as_posix(), (stat.st_size, stat.st_mtime_ns)


def dump_names(names: Iterable[str]) -> bytes:
    """The list of the files of a copy, as JSON."""
    return json.dumps(sorted(names)).encode()


def _copy_back(shared: ObjectStore, saved: str, folder: Path) -> None:
    """Fill the empty `folder` with what a lost worker was doing, as far as it was copied; nothing if the list of it is
    damaged."""
    try:
        for name in _read_names(shared.read(f"{saved}/{STATE}") or b""):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shared.download(f"{saved}/{name}", target)
    except BaseException:
        shutil.rmtree(folder)  # the next order would go on from the half of a copy
        raise


def _read_names(data: bytes) -> list[str]:
    """The names in a list of `dump_names`; none unless all are paths below a folder, and none is a folder of others."""
    try:
        names = json.loads(data or b"[]")
    except (ValueError, RecursionError):
        return []
    if not isinstance(names, list) or not all(isinstance(name, str) and PATH.fullmatch(name) for name in names):
        return []
    folders = {parent.as_posix() for name in names for parent in PurePosixPath(name).parents}
    return [] if folders & set(names) else names
