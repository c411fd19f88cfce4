"""What is old goes from the storage; what a machine may use stays, and what it still has it copies there again."""

import json
import os
from datetime import datetime, timedelta, timezone

import pytest

from pipeline.store import remote_cleanup
from pipeline.store.object_store import ObjectStore, open_store
from pipeline.store.remote_cleanup import delete_old
from tests.store.sharing_machine import KEY, Machine
from tests.store.stores import misbehaving

OTHER = "77aa88bb99cc" + "0" * 52
TODAY = datetime.now(timezone.utc)
SOON = TODAY + timedelta(hours=1)  # all files of the tests were written before


@pytest.fixture
def here(tmp_path, store):
    return Machine(tmp_path / "a", store)


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).isoformat()


def delete(machine, before=SOON, **options):
    return delete_old(machine.artifacts.remote, before=before, **options)


def left(machine) -> list[str]:
    return sorted(file.name for file in machine.artifacts.remote.store.files("cats/normalize"))


def test_an_old_artifact_goes_with_its_shards_and_the_newest_stays(here):
    here.artifacts.share(here.make("one", created=days_ago(9), pictures=3))
    new = here.artifacts.share(here.make("two", key=OTHER, created=days_ago(8)))
    removed = delete(here)
    assert [name.split("/")[2] for name in removed] == [KEY[:12], "shards"]
    assert all(size > 0 for size in removed.values())
    assert here.artifacts.remote.read(KEY[:12]) is None
    there = here.artifacts.remote.read(new.folder.name)
    shard = there.shards["images"][0].name
    assert left(here) == sorted(
        [f"{OTHER[:12]}/manifest.json", f"shards/{shard}.tar"]
        + [f"{OTHER[:12]}/{there.upload}/{name}" for name in there.manifest.files]
    )


def test_a_shard_that_another_artifact_has_stays(here, tmp_path, store):
    here.artifacts.share(here.make("one", created=days_ago(9)))
    here.artifacts.share(here.make("two", key=OTHER, created=days_ago(8)))
    assert list(delete(here)) == [f"cats/normalize/{KEY[:12]}"]
    elsewhere = Machine(tmp_path / "b", store)
    assert len(list((elsewhere.artifacts.bring(elsewhere.find(OTHER)).folder / "images").iterdir())) == 5


def test_what_is_current_or_not_old_stays(here):
    here.artifacts.share(here.make("one", created=days_ago(9)))
    here.artifacts.share(here.make("two", key=OTHER, created=days_ago(1)))
    assert delete(here, keep=[KEY]) == {}
    assert delete(here, before=TODAY - timedelta(days=30)) == {}
    assert list(delete(here, before=TODAY - timedelta(days=5))) == [f"cats/normalize/{KEY[:12]}"]


def test_of_a_current_key_the_newest_stays(here):
    here.artifacts.share(here.make("one", created=days_ago(9)))
    here.artifacts.share(here.make("two", forced="again", created=days_ago(8)))
    here.artifacts.share(here.make("three", key=OTHER, created=days_ago(7)))
    assert list(delete(here, keep=[KEY])) == [f"cats/normalize/{KEY[:12]}"]
    assert here.find().manifest.outputs == {"text": "two"}


def test_nothing_goes_while_a_machine_works(here):
    here.artifacts.share(here.make("one", created=days_ago(9)))
    here.artifacts.share(here.make("two", key=OTHER, created=days_ago(8)))
    store = here.artifacts.remote.store
    store.write(f"cats/normalize/locks/{KEY[:12]}", b"{}")
    told = []
    assert delete(here, tell=told.append) == {}
    assert told == ["cats/normalize: left alone, a machine is at work"]
    store.delete(f"cats/normalize/locks/{KEY[:12]}")
    assert delete(here)


def test_what_failed_uploads_and_workers_left_goes_when_it_is_old(here):
    made = here.artifacts.share(here.make(created=days_ago(9)))
    store = here.artifacts.remote.store
    rubbish = [f"{made.folder.name}/deadbeef/images.jsonl", f"{OTHER[:12]}/deadbeef/x.npz", "work/77aa88bb99cc/y.npz"]
    for name in rubbish:
        store.write(f"cats/normalize/{name}", b"left")
    shard = f"shards/{'0' * 64}.tar"
    store.write(f"cats/normalize/{shard}", b"left")
    assert delete(here, before=TODAY - timedelta(hours=1)) == {}
    before = left(here)
    assert delete(here, dry_run=True) == delete(here)
    assert set(before) - set(left(here)) == {*rubbish, shard}
    assert here.artifacts.share(made) == made


def test_what_was_deleted_is_copied_again_by_a_machine_that_has_it(here, tmp_path, store):
    made = here.artifacts.share(here.make("one", created=days_ago(9)))
    here.artifacts.share(here.make("two", key=OTHER, created=days_ago(8)))
    delete(here)
    elsewhere = Machine(tmp_path / "b", store)
    assert elsewhere.find() is None
    assert here.artifacts.share(made) == made
    assert elsewhere.artifacts.bring(elsewhere.find()).manifest.outputs == {"text": "one"}


