"""The artifacts of one stage of one dataset: finished folders named by content key, and the one in progress.

<home>/<dataset>/<stage>/
    1a2b3c4d5e6f/            finished, immutable, named by its content key; with a manifest
    1a2b3c4d5e6f.2/          the same key, made again by a rerun; the highest number is used
    .work-77aa88bb99cc/      in progress, or left by a run that was stopped
    latest                   names the artifact of the last run, for people (a symbolic link where possible)
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import DamagedState
from pipeline.progress import Progress, silent
from pipeline.store import manifest as manifests
from pipeline.store.manifest import Manifest, list_folders
from pipeline.store.remote_artifacts import RemoteArtifacts

SHORT = 12  # hex digits of the content key in a folder's name: 48 bits; the manifest has the whole key
WORK = ".work-"
PACKED = ".packed-"  # a file beside an artifact of squares, with their pixels; it can be made again at any time
SYNCED_EACH = 2000  # files: as many take as long as all others together, whatever else waits to be written


@dataclass(frozen=True)
class Artifact:
    """A finished folder and its manifest."""

    folder: Path
    manifest: Manifest


class ArtifactStore:
    """The artifacts of one stage of one dataset; with `remote` those here are copies of what several machines share."""

    def __init__(self, root: Path, remote: RemoteArtifacts | None = None) -> None:
        self.root, self.remote = root, remote

    def find(self, key: str, *, forced: str = "", run: str = "", unfinished: bool = False) -> Artifact | None:
        """The newest undamaged artifact with the content key `key`, or None; with `forced`, only one made by that
        rerun. An unfinished one is found only by the `run` that made it, or with `unfinished`.

        One that only the remote store has is found without its files: `bring` fetches them.
        """
        for found in self._candidates(key):
            counts = unfinished or not found.manifest.unfinished or found.manifest.run == run
            if counts and found.manifest.key == key and forced in ("", found.manifest.forced):
                return found
        return None

    def _candidates(self, key: str) -> Iterator[Artifact]:
        """The undamaged artifacts that may have the content key: those here, and then the remote ones."""
        for folder in reversed(self._folders(key)):
            with suppress(DamagedState):
                yield load(folder)
        if self.remote:
            for each in self.remote.find(key, key[:SHORT]):
                yield Artifact(self.root / each.name, each.manifest)

    def bring(self, artifact: Artifact, progress: Progress = silent) -> Artifact:
        """The artifact with its files here; those that only the remote store has are fetched. A damaged folder in their
        place is deleted; another artifact of the same name gets another one.

        Raises:
            DamagedState: the remote files are not what was written.
        """
        if self.remote is None or _has(artifact):
            return artifact
        there = self.remote.read(artifact.folder.name)
        if there is None:
            raise DamagedState(f"{artifact.folder} was deleted here and in the storage; run again")
        self.root.mkdir(parents=True, exist_ok=True)
        with FileLock(self.root / f".lock-fetch-{artifact.folder.name}"):
            if not _has(Artifact(artifact.folder, there.manifest)):
                work = self.root / f"{WORK}fetch-{artifact.folder.name}"
                shutil.rmtree(work, ignore_errors=True)  # of a fetch that was killed
                work.mkdir()
                self.remote.fetch(there, work, progress)
                folders = {name: list_folders(work, name)[name] for name in there.manifest.folders}
                self._clear(artifact.folder)
                self._publish_at(artifact.folder, work, replace(there.manifest, folders=folders))
        return load(artifact.folder)

    def _clear(self, folder: Path) -> None:
        """Let nothing be at `folder`: a damaged artifact is deleted, a whole one gets a name that is free."""
        if _is_whole(folder):
            os.rename(folder, self._free(load(folder).manifest.key))
        elif folder.exists():
            self.discard(folder)

    def to_share(self, artifact: Artifact) -> str:
        """What `share` would do, in words; empty if the artifact is here and there."""
        if self.remote is None:
            return ""
        if not _has(artifact):
            return f"is fetched from {self.remote.store.shown}"
        return "" if self.remote.read(artifact.folder.name) else f"is copied to {self.remote.store.shown}"

    def share(self, artifact: Artifact, progress: Progress = silent) -> Artifact:
        """Bring the artifact here, or upload it, whichever lacks it; returns the one that all machines use.

        If another machine has published the same in the meantime, that one counts.
        """
        if self.remote is None:
            return artifact
        if not _has(artifact):
            return self.bring(artifact, progress)
        there = self.remote.publish(artifact.folder, artifact.manifest, progress)
        if there.manifest.outputs == artifact.manifest.outputs and there.name == artifact.folder.name:
            return artifact
        self.discard(artifact.folder)
        return self.bring(Artifact(self.root / there.name, there.manifest), progress)

    def discard(self, folder: Path) -> None:
        """Delete a folder; it is renamed first, so that a partly deleted folder is not taken for a complete one."""
        deleting = folder.with_name(f"{WORK}doomed-{folder.name}")
        shutil.rmtree(deleting, ignore_errors=True)  # of a process that was killed
        os.rename(folder, deleting)
        shutil.rmtree(deleting)

    def damage(self, key: str) -> str | None:
        """What is wrong with the newest artifact of `key`; None if there is none or it is undamaged."""
        for folder in reversed(self._folders(key)):
            try:
                load(folder)
            except DamagedState as error:
                return str(error)
            return None
        return None

    def all(self) -> list[Artifact]:
        """Every undamaged artifact, the oldest first."""
        found = []
        for folder in self.folders():
            with suppress(DamagedState):
                found.append(load(folder))
        return sorted(found, key=lambda published: published.manifest.created)

    def known_manifests(self) -> Iterator[Manifest]:
        """The manifest of every undamaged artifact, those here first, then those in the remote store."""
        yield from (each.manifest for each in self.all())
        if self.remote:
            yield from (each.manifest for each in self.remote.all())

    def newest(self) -> Artifact | None:
        """The artifact that was published last, or None."""
        found = self.all()
        return found[-1] if found else None

    def latest(self) -> Artifact | None:
        """The artifact that the last run used: the one that `latest` names, or None if it is gone or damaged."""
        name = self.latest_name()
        try:
            return load(self.root / name) if name else None
        except DamagedState:
            return None

    def last_used(self) -> Artifact | None:
        """The artifact that the last run used or, if that is gone, the newest one."""
        return self.latest() or self.newest()

    def damaged(self) -> dict[Path, str]:
        """The damaged artifacts that were not made again, with what is wrong."""
        wrong = {}
        for folder in self.folders():
            if (damage := self.damage(folder.name.split(".")[0])) and not _is_whole(folder):
                wrong[folder] = damage
        return wrong

    def lock(self, key: str) -> FileLock:
        """The lock of the process that makes `key`; the system releases it if that process dies."""
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / f".lock-{key[:SHORT]}")

    def is_in_use(self, key: str) -> bool:
        """Whether a process holds the lock of `key`; its first digits are enough."""
        lock = self.root / f".lock-{key[:SHORT]}"
        if not lock.exists():  # no process; do not create the lock file, because the disk may be full
            return False
        try:
            FileLock(lock).acquire(timeout=0).lock.release()
        except Timeout:
            return True
        except OSError:  # a disk on which nobody can write
            return False
        return False

    def begun(self, key: str) -> bool:
        """Whether a stopped run left work in progress for `key`."""
        return self.work_path(key).is_dir()

    def work_path(self, key: str) -> Path:
        """The path of the folder in which `key` is made."""
        return self.root / f"{WORK}{key[:SHORT]}"

    def work(self, key: str, *, resume: bool) -> Path:
        """Create the folder in which `key` is made: empty, or with `resume` as a stopped run left it."""
        folder = self.work_path(key)
        if not resume and folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, work: Path, manifest: Manifest, *, latest: bool = True) -> Artifact:
        """Publish `work` as an artifact: write the manifest, fsync everything, rename once; with `latest`, the file
        `latest` names it from now on.
        """
        published = self._publish_at(self._free(manifest.key), work, manifest)
        if latest:
            self.point_latest(published.folder)
        return published

    def _publish_at(self, folder: Path, work: Path, manifest: Manifest) -> Artifact:
        manifests.write(manifest, work)
        _sync_all(work)
        os.rename(work, folder)
        _sync(self.root)
        return Artifact(folder, manifest)

    def folders(self) -> list[Path]:
        """Every folder that was published, damaged or not."""
        if not self.root.is_dir():
            return []
        return sorted(
            path
            for path in self.root.iterdir()
            if path.is_dir() and not path.is_symlink() and path.name[0] != "." and path.name != "latest"
        )

    def _folders(self, key: str) -> list[Path]:
        """The folders named by `key`, in the order of their publication."""
        return sorted((path for path in self.folders() if path.name.split(".")[0] == key[:SHORT]), key=_attempt)

    def _free(self, key: str) -> Path:
        taken = self._folders(key)
        return self.root / (f"{key[:SHORT]}.{_attempt(taken[-1]) + 1}" if taken else key[:SHORT])

    def latest_name(self) -> str:
        """The folder name in `latest`; empty if there is none."""
        latest = self.root / "latest"
        try:
            name = latest.readlink().name if latest.is_symlink() else latest.read_text(encoding="utf-8").strip()
            return Path(name).name  # whoever wrote the file: a folder of this stage
        except (OSError, UnicodeDecodeError):
            return ""

    def point_latest(self, folder: Path) -> None:
        """Let `latest` name `folder`, atomically: a symbolic link, or a text file where links are not possible."""
        if self.latest_name() == folder.name:
            return
        latest, draft = self.root / "latest", self.root / f".latest-{os.getpid()}"
        draft.unlink(missing_ok=True)  # of a killed process that had the same number
        try:
            os.symlink(folder.name, draft, target_is_directory=True)
        except OSError:
            draft.write_text(folder.name + "\n", encoding="utf-8")
        try:
            os.replace(draft, latest)
        except OSError:  # a folder of that name, say
            draft.unlink()
            raise


def packed_files(folder: Path) -> list[Path]:
    """The files with the pixels of the artifact `folder`, which lie beside it."""
    start = f"{PACKED}{folder.name}."
    return [path for path in folder.parent.glob(f"{start}*") if "." not in path.name[len(start) :]]  # not of NAME.2


def _attempt(folder: Path) -> int:
    suffix = folder.name.partition(".")[2]
    return int(suffix) if suffix.isascii() and suffix.isdecimal() else 1


def _is_whole(folder: Path) -> bool:
    try:
        load(folder)
    except DamagedState:
        return False
    return True


def _has(artifact: Artifact) -> bool:
    """Whether the folder is here and undamaged, and is this artifact or as good as it."""
    try:
        found, wanted = load(artifact.folder).manifest, artifact.manifest
    except DamagedState:
        return False
    return (found.key, found.outputs, found.unfinished) == (wanted.key, wanted.outputs, wanted.unfinished)


def _sync_all(folder: Path) -> None:
    """Fsync everything in `folder`; of very many files the whole disk at once, where that waits for the disk."""
    paths = _paths_below(folder)
    first = list(islice(paths, SYNCED_EACH + 1))  # there may be a million
    if len(first) > SYNCED_EACH and sys.platform == "linux":
        os.sync()
        return
    for path in chain(first, paths):
        _sync(path)
    _sync(folder)


def _paths_below(folder: str | Path) -> Iterator[str]:
    with os.scandir(folder) as found:
        for each in found:
            yield each.path
            if each.is_dir(follow_symlinks=False):
                yield from _paths_below(each.path)


def _sync(path: str | Path) -> None:
    """Fsync a file or folder, where the system allows it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def load(folder: Path) -> Artifact:
    """Load the artifact `folder`: its manifest, with every file that this lists present in its size, and no picture
    missing; `DamagedState` if not. A picture that was changed in place is noticed by who reads it.
    """
    try:
        stamp = (folder / manifests.NAME).stat().st_mtime_ns
    except OSError:
        raise DamagedState(f"{folder / manifests.NAME} is missing") from None
    return _load(folder, stamp)


@lru_cache(maxsize=4096)  # each folder is checked once per process, although a run requests it many times
def _load(folder: Path, stamp: int) -> Artifact:
    published = Artifact(folder, manifests.read_known(folder, stamp))
    manifests.check_files(published.manifest, folder)
    return published
