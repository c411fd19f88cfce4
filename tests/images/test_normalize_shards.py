"""Pictures that a cluster prepares become what one machine makes of them, bit for bit."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.cluster.client import Cluster
from pipeline.errors import DamagedState, Stopped
from pipeline.images import normalize as normalize_stage
from pipeline.images import normalize_shards as module
from pipeline.images import overview
from pipeline.images.normalize import normalize
from pipeline.images.normalize_shards import StoredOrder
from pipeline.options import NormalizeOptions
from pipeline.progress import never, silent
from pipeline.store import picture_shards
from pipeline.store.jsonl import dump_row, parse_rows
from pipeline.store.manifest import Manifest, list_files, list_folders
from pipeline.store.object_store import open_store
from pipeline.store.remote_artifacts import RemoteArtifacts
from tasks.stages import Normalize
from tests.long_values import and_long

OPTIONS = NormalizeOptions(size=16, processes=1)


@pytest.fixture
def download(draw, encode, make_download):
    """Pictures with a copy, one that is too small, a truncated one and a text among them."""
    pictures = [encode(draw(seed)) for seed in range(12)]
    copy = encode(draw(0, 48, 40), "JPEG", quality=90)
    return make_download([*pictures, copy, encode(draw(9, 20, 20)), encode(draw(8), "JPEG")[:-300], b"<html>"])


def run(download, folder, cluster=None, should_stop=never, progress=silent):
    folder.mkdir(exist_ok=True)
    hooks = {"progress": progress, "should_stop": should_stop}
    return normalize(OPTIONS, download=download, folder=folder, cluster=cluster, **hooks)


def contents(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def work_here(items, work, take, **_) -> None:
    """Work in this process, where no decoder crashes."""
    for item in items:
        take(item, work(item))


@pytest.fixture(autouse=True)
def sheets_in_this_process(monkeypatch):
    monkeypatch.setattr(overview, "work_through", work_here)


@pytest.fixture
def whole(download, tmp_path, monkeypatch):
    """What one machine makes."""
    monkeypatch.setattr(normalize_stage, "work_through", work_here)
    return run(download, tmp_path / "whole"), contents(tmp_path / "whole")


def test_workers_of_this_machine_make_the_same(download, tmp_path, whole, cluster, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 5)
    seen = []
    made = run(download, tmp_path / "out", cluster, progress=lambda done, total, note="": seen.append((done, total)))
    assert (made, contents(tmp_path / "out")) == whole
    assert seen[0] == (0, 16)
    assert seen[-1] == (16, 16)


def test_a_stopped_run_goes_on_from_the_shards_that_are_done(download, tmp_path, whole, cluster, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 5)
    seen = []

    def progress(done, total, note=""):
        seen.append(done)

    with pytest.raises(Stopped):
        run(download, tmp_path / "out", cluster, progress=progress, should_stop=lambda: max(seen, default=0) > 0)
    assert 0 < max(seen) < 16
    first = max(seen)
    seen.clear()
    assert (run(download, tmp_path / "out", cluster, progress=progress), contents(tmp_path / "out")) == whole
    assert seen[0] >= first


class InThisProcess:
    """Does the work of a cluster in this process, shard by shard."""

    def __init__(self, monkeypatch) -> None:
        self.orders: list[StoredOrder] = []
        monkeypatch.setattr(module, "map_shards", self.map_shards)
        monkeypatch.setattr(module, "work_through", work_here)

    def map_shards(self, cluster, work, shards, take, *, should_stop, tell):
        for name, order in shards.items():
            self.orders.append(order)
            take(name, work(order))


@pytest.fixture
def stored(download, bucket, monkeypatch):
    """The pictures in a bucket, and the cluster whose workers reach it."""
    monkeypatch.setattr(picture_shards, "PICTURES", 4)
    manifest = Manifest(
        stage="download",
        version=1,
        dataset="cats",
        key="d" * 64,
        options={},
        inputs={},
        files=list_files(download, pictures="images"),
        folders=list_folders(download, "images"),
    )
    RemoteArtifacts(open_store(bucket), "cats/download").publish(download, manifest, silent)
    return Cluster(address="tls://elsewhere:8786", storage=bucket, dataset="cats")


def test_workers_that_share_a_storage_make_the_same(download, tmp_path, whole, stored, monkeypatch):
    cluster = InThisProcess(monkeypatch)
    assert (run(download, tmp_path / "out", stored), contents(tmp_path / "out")) == whole
    assert len(cluster.orders) > 1


def test_shards_that_are_done_are_not_done_again(download, tmp_path, whole, stored, monkeypatch):
    InThisProcess(monkeypatch)
    run(download, tmp_path / "first", stored)
    monkeypatch.setattr(module, "_prepare_all", lambda *_: pytest.fail("prepared again"))
    assert (run(download, tmp_path / "out", stored), contents(tmp_path / "out")) == whole


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {  # of the row of a usable picture
    "a path as id": lambda row: row.update(id="/outside/x"),
    "a list as id": lambda row: row.update(id=["x"]),
    "another picture": lambda row: row.update(id="f" * 64),
    "no picture": lambda row: row.clear(),
    "an unknown field": lambda row: row.update(colour="red"),
    "a huge size": lambda row: row.update(width=1 << 40),
    "a text as size": lambda row: row.update(height="9"),
    "no scores": lambda row: row.update(quality=[]),
    "scores that are NaN": lambda row: row["quality"].update(dark=float("nan")),
    "a hash that is none": lambda row: row.update(phash="x" * 16),
    "a hash of another type": lambda row: row.update(mirror=None),
    "a small thumbnail": lambda row: row.update(look="AAAA"),
    "a thumbnail that is none": lambda row: row.update(whole_look="-"),
    "a reason of two lines": lambda row: row.update(reason="a\nb"),
    "a rejected picture with a square": lambda row: row.update(reason="corrupt"),
}


def test_rows_that_no_worker_writes_are_not_believed(download, tmp_path, whole, stored, monkeypatch):
    cluster, store = InThisProcess(monkeypatch), open_store(stored.storage)
    run(download, tmp_path / "first", stored)
    order = max(cluster.orders, key=lambda each: store.size(each.target))
    written = store.read(order.target)
    for name, change in DAMAGES.items():
        rows = parse_rows(written, "")
        change(next(row for row in rows if not row["reason"]))
        store.write(order.target, "".join(map(dump_row, rows)).encode())
        with pytest.raises(DamagedState, match="or its squares are damaged; run again"):
            pytest.fail(f"{name}: {module._fetch(store, order, tmp_path)}")
        assert store.size(order.target) is None, name
    assert (run(download, tmp_path / "out", stored), contents(tmp_path / "out")) == whole


@pytest.mark.parametrize("damage", and_long(["rows", "other squares"], long=["squares", "no squares"]))
def test_a_damaged_shard_is_made_again_by_the_next_run(download, tmp_path, whole, stored, monkeypatch, damage):
    cluster, store = InThisProcess(monkeypatch), open_store(stored.storage)
    run(download, tmp_path / "first", stored)
    order = max(cluster.orders, key=lambda each: store.size(each.target))
    squares = order.target.replace(".jsonl", ".tar")
    if damage == "rows":
        store.write(order.target, b"[]\n")
    elif damage == "no squares":
        store.delete(squares)
    else:
        data = bytearray(store.read(squares))
        data[600] ^= 1
        store.write(squares, b"no tar" if damage == "squares" else bytes(data))
    with pytest.raises(DamagedState, match="run again"):
        run(download, tmp_path / "out", stored)
    assert (run(download, tmp_path / "out", stored), contents(tmp_path / "out")) == whole


def test_pictures_that_are_gone_from_the_storage_are_one_line(stored, download, tmp_path, monkeypatch):
    InThisProcess(monkeypatch)
    for name in open_store(stored.storage).names("cats/download/shards"):
        open_store(stored.storage).delete(f"cats/download/shards/{name}")
    with pytest.raises(DamagedState, match=r"storage s3://.*: cats/download/shards/.*\.tar is missing; run again"):
        run(download, tmp_path / "out", stored)


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damaged_pictures_in_the_storage_are_deleted_there(stored, download, tmp_path, monkeypatch, damage):
    """The next run copies them there again, as it does with all that is missing."""
    cluster, store = InThisProcess(monkeypatch), open_store(stored.storage)
    name = f"cats/download/shards/{store.names('cats/download/shards')[0]}"
    data = bytearray(store.read(name))
    data[600] ^= 1
    store.write(name, bytes(data[:-2000] if damage == "cut" else data))
    with pytest.raises(DamagedState, match=r"cats/download/shards/.*\.tar is not what was written; run again"):
        run(download, tmp_path / "out", stored)
    assert cluster.orders[-1].source == name
    assert store.size(name) is None


def test_names_follow_from_the_version_of_the_stage():
    assert Normalize.version == module.VERSION


def test_rows_are_written_last(stored, download, tmp_path, monkeypatch):
    cluster, store = InThisProcess(monkeypatch), open_store(stored.storage)
    monkeypatch.setattr(type(store), "write", lambda *_: (_ for _ in ()).throw(OSError("gone")))
    with pytest.raises(OSError, match="gone"):
        run(download, tmp_path / "out", stored)
    monkeypatch.undo()
    assert store.size(cluster.orders[0].target) is None
    assert json.loads(json.dumps(OPTIONS.significant()))["size"] == 16