def test_an_empty_storage_has_nothing_to_delete(here):
    assert delete(here) == {}


def test_a_machine_that_died_at_work_blocks_nothing(here, monkeypatch):
    here.artifacts.share(here.make("one", created=days_ago(9)))
    here.artifacts.share(here.make("two", key=OTHER, created=days_ago(8)))
    store = here.artifacts.remote.store
    for name in (KEY[:12], f"{KEY[:12]}.after-{'0' * 32}"):
        store.write(f"cats/normalize/locks/{name}", b"{}")
    monkeypatch.setattr(remote_cleanup, "LOST", timedelta(0))
    assert delete(here, dry_run=True)
    assert len(store.names("cats/normalize/locks")) == 2
    assert delete(here)
    assert store.names("cats/normalize/locks") == []


def test_there_is_a_lock_while_an_artifact_is_copied(here, monkeypatch):
    upload, seen = ObjectStore.upload, []

    def look(store, source, name):
        seen.append((len(store.names("cats/normalize/locks")), delete(here)))
        upload(store, source, name)

    monkeypatch.setattr(ObjectStore, "upload", look)
    made = here.artifacts.share(here.make())
    assert seen == [(1, {})] * (len(made.manifest.files) + 1)
    assert here.artifacts.remote.store.names("cats/normalize/locks") == []


@pytest.fixture
def folder(tmp_path):
    """A folder as a store, whose files get another age."""
    store = open_store(str(tmp_path / "store"))

    def age(days: int) -> None:
        then = (TODAY - timedelta(days=days)).timestamp()
        for file in store.files(""):
            os.utime(tmp_path / "store" / file.name, (then, then))

    return store, age


def test_a_shard_stays_that_an_artifact_uses_again_which_is_not_listed_yet(folder, tmp_path):
    store, age = folder
    here, there = Machine(tmp_path / "a", store), Machine(tmp_path / "b", store)
    here.artifacts.share(here.make("one", created=days_ago(9)))
    here.artifacts.share(here.make("three", key="f" * 64, created=days_ago(8), pictures=2))
    age(9)
    there.artifacts.share(there.make("two", key=OTHER, created=TODAY.isoformat()))
    here.artifacts.remote = Machine(tmp_path / "c", misbehaving(store, hidden=OTHER[:12])).artifacts.remote
    assert list(delete(here, before=TODAY - timedelta(days=5))) == [f"cats/normalize/{KEY[:12]}"]
    there.artifacts.discard(there.find(OTHER).folder)
    there.artifacts.bring(there.find(OTHER))


def test_a_shard_that_was_deleted_while_an_artifact_was_published_is_copied_again(here, tmp_path, store, monkeypatch):
    create = ObjectStore.create

    def create_late(store, name, data):
        if name.endswith("manifest.json"):
            store.delete("cats/normalize/shards")
        return create(store, name, data)

    monkeypatch.setattr(ObjectStore, "create", create_late)
    here.artifacts.share(here.make())
    elsewhere = Machine(tmp_path / "b", store)
    elsewhere.artifacts.bring(elsewhere.find())


def test_what_is_not_understood_stays_with_its_shards(here, store):
    made = here.artifacts.share(here.make("one", created=days_ago(9), pictures=3))
    here.artifacts.share(here.make("two", key=OTHER, created=days_ago(8)))
    place = f"cats/normalize/{made.folder.name}/manifest.json"
    later = json.loads(store.read(place))
    later["manifest"]["colour"] = "red"
    before = left(here)
    for manifest in (json.dumps(later).encode(), b"no manifest", b""):
        store.write(place, manifest)
        told = []
        assert delete(here, tell=told.append) == {}
        assert left(here) == before
        assert len(told) == 1
        assert told[0].startswith(f"cats/normalize/{KEY[:12]}: left alone with all shards")


def test_names_of_strangers_delete_nothing(here, store):
    here.artifacts.share(here.make("two", key=OTHER, created=days_ago(8)))
    names = ["*/*/y", "[0-9]*/y", "shards/*.tar", "shards/*", "work/*", ".DS_Store"]
    names += [f"{OTHER[:12]}/{name}" for name in ("*/y", "manifest.json?versionId=1", "\x1b[31m")]
    if not store._is_local:
        names += ["work/../y", "/y", f"{OTHER[:12]}//y"]
    for name in names:
        store.write(f"cats/normalize/{name}", b"theirs")
    before = left(here)
    assert delete(here) == {}
    assert left(here) == before


def test_a_time_that_no_clock_has_is_the_oldest(here):
    here.artifacts.share(here.make("one", created="0001-01-01T00:00:00+14:00"))
    here.artifacts.share(here.make("two", key=OTHER, created=days_ago(8)))
    assert list(delete(here)) == [f"cats/normalize/{KEY[:12]}"]
