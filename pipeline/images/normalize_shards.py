"""Prepare pictures on a cluster: shards of them, by the same function as in the processes of one machine.

Workers that are processes of this machine read and write its folders. Other workers read a shard of pictures from the
storage that machines share, and write a shard of squares and their rows there; who asks for the same again finds them.
"""

import base64
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.cluster.client import Cluster, map_shards
from pipeline.errors import DamagedState
from pipeline.images.prepare import THUMBNAIL_SIDE, Picture, Prepared, prepare
from pipeline.images.quality import Quality
from pipeline.images.worker_pool import Lost, work_through
from pipeline.options import NormalizeOptions
from pipeline.progress import ShouldStop, never
from pipeline.store import digest
from pipeline.store.jsonl import dump_row, parse_rows
from pipeline.store.object_store import ObjectStore, open_store
from pipeline.store.picture_shards import (
    Shard,
    ShardPlan,
    members_of,
    plan_shards,
    read_pictures,
    unpack_pictures,
    write_pictures,
)
from pipeline.store.shards import DamagedShard

SHARD = 2000  # pictures, if they are files of this machine
MAX_SECONDS = 20.0  # for one picture; 100 million pixels take about 2 s
VERSION = 2  # of the stage normalize: what an earlier one has prepared is not used again
HASH = re.compile("[0-9a-f]{16}")
LONGEST_REASON = 200  # characters
LARGEST = 1 << 32  # bytes of a picture, or what its header says of a side: more is no row of `prepare`
Take = Callable[[Sequence[Prepared]], None]


class LocalOrder(NamedTuple):
    """Prepare `pictures`, files of this machine, and write the squares into the folder `images`."""

    pictures: tuple[Picture, ...]
    options: NormalizeOptions
    images: Path


class StoredOrder(NamedTuple):
    """Prepare the pictures of one shard in the storage."""

    storage: str
    source: str  # name of the tar file with the pictures
    shard: Shard  # what it has to contain
    ids: str  # digest of the ids of its pictures, in the order of their files' names
    target: str  # name of the rows, JSON lines; the tar file with the squares is beside them
    any_size: bool
    options: NormalizeOptions


def prepare_shards(
    pictures: Sequence[Picture],
    download: Path,
    *,
    options: NormalizeOptions,
    images: Path,
    cluster: Cluster,
    take: Take,
    should_stop: ShouldStop,
    tell: Callable[[str], None],
) -> None:
    """Prepare `pictures` of the artifact `download` on the cluster; squares go into the folder `images`.

    `take` is called with the rows of each shard, `tell` as by `map_shards`. Raises what `map_shards` raises.
    """
    hooks: dict[str, Any] = {"should_stop": should_stop, "tell": tell}
    if cluster.storage:
        _prepare_in_storage(pictures, download, options, images, cluster, take, hooks)
        return
    parts = [tuple(pictures[start : start + SHARD]) for start in range(0, len(pictures), SHARD)]
    folder = images.absolute()
    orders = {
        _name(options, str(number), *(each.id for each in part)): LocalOrder(_absolute(part), options, folder)
        for number, part in enumerate(parts)
    }
    map_shards(cluster, prepare_local, orders, lambda _, rows: take(rows), **hooks)


def prepare_local(order: LocalOrder) -> list[Prepared]:
    """Do a `LocalOrder`, on a worker."""
    return _prepare_all(order.pictures, order.options, order.images)


def _prepare_all(pictures: Sequence[Picture], options: NormalizeOptions, images: Path) -> list[Prepared]:
    """Prepare `pictures` in another process, as a decoder may crash it or never return."""
    rows: dict[str, Prepared] = {}

    def keep(picture: Picture, outcome: Prepared | Lost) -> None:
        if isinstance(outcome, Lost):
            outcome = Prepared(id=picture.id, bytes=picture.path.stat().st_size, reason=outcome.reason)
        rows[picture.id] = outcome

    work = partial(prepare, options=options, folder=images)
    work_through(pictures, work, keep, processes=1, seconds=MAX_SECONDS, should_stop=never)
    return [rows[picture.id] for picture in pictures]


