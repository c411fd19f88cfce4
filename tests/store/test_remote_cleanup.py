"""What is old goes from the storage; what a machine may use stays, and what it still has it copies there again."""

from datetime import datetime, timedelta, timezone

import pytest

from pipeline.store.remote_cleanup import delete_old
from tests.store.sharing_machine import KEY, Machine

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
    assert delete(here) == {}
    store.delete(f"cats/normalize/locks/{KEY[:12]}")
    assert delete(here)


def test_what_failed_uploads_and_workers_left_goes_when_it_is_old(here):
    made = here.artifacts.share(here.make(created=days_ago(9)))
    store = here.artifacts.remote.store
    rubbish = [f"{made.folder.name}/deadbeef/images.jsonl", f"{OTHER[:12]}/deadbeef/x.npz", "work/77aa88bb99cc/y.npz"]
    for name in rubbish:
        store.write(f"cats/normalize/{name}", b"left")
    store.write("cats/normalize/shards/0000.tar", b"left")
    assert delete(here, before=TODAY - timedelta(hours=1)) == {}
    before = left(here)
    assert delete(here, dry_run=True) == delete(here)
    assert set(before) - set(left(here)) == {*rubbish, "shards/0000.tar"}
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
