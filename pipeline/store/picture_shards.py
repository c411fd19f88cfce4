"""Shards of a folder of pictures: tar files, as of WebDataset, each named by what is in it.

An object store takes a hundred large files sooner than a hundred thousand small ones. A folder is cut where the digest
of a picture says so, in the order of its rows: pictures that are added change only the shards that they fall into. The
same pictures always give the same bytes.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import DamagedState
from pipeline.store import digest
from pipeline.store.jsonl import read_rows
from pipeline.store.manifest import ROWS, picture_files
from pipeline.store.names import is_part
from pipeline.store.shards import BLOCK, DamagedShard, Sample, read_shard, write_shard

PICTURES = 2048  # in a shard, on average
MOST_PICTURES, MOST_BYTES = 4 * PICTURES, 1 << 26  # a shard ends there in any case


class Member(NamedTuple):
    """A picture in a shard: the name of its file, its SHA-256 and bytes."""

    name: str
    sha256: str
    size: int


class Shard(NamedTuple):
    """A shard: the digest of its members' names and contents, its bytes, and how many pictures it has."""

    name: str
    size: int
    pictures: int


class ShardPlan(NamedTuple):
    """A shard that can be written from a folder of pictures."""

    shard: Shard
    members: Sequence[Member]


def plan_shards(artifact: Path, pictures: str) -> list[ShardPlan]:
    """The shards of the folder `pictures` of the artifact."""
    plans, members, size = [], list[Member](), 0
    for member in _members(artifact, pictures):
        members.append(member)
        size += member.size
        if int(member.sha256[-8:], 16) % PICTURES == 0 or len(members) == MOST_PICTURES or size >= MOST_BYTES:
            plans.append(_plan(members))
            members, size = [], 0
    return plans + ([_plan(members)] if members else [])


def write_pictures(path: Path, folder: Path, members: Sequence[Member]) -> None:
    """Write the tar file `path` with the files `members` of `folder`.

    Raises:
        DamagedState: a file is not what was written.
    """
    with path.open("wb") as file:
        write_shard(file, (_sample(folder, member) for member in members))


def _sample(folder: Path, member: Member) -> Sample:
    data = (folder / member.name).read_bytes()
    if digest.of_bytes(data) != member.sha256:
        raise DamagedState(f"{folder / member.name} is not what was written")
    return Sample(*_split(member.name, data))


def _split(name: str, data: bytes) -> tuple[str, dict[str, bytes]]:
    stem, _, extension = name.partition(".")
    return stem, {extension: data}


def members_of(folder: Path, files: Mapping[str, str]) -> list[Member]:
    """The members for `files` of `folder`, names to SHA-256."""
    return [Member(name, sha256, (folder / name).stat().st_size) for name, sha256 in files.items()]


def read_pictures(path: Path) -> Iterator[tuple[str, bytes]]:
    """The name and content of each picture in the tar file `path`; the name is one of a file in a folder.

    Raises:
        DamagedShard: it cannot be read further, or a name is a path.
    """
    with path.open("rb") as file:
        for sample in read_shard(file):
            for extension, data in sample.files.items():
                name = f"{sample.key}.{extension}"
                if not is_part(name):
                    raise DamagedShard("a file in it has a name that no picture has")
                yield name, data


def unpack_pictures(path: Path, folder: Path, shard: Shard) -> bool:
    """Write the pictures of the tar file `path` into `folder`; false, and nothing is written, if they are not those of
    `shard`.
    """
    try:
        found = [[name, digest.of_bytes(data)] for name, data in read_pictures(path)]
    except DamagedShard:
        return False
    if digest.of_value(found) != shard.name:
        return False
    for name, data in read_pictures(path):
        (folder / name).write_bytes(data)
    return True


def _members(artifact: Path, pictures: str) -> Iterator[Member]:
    """The files of a folder of pictures in the order of the rows; those that no row names come last."""
    sizes = {entry.name: entry.stat().st_size for entry in picture_files(artifact / pictures)}
    by_stem = {os.path.splitext(name)[0]: name for name in sizes}
    for row in read_rows(artifact / ROWS):
        if name := by_stem.pop(str(row.get("id")), None):
            yield Member(name, row["sha256"] if row.get("file") else str(row["id"]), sizes[name])
    for name in sorted(by_stem.values()):
        yield Member(name, digest.of_file(artifact / pictures / name), sizes[name])


def _plan(members: list[Member]) -> ShardPlan:
    size = BLOCK * (sum(1 + -(-member.size // BLOCK) for member in members) + 2)
    name = digest.of_value([[member.name, member.sha256] for member in members])
    return ShardPlan(Shard(name, size, len(members)), members)