def _absolute(pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    return tuple(picture._replace(folder=picture.folder.absolute()) for picture in pictures)


def _name(options: NormalizeOptions, *parts: str) -> str:
    """The name of a shard: a digest of all that its rows and squares follow from."""
    return "normalize-" + digest.of_value([VERSION, options.significant(), *parts])[:32]


def _prepare_in_storage(
    pictures: Sequence[Picture],
    download: Path,
    options: NormalizeOptions,
    images: Path,
    cluster: Cluster,
    take: Take,
    hooks: dict[str, Any],
) -> None:
    store, waiting = open_store(cluster.storage), {picture.id: picture for picture in pictures}
    orders: dict[str, StoredOrder] = {}
    for plan in plan_shards(download, "images"):
        wanted = [waiting[id] for member in plan.members if (id := Path(member.name).stem) in waiting]
        for any_size in {picture.any_size for picture in wanted}:
            order = _stored_order(plan, options, cluster, any_size=any_size)
            orders[Path(order.target).stem] = order

    def fetch(name: str, _: None) -> None:
        rows = _fetch(store, orders[name], images)
        take([row for row in rows if row.id in waiting and waiting[row.id].any_size == orders[name].any_size])

    map_shards(cluster, prepare_stored, orders, fetch, **hooks)


def _stored_order(plan: ShardPlan, options: NormalizeOptions, cluster: Cluster, *, any_size: bool) -> StoredOrder:
    name = _name(options, plan.shard.name, str(any_size))
    return StoredOrder(
        storage=cluster.storage,
        source=f"{cluster.dataset}/download/shards/{plan.shard.name}.tar",
        shard=plan.shard,
        ids=digest.of_value([Path(name).stem for name in sorted(member.name for member in plan.members)]),
        target=f"{cluster.dataset}/normalize/work/{name}.jsonl",
        any_size=any_size,
        options=options,
    )


def prepare_stored(order: StoredOrder) -> None:
    """Do a `StoredOrder`, on a worker, unless it was done before. The rows are written last.

    Raises:
        DamagedState: the shard is not what was written; it is deleted, so that the next run uploads it again.
    """
    store = open_store(order.storage)
    if store.size(order.target) is not None:
        return
    with tempfile.TemporaryDirectory(prefix="ganmill-") as name:
        work = Path(name)
        if not store.download(order.source, work / "pictures.tar"):
            raise DamagedState(
                f"storage {store.shown}: {order.source} is missing; run again, which copies it there again"
            )
        (work / "pictures").mkdir()
        (work / "squares").mkdir()
        if not unpack_pictures(work / "pictures.tar", work / "pictures", order.shard):
            store.delete(order.source)
            raise DamagedState(
                f"storage {store.shown}: {order.source} is not what was written; run again, which copies it there"
                " again; if that does not help, `python -m tasks rerun download` fetches the pictures again"
            )
        pictures = _list_pictures(work / "pictures", any_size=order.any_size)
        rows = _prepare_all(pictures, order.options, work / "squares")
        files = {f"{row.id}.png": row.sha256 for row in rows if not row.reason}
        write_pictures(work / "squares.tar", work / "squares", members_of(work / "squares", files))
        store.upload(work / "squares.tar", _squares_of(order))
        store.write(order.target, "".join(dump_row(vars(row)) for row in rows).encode())


def _list_pictures(folder: Path, *, any_size: bool) -> list[Picture]:
    names = map(Path, sorted(os.listdir(folder)))
    return [Picture(name.stem, folder, name.suffix, any_size) for name in names]


def _fetch(store: ObjectStore, order: StoredOrder, images: Path) -> list[Prepared]:
    """The rows of a shard that is done; its squares are written into `images`.

    Raises:
        DamagedState: they are not what was written; the next run makes them again.
    """
    try:
        rows = [_check(row, order.options) for row in parse_rows(store.read(order.target) or b"", order.target)]
        if digest.of_value([row.id for row in rows]) != order.ids:
            raise DamagedState("other pictures")
        _fetch_squares(store, order, images, {f"{row.id}.png": row.sha256 for row in rows if not row.reason})
    except (DamagedState, ValueError, TypeError, DamagedShard):
        store.delete(order.target)
        raise DamagedState(
            f"storage {store.shown}: {order.target} or its squares are damaged; run again, which makes them again"
        ) from None
    return rows


def _check(row: dict[str, Any], options: NormalizeOptions) -> Prepared:
    """The row, if every field but the id has a value that `prepare` may give. Errors: `ValueError`, `TypeError`."""
    found = Prepared(**row)
    sizes = [found.bytes, *(each for each in (found.width, found.height) if each is not None)]
    most = LARGEST if found.reason else LARGEST >> 1  # so that the pixels of a usable one are 64 bits
    if not all(type(each) is int and abs(each) < most for each in sizes):
        raise ValueError("a size")
    scores = found.quality
    if scores is not None and not (
        isinstance(scores, dict)
        and tuple(scores) == Quality._fields
        and all(0 <= each <= 1 for each in scores.values())
    ):
        raise ValueError("the scores")
    if not (isinstance(found.reason, str) and len(found.reason) <= LONGEST_REASON and found.reason.isprintable()):
        raise ValueError("the reason")
    hashes = (found.phash, found.mirror, found.whole_phash, found.whole_mirror)
    if found.reason and any((found.sha256, *hashes, found.look, found.whole_look)):
        raise ValueError("a rejected picture has no square")
    if not found.reason:
        channels = 1 if options.colour == "grey" else 3
        if not (digest.is_digest(found.sha256) and all(map(HASH.fullmatch, hashes))):
            raise ValueError("the digests")
        if not (_is_thumbnail(found.look, channels) and _is_thumbnail(found.whole_look, 3)):
            raise ValueError("the thumbnails")
    return found


def _is_thumbnail(text: str, channels: int) -> bool:
    return len(base64.b64decode(text, validate=True)) == THUMBNAIL_SIDE**2 * channels


def _fetch_squares(store: ObjectStore, order: StoredOrder, images: Path, expected: dict[str, str]) -> None:
    """Write the squares `expected`, names to SHA-256, into `images`. Raises `DamagedState`, `DamagedShard`."""
    with tempfile.TemporaryDirectory(prefix="ganmill-") as name:  # elsewhere: a kill would leave it in the artifact
        path = Path(name) / "squares.tar"
        if not store.download(_squares_of(order), path):
            raise DamagedState("missing")
        for file, data in read_pictures(path):
            if digest.of_bytes(data) != expected.pop(file, ""):
                raise DamagedState(file)
            (images / file).write_bytes(data)
    if expected:
        raise DamagedState("incomplete")


def _squares_of(order: StoredOrder) -> str:
    return order.target.removesuffix(".jsonl") + ".tar"
