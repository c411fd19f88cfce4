"""The artifacts of one stage of one dataset in an object store, which several machines share.

<dataset>/<stage>/1a2b3c4d5e6f/manifest.json             written last, once, and believed alone
<dataset>/<stage>/1a2b3c4d5e6f/<upload>/images.jsonl …   its files; of an upload that failed nobody speaks
<dataset>/<stage>/shards/<SHA-256>.tar                   its pictures, some thousand in each, shared by artifacts
<dataset>/<stage>/locks/…, work/…                        of machines that are at work

Of two machines that make the same artifact the first counts. A shard is named by what is in it, so a shard that is
there already is not uploaded again; it is renewed, as another machine may be about to delete what is old. What a fetch
finds damaged it deletes, and whoever still has an artifact copies there again what is missing of it.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar

from pipeline.errors import DamagedState
from pipeline.progress import Progress
from pipeline.store import digest
from pipeline.store import manifest as manifests
from pipeline.store.manifest import Manifest
from pipeline.store.object_store import ObjectStore, StoreFault
from pipeline.store.picture_shards import Shard, plan_shards, unpack_pictures, write_pictures
from pipeline.store.remote_lock import RemoteLock
from pipeline.store.stored_manifest import MAX_BYTES, RemoteArtifact, dump, number_of, numbered, parse

T = TypeVar("T")

AT_ONCE = 8  # files on their way
SHARDS = "shards"
LOCKS = "locks"  # of machines that make an artifact, or copy one
WORK = "work"  # what workers of a cluster have copied of work that is not done
NEW = timedelta(hours=1)  # a shard that is younger needs no renewal


@dataclass(frozen=True)
class RemoteArtifacts:
    """The artifacts below `prefix`, <dataset>/<stage>, of the store."""

    store: ObjectStore
    prefix: str

    def find(self, key: str, name: str) -> Iterator[RemoteArtifact]:
        """The artifacts with the content key `key`, the newest first; `name` is the first digits of it.

        They are asked for by their names too, as what was just written may not be listed yet.
        """
        listed = {number_of(each) for each in self.store.names(self.prefix) if each.partition(".")[0] == name}
        found: dict[int, RemoteArtifact] = {}
        for start in {1, *filter(None, listed)}:
            for number in count(start):
                artifact = None if number in found else self.read(numbered(name, number))
                if artifact is None:
                    break
                found[number] = artifact
        return (found[number] for number in sorted(found, reverse=True) if found[number].manifest.key == key)

    def publish(self, folder: Path, manifest: Manifest, progress: Progress) -> RemoteArtifact:
        """Upload the artifact `folder`, its manifest last; returns what the store has for its key then: this one, or
        that of another machine that was faster. What the store lacks of that is uploaded.

        Raises:
            DamagedState: a file is not what was written.
        """
        first, _, number = folder.name.partition(".")
        for attempt in count(int(number or 1)):
            name = numbered(first, attempt)
            found = self.read(name)
            if found is None:
                with self._at_work():
                    found = self._publish_as(name, folder, manifest, progress)
            if found and _counts_for(found.manifest, manifest) and self._complete(found, folder, manifest, progress):
                return found
        raise AssertionError("numbers do not end")

    def fetch(self, artifact: RemoteArtifact, target: Path, progress: Progress) -> None:
        """Download `artifact` into the empty folder `target`, and verify it; its manifest is not written.

        Raises:
            DamagedState: a file is missing or is not what was written.
        """
        files = artifact.manifest.files
        for name in files:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
        for done, _ in enumerate(_at_once(lambda name: self._download(artifact, name, target), files), start=1):
            progress(done, len(files), "files downloaded")
        for name, shards in artifact.shards.items():
            (target / name).mkdir(exist_ok=True)
            work = partial(self._unpack, artifact, target=target / name)
            for done, _ in enumerate(_at_once(work, shards), start=1):
                progress(done, len(shards), "shards downloaded")

    def all(self) -> list[RemoteArtifact]:
        """Every artifact that is listed."""
        names = (name for name in self.store.names(self.prefix) if number_of(name))
        return [found for name in names if (found := self.read(name))]

    def read(self, name: str) -> RemoteArtifact | None:
        """The artifact called `name`; None if there is none."""
        data = self.store.read(self._manifest(name), most=MAX_BYTES)
        return parse(data, name=name, prefix=self.prefix) if data else None

    def has_manifest(self, name: str) -> bool:
        """Whether the folder `name` has a manifest, which may be one that `read` does not understand."""
        return self.store.size(self._manifest(name)) is not None

    def _manifest(self, name: str) -> str:
        return f"{self.prefix}/{name}/{manifests.NAME}"

    def _shard(self, shard: Shard) -> str:
        return f"{self.prefix}/{SHARDS}/{shard.name}.tar"

    def _at_work(self) -> RemoteLock:
        """A lock that nobody waits for: nothing is deleted from the stage while there is one."""
        return RemoteLock(self.store, f"{self.prefix}/{LOCKS}/upload-{uuid.uuid4().hex}").acquire(timeout=0)

    def _publish_as(self, name: str, folder: Path, manifest: Manifest, progress: Progress) -> RemoteArtifact | None:
        """Upload the artifact under `name`; returns what is published under that name then."""
        shards = {each: self._upload_shards(folder, manifest, each, progress) for each in manifest.folders}
        made = RemoteArtifact(name, manifest, uuid.uuid4().hex[:8], shards)
        self._upload_files(folder, made, list(manifest.files), progress)
        if self.store.create(self._manifest(name), dump(made)):
            return made
        self.store.delete(f"{self.prefix}/{name}/{made.upload}")
        return self.read(name)

    def _complete(self, artifact: RemoteArtifact, folder: Path, manifest: Manifest, progress: Progress) -> bool:
        """Upload what the store lacks of `artifact`, which counts for `folder`; false if that does not have it."""
        files, shards = self._lacking(artifact)
        if not files and not shards:
            return True
        if any(manifest.files.get(name) != artifact.manifest.files[name] for name in files):
            return False
        with self._at_work():
            self._upload_files(folder, artifact, files, progress)
            folders = manifest.folders if shards else ()
            there = {shard for name in folders for shard in self._upload_shards(folder, manifest, name, progress)}
        return shards <= there

    def _lacking(self, artifact: RemoteArtifact) -> tuple[list[str], set[Shard]]:
        """The files and shards of `artifact` that the store does not have, or in another size."""
        place = f"{self.prefix}/{artifact.name}/{artifact.upload}"
        sizes = {f"{place}/{file.name}": file.size for file in self.store.files(place)}
        shards = {shard for found in artifact.shards.values() for shard in found}
        if shards:
            folder = f"{self.prefix}/{SHARDS}"
            sizes |= {f"{folder}/{file.name}": file.size for file in self.store.files(folder)}

        def lacks(name: str, size: int) -> bool:  # what is not listed may be there
            return sizes.get(name) != size and self.store.size(name) != size

        files = [name for name, (size, _) in artifact.manifest.files.items() if lacks(f"{place}/{name}", size)]
        return files, {shard for shard in shards if lacks(self._shard(shard), shard.size)}

    def _upload_files(self, folder: Path, artifact: RemoteArtifact, files: Sequence[str], progress: Progress) -> None:
        def upload(name: str) -> None:
            if digest.of_file(folder / name) != artifact.manifest.files[name][1]:
                raise DamagedState(f"{folder / name} is not what was written; {_remedy(artifact.manifest)}")
            self.store.upload(folder / name, f"{self.prefix}/{artifact.name}/{artifact.upload}/{name}")

        for done, _ in enumerate(_at_once(upload, files), start=1):
            progress(done, len(files), "files uploaded")

    def _upload_shards(self, folder: Path, manifest: Manifest, pictures: str, progress: Progress) -> list[Shard]:
        """Upload the shards of a folder of pictures that the store lacks, and renew the others."""
        plans = plan_shards(folder, pictures)
        for done, plan in enumerate(plans, start=1):
            if not self._is_there(plan.shard):
                draft = folder.with_name(f".{plan.shard.name}.tar")
                try:
                    write_pictures(draft, folder / pictures, plan.members)
                    self.store.upload(draft, self._shard(plan.shard))
                except DamagedState as error:
                    raise DamagedState(f"{error}; {_remedy(manifest)}") from None
                finally:
                    draft.unlink(missing_ok=True)
            progress(done, len(plans), "shards uploaded")
        return [plan.shard for plan in plans]

    def _is_there(self, shard: Shard) -> bool:
        """Whether the shard is in the store, and new enough for nobody to delete it."""
        found = self.store.file(self._shard(shard))
        if found is None or found.size != shard.size:
            return False
        return datetime.now(timezone.utc) - found.modified < NEW or self.store.renew(found.name)

    def _download(self, artifact: RemoteArtifact, name: str, target: Path) -> None:
        def is_whole() -> bool:
            return digest.of_file(target / name) == artifact.manifest.files[name][1]

        where = f"{self.prefix}/{artifact.name}/{artifact.upload}/{name}"
        self._download_verified(where, target / name, is_whole, artifact)

    def _unpack(self, artifact: RemoteArtifact, shard: Shard, target: Path) -> None:
        draft = target.with_name(f".{shard.name}.tar")
        try:
            self._download_verified(self._shard(shard), draft, lambda: unpack_pictures(draft, target, shard), artifact)
        finally:
            draft.unlink(missing_ok=True)

    def _download_verified(
        self, where: str, target: Path, is_whole: Callable[[], bool], artifact: RemoteArtifact
    ) -> None:
        """Download a file of an artifact. A damaged one is deleted from the store, and the manifest too: so the next
        machine copies the artifact there, or makes it again."""
        what = "is not what was written"
        for _ in range(2):  # it may have been damaged on its way
            if not self.store.download(where, target):
                what = "is missing"
                break
            if is_whole():
                return
        with suppress(StoreFault):  # of a machine that may only read
            self.store.delete_file(self._manifest(artifact.name))
            self.store.delete_file(where)
        raise DamagedState(
            f"storage {self.store.shown}: {where} {what}; run again: a machine that has it copies it there, or the"
            f" stage {artifact.manifest.stage} is made again"
        )


def _remedy(manifest: Manifest) -> str:
    return f"`python -m tasks rerun {manifest.stage}` makes it again"


def _counts_for(published: Manifest, made: Manifest) -> bool:
    """Whether an artifact that is published already is what `made` is: the same one, or as good as it."""
    is_itself = (published.run, published.created) == (made.run, made.created)
    is_equal = (published.key, published.forced) == (made.key, made.forced) and not published.unfinished
    return published.key == made.key and (is_itself or is_equal)


def _at_once(work: Callable[[T], None], items: Iterable[T]) -> Iterator[None]:
    """Do `work` for every item, AT_ONCE at a time; yields after each."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(work, items)
