"""The file manifest.json of an artifact in a storage: written, and read without trusting it.

Whoever may write into the storage may write anything there. So a manifest counts only if it is one that `dump` could
have written for an artifact of its folder: its files are in this artifact, its shards are named by digests, and nothing
in it has another type or an endless size. Anything else is no artifact.
"""

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from pipeline.store import digest
from pipeline.store import manifest as manifests
from pipeline.store.manifest import Manifest
from pipeline.store.names import is_part, is_path
from pipeline.store.picture_shards import Shard

MAX_BYTES = 1 << 26  # of a manifest; one that names 100,000 files has 15 MB
MAX_DEPTH = 32  # of lists and objects in each other
_ARTIFACT = re.compile(r"[0-9a-f]{12}(?:\.([1-9][0-9]{0,14}))?")
_UPLOAD = re.compile(r"[0-9a-f]{8}")


class RemoteArtifact(NamedTuple):
    """An artifact in the store."""

    name: str  # of its folder
    manifest: Manifest
    upload: str  # the folder of its files
    shards: Mapping[str, list[Shard]]  # by folder of pictures


def numbered(name: str, number: int) -> str:
    """The name of the `number`-th artifact of one key, as `ArtifactStore` has them: `name`, `name.2`, …"""
    return name if number == 1 else f"{name}.{number}"


def number_of(name: str) -> int | None:
    """The number in the name of an artifact's folder; None if it is no such name."""
    match = _ARTIFACT.fullmatch(name)
    return int(match[1] or 1) if match else None


def dump(artifact: RemoteArtifact) -> bytes:
    """The content of the file."""
    body = {"upload": artifact.upload, "shards": artifact.shards, "manifest": asdict(artifact.manifest)}
    return json.dumps(body, ensure_ascii=False, indent=1).encode()


def parse(data: bytes, *, name: str, prefix: str) -> RemoteArtifact | None:
    """The artifact whose file has the content `data`, in the folder `name` of `prefix`, <dataset>/<stage>; None if it
    is none.
    """
    try:
        body = json.loads(data)
        _check_plain(body, MAX_DEPTH)
        shards = {folder: [Shard(*shard) for shard in found] for folder, found in body["shards"].items()}
        found = RemoteArtifact(name, manifests.from_json(body["manifest"]), body["upload"], shards)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    is_sound = f"{found.manifest.dataset}/{found.manifest.stage}" == prefix and _is_sound(found)
    return found if is_sound else None


def _check_plain(value: Any, depth: int) -> None:
    """Raise a `ValueError` for text that cannot be written, and for what is nested deeper than `depth`."""
    if depth < 0:
        raise ValueError("too deep")
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, list):
        for each in value:
            _check_plain(each, depth - 1)
    elif isinstance(value, dict):
        for name, each in value.items():
            name.encode()
            _check_plain(each, depth - 1)


def _is_sound(artifact: RemoteArtifact) -> bool:
    made = artifact.manifest
    return (
        digest.is_digest(made.key)
        and math.isfinite(made.seconds)
        and isinstance(artifact.upload, str)
        and bool(_UPLOAD.fullmatch(artifact.upload))
        and artifact.shards.keys() == made.folders.keys()
        and all(_is_shard(shard) for shards in artifact.shards.values() for shard in shards)
        and all(digest.is_digest(sha256) for _, sha256 in made.files.values())
        and _can_be_written(made.files.keys(), made.folders.keys())
    )


def _is_shard(shard: Shard) -> bool:
    counts = (shard.size, shard.pictures)
    return digest.is_digest(shard.name) and all(type(count) is int and count >= 0 for count in counts)


def _can_be_written(files: Collection[str], folders: Collection[str]) -> bool:
    """Whether all are paths below a folder, of which none is in the way of another, or of the manifest."""
    if not all(map(is_path, files)) or not all(map(is_part, folders)):
        return False
    parents = {str(parent) for file in files for parent in PurePosixPath(file).parents}
    taken = [manifests.NAME, *files, *folders]
    return len(taken) == len(set(taken)) and not parents & set(taken)
