"""Delete what is old from an object store that several machines share.

Nobody knows what all machines use, so only an age says what goes: an artifact that a machine still has is copied to the
store again by its next run. The newest artifact of a stage stays. A manifest is deleted before the files, so that no
reader believes half an artifact.

Only names that this program gives are deleted. What it does not understand, of strangers or of a later version, stays,
and so does all that this may use.
"""

import re
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from pipeline.store import manifest as manifests
from pipeline.store.remote_artifacts import LOCKS, SHARDS, WORK, RemoteArtifacts
from pipeline.store.stored_manifest import RemoteArtifact, number_of
from pipeline.text import to_plain_line

LOST = timedelta(minutes=10)  # a holder writes its lock every ten seconds: one this old is of a machine that died
LONGEST = 120  # characters of a name that are shown
_DRAFT = r"\.[0-9a-f]{32}"  # what a killed process leaves in a folder that is a store
_UPLOAD = re.compile(rf"[0-9a-f]{{8}}|{_DRAFT}")
_SHARD = re.compile(rf"[0-9a-f]{{64}}\.tar|{_DRAFT}")
_WORK = re.compile(rf"[0-9A-Za-z][0-9A-Za-z._-]*|{_DRAFT}")


class Unused(NamedTuple):
    """A folder or file of the store that may be deleted, its bytes, and the names to delete, in this order."""

    name: str
    size: int
    parts: tuple[str, ...]


def delete_old(
    artifacts: RemoteArtifacts,
    *,
    before: datetime,
    keep: Collection[str] = (),
    dry_run: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, int]:
    """Delete the artifacts of one stage that were made `before`, what failed uploads and trainings of workers left
    before that, and older shards that no artifact has any more; returns the bytes of each.

    Nothing is deleted while a machine makes or copies an artifact of the stage, which may use shards that are there.

    Args:
        before: A time with its zone.
        keep: Content keys whose newest artifact stays.
        dry_run: Only find out.
        tell: Gets a line about what is left alone.
    """
    if _is_at_work(artifacts, dry_run=dry_run):
        tell(f"{artifacts.prefix}: left alone, a machine is at work")
        return {}
    removed = {}
    for unused in _unused(artifacts, before, keep, tell):
        for part in () if dry_run else unused.parts:
            artifacts.store.delete(part)
        removed[unused.name] = unused.size
    return removed


def _is_at_work(artifacts: RemoteArtifacts, *, dry_run: bool) -> bool:
    """Whether a machine holds a lock of the stage; locks of machines that died are deleted."""
    folder, now = f"{artifacts.prefix}/{LOCKS}", datetime.now(timezone.utc)
    locks = artifacts.store.files(folder)
    if any(now - lock.modified < LOST for lock in locks):
        return True
    for lock in [] if dry_run else locks:
        artifacts.store.delete_file(f"{folder}/{lock.name}")
    return False


def _unused(
    artifacts: RemoteArtifacts, before: datetime, keep: Collection[str], tell: Callable[[str], None]
) -> Iterator[Unused]:
    known = sorted(artifacts.all(), key=_made)
    newest = {each.manifest.key: each for each in known}
    stays = [*known[-1:], *(newest[key] for key in keep if key in newest)]
    old = [each for each in known if _made(each) < before and each not in stays]
    used = {shard.name for each in known if each not in old for shards in each.shards.values() for shard in shards}
    unknown = _not_understood(artifacts, known)
    yield from (_whole(artifacts, each) for each in old)
    yield from _left_over(artifacts, known, {*unknown, *(each.name for each in old)}, before)
    if not unknown:
        yield from _unused_shards(artifacts, used, before)
    for name in unknown:
        tell(
            f"{artifacts.prefix}/{to_plain_line(name, LONGEST)}: left alone with all shards, as its manifest cannot be"
            " understood; update ganmill here, or delete that folder"
        )


def _made(artifact: RemoteArtifact) -> datetime:
    """When it was made; the beginning of time if its manifest does not say."""
    try:
        return datetime.fromisoformat(artifact.manifest.created).astimezone(timezone.utc)
    except (ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=timezone.utc)


def _not_understood(artifacts: RemoteArtifacts, known: list[RemoteArtifact]) -> list[str]:
    """The folders with a manifest that `read` does not understand."""
    others = {*artifacts.store.names(artifacts.prefix)} - {each.name for each in known} - {SHARDS, LOCKS, WORK}
    return sorted(name for name in others if artifacts.has_manifest(name) and not artifacts.read(name))


def _whole(artifacts: RemoteArtifacts, artifact: RemoteArtifact) -> Unused:
    place = f"{artifacts.prefix}/{artifact.name}"
    size = sum(size for size, _ in artifact.manifest.files.values())
    return Unused(place, size, (f"{place}/{manifests.NAME}", place))


def _left_over(
    artifacts: RemoteArtifacts, known: list[RemoteArtifact], without: Collection[str], before: datetime
) -> Iterator[Unused]:
    """Folders of uploads that failed, and copies of the work of trainings, whose newest file is old."""
    store, prefix = artifacts.store, artifacts.prefix
    uploads = {each.name: each.upload for each in known}
    places = [f"{prefix}/{WORK}/{name}" for name in store.names(f"{prefix}/{WORK}") if _WORK.fullmatch(name)]
    for name in store.names(prefix):
        if number_of(name) and name not in without:
            others = (each for each in store.names(f"{prefix}/{name}") if each != uploads.get(name))
            places += [f"{prefix}/{name}/{each}" for each in others if _UPLOAD.fullmatch(each)]
    for place in places:
        files = store.files(place)
        if files and max(file.modified for file in files) < before:
            yield Unused(place, sum(file.size for file in files), (place,))


def _unused_shards(artifacts: RemoteArtifacts, used: Collection[str], before: datetime) -> Iterator[Unused]:
    folder = f"{artifacts.prefix}/{SHARDS}"
    for listed in artifacts.store.files(folder):
        if _SHARD.fullmatch(listed.name) and listed.name.removesuffix(".tar") not in used and listed.modified < before:
            name = f"{folder}/{listed.name}"
            file = artifacts.store.file(name)  # a machine that uses it again renews it: the listing may lag
            if file and file.modified < before:
                yield Unused(name, file.size, (name,))
