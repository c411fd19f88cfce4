"""The artifacts of one stage of one dataset in an object store, which several machines share.

<dataset>/<stage>/1a2b3c4d5e6f/manifest.json             written last, once, and believed alone
<dataset>/<stage>/1a2b3c4d5e6f/<upload>/images.jsonl …   its files; of an upload that failed nobody speaks
<dataset>/<stage>/shards/<SHA-256>.tar                   its pictures, some thousand in each, shared by artifacts
<dataset>/<stage>/locks/…, work/…                        of machines that are at work

Of two machines that make the same artifact the first counts. A shard is named by what is in it, so a shard that is
there already is not uploaded again.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypeVar

from pipeline.errors import DamagedState
from pipeline.progress import Progress
from pipeline.store import digest
from pipeline.store import manifest as manifests
from pipeline.store.manifest import Manifest
from pipeline.store.object_store import ObjectStore
from pipeline.store.picture_shards import Shard, plan_shards, unpack_pictures, write_pictures

T = TypeVar("T")

AT_ONCE = 8  # files on their way
SHARDS = "shards"
LOCKS = "locks"  # of machines that make an artifact
WORK = "work"  # what workers of a cluster have copied of work that is not done


class RemoteArtifact(NamedTuple):
    """An artifact in the store."""

    name: str  # of its folder
    manifest: Manifest
    upload: str  # the folder of its files
    shards: dict[str, list[Shard]]  # by folder of pictures


@dataclass(frozen=True)
class RemoteArtifacts:
    """The artifacts below `prefix`, <dataset>/<stage>, of the store."""

    store: ObjectStore
    prefix: str

    def find(self, key: str, name: str) -> Iterator[RemoteArtifact]:
        """The artifacts with the content key `key`, the newest first; `name` is the first digits of it.

        They are asked for by their names too, as what was just written may not be listed yet.
        """
        numbers = {_number(each) for each in self.store.names(self.prefix) if each.partition(".")[0] == name}
        for number in count(1):
            found = self.read(numbered(name, number))
            if found is None and number >= max(numbers, default=1):
                break
            numbers.add(number)
        artifacts = (self.read(numbered(name, number)) for number in sorted(numbers, reverse=True))
        return (each for each in artifacts if each and each.manifest.key == key)

    def publish(self, folder: Path, manifest: Manifest, progress: Progress) -> RemoteArtifact:
        """Upload the artifact `folder`, its manifest last; returns what the store has for its key then: this one, or
        that of another machine that was faster.
        """
        first, _, number = folder.name.partition(".")
        for attempt in count(int(number or 1)):
            name = numbered(first, attempt)
            other = self.read(name)
            if other is None:
                made = self._upload_all(folder, manifest, name, progress)
                if self.store.create(f"{self.prefix}/{name}/{manifests.NAME}", _as_json(made)):
                    return made
                self.store.delete(f"{self.prefix}/{name}/{made.upload}")
                other = self.read(name)
            if other and _counts_for(other.manifest, manifest):
                return other
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
        return [found for name in self.store.names(self.prefix) if (found := self.read(name))]

    def read(self, name: str) -> RemoteArtifact | None:
        """The artifact called `name`; None if there is none."""
        data = self.store.read(f"{self.prefix}/{name}/{manifests.NAME}")
        try:
            body = json.loads(data or b"null")
            shards = {folder: [Shard(*shard) for shard in found] for folder, found in body["shards"].items()}
            return RemoteArtifact(name, Manifest(**body["manifest"]), str(body["upload"]), shards)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None

    def _upload_all(self, folder: Path, manifest: Manifest, name: str, progress: Progress) -> RemoteArtifact:
        upload = uuid.uuid4().hex[:8]
        shards = {pictures: self._upload_shards(folder, pictures, progress) for pictures in manifest.folders}
        place = f"{self.prefix}/{name}/{upload}"
        files = list(manifest.files)
        for done, _ in enumerate(_at_once(lambda file: self.store.upload(folder / file, f"{place}/{file}"), files)):
            progress(done + 1, len(files), "files uploaded")
        return RemoteArtifact(name, manifest, upload, shards)

    def _upload_shards(self, folder: Path, pictures: str, progress: Progress) -> list[Shard]:
        """Upload the shards of a folder of pictures that the store lacks."""
        plans = plan_shards(folder, pictures)
        for done, plan in enumerate(plans, start=1):
            path, draft = f"{self.prefix}/{SHARDS}/{plan.shard.name}.tar", folder.with_name(f".{plan.shard.name}.tar")
            if self.store.size(path) != plan.shard.size:
                try:
                    write_pictures(draft, folder / pictures, plan.members)
                    self.store.upload(draft, path)
                finally:
                    draft.unlink(missing_ok=True)
            progress(done, len(plans), "shards uploaded")
        return [plan.shard for plan in plans]

    def _download(self, artifact: RemoteArtifact, name: str, target: Path) -> None:
        where = f"{self.prefix}/{artifact.name}/{artifact.upload}/{name}"
        found = self.store.download(where, target / name)
        if not found or digest.of_file(target / name) != artifact.manifest.files[name][1]:
            raise self._damaged(artifact, where, "is not what was written" if found else "is missing")

    def _unpack(self, artifact: RemoteArtifact, shard: Shard, target: Path) -> None:
        where = f"{self.prefix}/{SHARDS}/{shard.name}.tar"
        draft = target.with_name(f".{shard.name}.tar")
        try:
            if not self.store.download(where, draft):
                raise self._damaged(artifact, where, "is missing")
            if not unpack_pictures(draft, target, shard):
                raise self._damaged(artifact, where, "is not what was written")
        finally:
            draft.unlink(missing_ok=True)

    def _damaged(self, artifact: RemoteArtifact, name: str, what: str) -> DamagedState:
        remedy = f"`python -m tasks rerun {artifact.manifest.stage}` makes it again"
        return DamagedState(f"storage {self.store.shown}: {name} {what}; {remedy}")


def _counts_for(published: Manifest, made: Manifest) -> bool:
    """Whether an artifact that is published already is what `made` is: the same one, or as good as it."""
    is_itself = (published.run, published.created) == (made.run, made.created)
    is_equal = (published.key, published.forced) == (made.key, made.forced) and not published.unfinished
    return published.key == made.key and (is_itself or is_equal)


def numbered(name: str, number: int) -> str:
    """The name of the `number`-th artifact of one key, as `ArtifactStore` has them: `name`, `name.2`, …"""
    return name if number == 1 else f"{name}.{number}"


def _number(name: str) -> int:
    suffix = name.partition(".")[2]
    return int(suffix) if suffix.isascii() and suffix.isdecimal() else 1


def _as_json(artifact: RemoteArtifact) -> bytes:
    body = {"upload": artifact.upload, "shards": artifact.shards, "manifest": asdict(artifact.manifest)}
    return json.dumps(body, ensure_ascii=False, indent=1).encode()


def _at_once(work: Callable[[T], None], items: Iterable[T]) -> Iterator[None]:
    """Do `work` for every item, AT_ONCE at a time; yields after each."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(work, items)
