"""Shards of a folder of pictures: the same pictures give the same bytes, and added ones change few shards."""

import tarfile

import numpy as np
import pytest

from pipeline.errors import DamagedState
from pipeline.store import picture_shards as module
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import write_rows
from pipeline.store.picture_shards import plan_shards, read_pictures, unpack_pictures, write_pictures
from pipeline.store.shards import DamagedShard


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(module, "PICTURES", 8)
    monkeypatch.setattr(module, "MOST_PICTURES", 32)


@pytest.fixture
def artifact(tmp_path):
    """Makes an artifact with so many pictures, of which the first are always the same."""

    def make(count: int, first: int = 0):
        folder = tmp_path / f"{first}-{count}"
        (folder / "images").mkdir(parents=True)
        rows = []
        for number in [*range(first, count)]:
            data = np.random.default_rng(number).bytes(100 + number)
            id, named = of_bytes(data), number % 2
            path = folder / "images" / (f"{id}.png" if named else f"{id}.jpg")
            path.write_bytes(data)
            rows.append({"id": id, "file": f"images/{path.name}", "sha256": id} if named else {"id": id})
        write_rows(folder / "images.jsonl", [{"id": None}, *rows])
        return folder

    return make


def names(plans) -> list[str]:
    return [plan.shard.name for plan in plans]


def test_every_picture_is_in_one_shard_in_the_order_of_the_rows(artifact):
    folder = artifact(100)
    plans = plan_shards(folder, "images")
    assert len(plans) > 5
    members = [member.name for plan in plans for member in plan.members]
    assert sorted(members) == sorted(path.name for path in (folder / "images").iterdir())
    assert [plan.shard.pictures for plan in plans] == [len(plan.members) for plan in plans]


def test_files_of_a_file_manager_are_in_no_shard(artifact):
    folder = artifact(20)
    before = names(plan_shards(folder, "images"))
    (folder / "images" / ".DS_Store").touch()
    assert names(plan_shards(folder, "images")) == before


def test_a_shard_has_the_size_and_name_that_was_planned(artifact, tmp_path):
    folder = artifact(60)
    for plan in plan_shards(folder, "images"):
        write_pictures(tmp_path / "shard.tar", folder / "images", plan.members)
        assert (tmp_path / "shard.tar").stat().st_size == plan.shard.size
        (tmp_path / "out").mkdir(exist_ok=True)
        assert unpack_pictures(tmp_path / "shard.tar", tmp_path / "out", plan.shard)
    for path in (folder / "images").iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_the_same_pictures_give_the_same_bytes(artifact, tmp_path):
    folder = artifact(30)
    plan = plan_shards(folder, "images")[0]
    for name in ("one.tar", "two.tar"):
        write_pictures(tmp_path / name, folder / "images", plan.members)
        for path in (folder / "images").iterdir():
            path.touch()
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_pictures_that_are_added_change_few_shards(artifact):
    before, after = names(plan_shards(artifact(200), "images")), names(plan_shards(artifact(210), "images"))
    assert before[:-1] == after[: len(before) - 1]
    inserted = names(plan_shards(artifact(210, first=3), "images"))
    assert len(set(after) - set(inserted)) <= 2


def test_a_shard_is_a_webdataset_shard(artifact, tmp_path):
    folder = artifact(20)
    plan = plan_shards(folder, "images")[0]
    write_pictures(tmp_path / "shard.tar", folder / "images", plan.members)
    with tarfile.open(tmp_path / "shard.tar") as tar:
        assert tar.getnames() == [member.name for member in plan.members]
    assert [name for name, _ in read_pictures(tmp_path / "shard.tar")] == [member.name for member in plan.members]


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "foreign"])
def test_a_damaged_shard_is_noticed(artifact, tmp_path, damage):
    folder = artifact(20)
    plans = plan_shards(folder, "images")
    path = tmp_path / "shard.tar"
    write_pictures(path, folder / "images", plans[0].members)
    data = bytearray(path.read_bytes())
    data[550] ^= 1
    changed = {"cut": bytes(data[:900]), "changed": bytes(data), "empty": b"", "foreign": b"no tar at all" * 99}
    path.write_bytes(changed[damage])
    (tmp_path / "out").mkdir()
    assert not unpack_pictures(path, tmp_path / "out", plans[0].shard)


@pytest.mark.parametrize("name", ["../outside.png", "/outside.png", "a/b.png", "a\0.png", "\x1b[31m.png", "a\\b.png"])
def test_a_shard_cannot_write_elsewhere(tmp_path, artifact, name):
    plan = plan_shards(artifact(20), "images")[0]
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("before.png"))
        info = tarfile.TarInfo(name)
        info.pax_headers = {"path": name}  # a NUL ends the name in a plain header
        tar.addfile(info)
    (tmp_path / "out").mkdir()
    assert not unpack_pictures(tmp_path / "shard.tar", tmp_path / "out", plan.shard)
    assert not (tmp_path / "outside.png").exists()
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(DamagedShard, match="a name that no picture has"):
        list(read_pictures(tmp_path / "shard.tar"))


def test_a_picture_that_changes_meanwhile_is_noticed(artifact, tmp_path):
    folder = artifact(20)
    plan = plan_shards(folder, "images")[0]
    (folder / "images" / plan.members[0].name).write_bytes(b"")
    with pytest.raises(DamagedState, match="is not what was written"):
        write_pictures(tmp_path / "shard.tar", folder / "images", plan.members)


def test_shards_end_at_a_number_of_bytes(artifact, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 250)
    assert all(plan.shard.pictures <= 3 for plan in plan_shards(artifact(50), "images"))
