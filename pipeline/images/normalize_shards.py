"""Prepare pictures on a cluster: shards of them, by the same function as in the processes of one machine.

Workers that are processes of this machine read and write its folders. Other workers read a shard of pictures from the
storage that machines share, and write a shard of squares and their rows there; who asks for the same again finds them.
"""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline.cluster.client import Cluster, map_shards
from pipeline.errors import DamagedState
from pipeline.images.prepare import Picture, Prepared, prepare
from pipeline.images.worker_pool import Lost, work_through
from pipeline.options import NormalizeOptions
from pipeline.progress import ShouldStop, never
from pipeline.store import digest
from pipeline.store.jsonl import dump_row, parse_rows
from pipeline.store.object_store import ObjectStore, open_store
from pipeline.store.picture_shards import ShardPlan, members_of, plan_shards, read_pictures, write_pictures
from pipeline.store.shards import DamagedShard

SHARD = 2000  # pictures, if they are files of this machine
MAX_SECONDS = 20.0  # for one picture; 100 million pixels take about 2 s
VERSION = 1  # of what is written into the storage
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
) -> None:
    """Prepare `pictures` of the artifact `download` on the cluster; squares go into the folder `images`.

    `take` is called with the rows of each shard. Raises what `map_shards` raises.
    """
    if cluster.storage:
        _prepare_in_storage(pictures, download, options, images, cluster, take, should_stop)
        return
    parts = [tuple(pictures[start : start + SHARD]) for start in range(0, len(pictures), SHARD)]
    folder = images.absolute()
    orders = {
        _name(options, str(number), *(each.id for each in part)): LocalOrder(_absolute(part), options, folder)
        for number, part in enumerate(parts)
    }
    map_shards(cluster, prepare_local, orders, lambda _, rows: take(rows), should_stop=should_stop)


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
    should_stop: ShouldStop,
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

    map_shards(cluster, prepare_stored, orders, fetch, should_stop=should_stop)


def _stored_order(plan: ShardPlan, options: NormalizeOptions, cluster: Cluster, *, any_size: bool) -> StoredOrder:
    name = _name(options, plan.shard.name, str(any_size))
    return StoredOrder(
        storage=cluster.storage,
        source=f"{cluster.dataset}/download/shards/{plan.shard.name}.tar",
        target=f"{cluster.dataset}/normalize/work/{name}.jsonl",
        any_size=any_size,
        options=options,
    )


def prepare_stored(order: StoredOrder) -> None:
    """Do a `StoredOrder`, on a worker, unless it was done before. The rows are written last."""
    store = open_store(order.storage)
    if store.size(order.target) is not None:
        return
    with tempfile.TemporaryDirectory(prefix="ganmill-") as name:
        work = Path(name)
        if not store.download(order.source, work / "pictures.tar"):
            raise DamagedState(f"storage {order.storage}: {order.source} is missing; run again")
        (work / "pictures").mkdir()
        (work / "squares").mkdir()
        pictures = _unpack(work / "pictures.tar", work / "pictures", any_size=order.any_size)
        rows = _prepare_all(pictures, order.options, work / "squares")
        files = {f"{row.id}.png": row.sha256 for row in rows if not row.reason}
        write_pictures(work / "squares.tar", work / "squares", members_of(work / "squares", files))
        store.upload(work / "squares.tar", _squares_of(order))
        store.write(order.target, "".join(dump_row(vars(row)) for row in rows).encode())


def _unpack(path: Path, folder: Path, *, any_size: bool) -> list[Picture]:
    pictures = []
    for name, data in read_pictures(path):
        (folder / Path(name).name).write_bytes(data)
        pictures.append(Picture(Path(name).stem, folder, Path(name).suffix, any_size))
    return pictures


def _fetch(store: ObjectStore, order: StoredOrder, images: Path) -> list[Prepared]:
    """The rows of a shard that is done; its squares are written into `images`.

    Raises:
        DamagedState: they are not what was written; the next run makes them again.
    """
    try:
        rows = [Prepared(**row) for row in parse_rows(store.read(order.target) or b"", order.target)]
        _fetch_squares(store, order, images, {f"{row.id}.png": row.sha256 for row in rows if not row.reason})
    except (DamagedState, TypeError, DamagedShard):
        store.delete(order.target)
        raise DamagedState(
            f"storage {order.storage}: {order.target} or its squares are damaged; run again, which makes them again"
        ) from None
    return rows


def _fetch_squares(store: ObjectStore, order: StoredOrder, images: Path, expected: dict[str, str]) -> None:
    """Write the squares `expected`, names to SHA-256, into `images`. Raises `DamagedState`, `DamagedShard`."""
    with tempfile.TemporaryDirectory(dir=images.parent) as name:
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
