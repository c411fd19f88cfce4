"""Delete what is old from an object store that several machines share.

Nobody knows what all machines use, so only an age says what goes: an artifact that a machine still has is copied to the
store again by its next run. The newest artifact of a stage stays. A manifest is deleted before the files, so that no
reader believes half an artifact.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timezone
from typing import NamedTuple

from pipeline.store import manifest as manifests
from pipeline.store.remote_artifacts import LOCKS, SHARDS, WORK, RemoteArtifact, RemoteArtifacts


class Unused(NamedTuple):
    """A folder or file of the store that may be deleted, its bytes, and the names to delete, in this order."""

    name: str
    size: int
    parts: tuple[str, ...]


def delete_old(
    artifacts: RemoteArtifacts, *, before: datetime, keep: Collection[str] = (), dry_run: bool = False
) -> dict[str, int]:
    """Delete the artifacts of one stage that were made `before`, what failed uploads and trainings of workers left
    before that, and older shards that no artifact has any more; returns the bytes of each.

    Nothing is deleted while a machine makes an artifact of the stage, which may use shards that are there.

    Args:
        before: A time with its zone.
        keep: Content keys whose newest artifact stays.
        dry_run: Only find out.
    """
    if artifacts.store.names(f"{artifacts.prefix}/{LOCKS}"):
        return {}
    known = sorted(artifacts.all(), key=_made)
    newest = {each.manifest.key: each for each in known}
    stays = [*known[-1:], *(newest[key] for key in keep if key in newest)]
    old = [each for each in known if _made(each) < before and each not in stays]
    used = {shard.name for each in known if each not in old for shards in each.shards.values() for shard in shards}
    removed = {}
    for unused in [
        *(_whole(artifacts, each) for each in old),
        *_left_over(artifacts, known, before),
        *_unused_shards(artifacts, used, before),
    ]:
        for part in () if dry_run else unused.parts:
            artifacts.store.delete(part)
        removed[unused.name] = unused.size
    return removed


def _made(artifact: RemoteArtifact) -> datetime:
    """When it was made; the beginning of time if its manifest does not say."""
    try:
        return datetime.fromisoformat(artifact.manifest.created).astimezone(timezone.utc)
    except ValueError:
        return datetime.min.replace(tzinfo=timezone.utc)


def _whole(artifacts: RemoteArtifacts, artifact: RemoteArtifact) -> Unused:
    place = f"{artifacts.prefix}/{artifact.name}"
    size = sum(size for size, _ in artifact.manifest.files.values())
    return Unused(place, size, (f"{place}/{manifests.NAME}", place))


def _left_over(artifacts: RemoteArtifacts, known: list[RemoteArtifact], before: datetime) -> Iterator[Unused]:
    """Folders of uploads that failed, and copies of the work of trainings, whose newest file is old."""
    store, prefix = artifacts.store, artifacts.prefix
    uploads = {each.name: each.upload for each in known}
    places = [f"{prefix}/{WORK}/{name}" for name in store.names(f"{prefix}/{WORK}")]
    for name in store.names(prefix):
        if name not in (SHARDS, LOCKS, WORK):
            mine = (manifests.NAME, uploads.get(name))
            places += [f"{prefix}/{name}/{each}" for each in store.names(f"{prefix}/{name}") if each not in mine]
    for place in places:
        files = store.files(place)
        if files and max(file.modified for file in files) < before:
            yield Unused(place, sum(file.size for file in files), (place,))


def _unused_shards(artifacts: RemoteArtifacts, used: Collection[str], before: datetime) -> Iterator[Unused]:
    folder = f"{artifacts.prefix}/{SHARDS}"
    for file in artifacts.store.files(folder):
        if file.name.removesuffix(".tar") not in used and file.modified < before:
            name = f"{folder}/{file.name}"
            yield Unused(name, file.size, (name,))
