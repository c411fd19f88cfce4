"""Artifacts that machines share: what one has published the others find, whole or not at all."""

import dataclasses
import json
import shutil

import pytest

from pipeline.errors import DamagedState
from pipeline.store import artifacts
from pipeline.store import manifest as manifests
from pipeline.store.manifest import check_contents
from pipeline.store.object_store import StoreFault, open_store
from pipeline.store.stored_manifest import parse
from tests.long_values import and_long
from tests.store.sharing_machine import KEY, Machine
from tests.store.stores import misbehaving


@pytest.fixture
def machines(tmp_path, store):
    return Machine(tmp_path / "a", store), Machine(tmp_path / "b", store)


def test_one_machine_uses_what_another_has_made(machines):
    here, there = machines
    made = here.artifacts.share(here.make())
    found = there.find()
    assert not found.folder.exists()
    assert found.manifest == made.manifest
    brought = there.artifacts.bring(found)
    assert brought.folder == found.folder
    check_contents(brought.manifest, brought.folder)
    assert (brought.folder / "sheets" / "kept.txt").read_text() == "one"
    assert len(list((brought.folder / "images").iterdir())) == 5
    assert there.find().folder == brought.folder


def test_nothing_is_uploaded_twice(machines, monkeypatch):
    here, _ = machines
    made = here.artifacts.share(here.make())
    monkeypatch.setattr(type(here.artifacts.remote.store), "upload", lambda *_: pytest.fail("uploaded again"))
    assert here.artifacts.share(made) == made


def test_an_artifact_that_nobody_made_is_not_found(machines):
    here, _ = machines
    here.artifacts.share(here.make())
    assert here.find("f" * 64) is None
    assert here.find(KEY[:12] + "f" * 52) is None


def test_of_two_machines_the_first_counts(machines):
    here, there = machines
    mine, other = here.make("one", run="a"), there.make("two", run="b")
    assert here.artifacts.share(mine).manifest.outputs == {"text": "one"}
    assert there.artifacts.share(other).manifest.outputs == {"text": "one"}
    assert (other.folder / "sheets" / "kept.txt").read_text() == "one"
    assert len(there.artifacts.folders()) == 1


def test_equal_results_of_two_machines_stay(machines):
    here, there = machines
    here.artifacts.share(here.make(run="a"))
    other = there.make(run="b")
    assert there.artifacts.share(other) == other


def test_a_rerun_makes_another_artifact(machines):
    here, there = machines
    here.artifacts.share(here.make("one"))
    again = here.artifacts.share(here.make("two", forced="run-2"))
    assert again.folder.name == f"{KEY[:12]}.2"
    assert there.find().manifest.outputs == {"text": "two"}
    assert there.find(forced="run-3") is None
    assert there.artifacts.bring(there.find(forced="run-2")).folder.name == again.folder.name


def test_a_training_whose_time_is_over_does_not_hide_that_of_another_machine(machines):
    here, there = machines
    here.artifacts.share(here.make("one", run="a", unfinished="3 of 9"))
    assert there.find() is None
    assert there.find(unfinished=True).manifest.outputs == {"text": "one"}
    done = there.artifacts.share(there.make("two", run="b"))
    assert done.manifest.outputs == {"text": "two"}
    assert here.find().manifest.outputs == {"text": "two"}


@pytest.mark.parametrize("deleted", ["manifest.json", "images.jsonl", ".tar"])
def test_only_what_is_whole_is_used(machines, store, deleted):
    here, there = machines
    here.artifacts.share(here.make())
    found = there.find()
    names = _all(store, "cats")
    store.delete(next(name for name in names if name.endswith(deleted)))
    if deleted == "manifest.json":
        assert there.find() is None
    with pytest.raises(DamagedState):
        there.artifacts.bring(found)
    assert not found.folder.exists()


def _all(store, folder: str) -> list[str]:
    found = []
    for name in store.names(folder):
        path = f"{folder}/{name}"
        found += _all(store, path) if store.size(path) in (None, 0) or store.names(path) not in ([], [name]) else [path]
    return found


@pytest.mark.parametrize("changed", ["images.jsonl", "kept.txt", ".tar"])
def test_what_is_not_what_was_written_is_refused_with_a_remedy(machines, store, changed):
    here, there = machines
    here.artifacts.share(here.make())
    store.write(next(name for name in _all(store, "cats") if name.endswith(changed)), b"other")
    with pytest.raises(DamagedState, match=r"is not what was written; run again: .* the stage normalize is made again"):
        there.artifacts.bring(there.find())
    assert there.artifacts.folders() == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"manifest": {}}', b"\xff"])
def test_a_manifest_that_cannot_be_read_is_no_artifact(machines, store, content):
    _, there = machines
    store.write(f"cats/normalize/{KEY[:12]}/manifest.json", content)
    assert there.find() is None


def test_shards_of_pictures_are_shared_by_artifacts(machines, store):
    here, _ = machines
    here.artifacts.share(here.make("one"))
    shards = store.names("cats/normalize/shards")
    here.artifacts.share(here.make("two", key="f" * 64))
    assert store.names("cats/normalize/shards") == shards != []


def test_a_listing_that_lags_hides_no_artifact(tmp_path, bucket):
    slow = misbehaving(open_store(bucket), lagging=99)
    here, there = Machine(tmp_path / "a", slow), Machine(tmp_path / "b", slow)
    here.artifacts.share(here.make("one"))
    here.artifacts.share(here.make("two", forced="run-2"))
    assert slow.names("cats/normalize") == []
    assert there.find().manifest.outputs == {"text": "two"}
    there.artifacts.bring(there.find())


@pytest.mark.parametrize("after", and_long([0, 3, 5], long=[1, 2, 4, 6, 7]))
def test_an_upload_that_fails_half_way_is_done_again(tmp_path, bucket, after):
    good = open_store(bucket)
    here, there = Machine(tmp_path / "a", misbehaving(good, half=True)), Machine(tmp_path / "b", good)
    made, system = here.make(), here.artifacts.remote.store.system
    put = system.pipe_file
    left = [after]

    def fail_later(path, value, **options):
        left[0] -= 1
        system.failing = 0 if left[0] >= 0 else 99
        type(system).pipe_file(system, path, value, **options)

    system.pipe_file = fail_later
    try:
        here.artifacts.share(made)
    except StoreFault:
        assert there.find() is None
        system.pipe_file, system.failing = put, 0
        here.artifacts.share(made)
    check_contents(there.artifacts.bring(there.find()).manifest, there.find().folder)


def test_a_fetch_that_was_killed_is_done_again(machines):
    here, there = machines
    here.artifacts.share(here.make())
    left = there.artifacts.root / f".work-fetch-{KEY[:12]}"
    (left / "images").mkdir(parents=True)
    (left / "images" / "rest").touch()
    brought = there.artifacts.bring(there.find())
    check_contents(brought.manifest, brought.folder)
    assert not left.exists()


def test_an_artifact_that_is_nowhere_any_more_is_said_so(machines, store):
    here, there = machines
    here.artifacts.share(here.make())
    found = there.find()
    store.delete("cats")
    with pytest.raises(DamagedState, match="was deleted here and in the storage"):
        there.artifacts.bring(found)


def test_without_a_shared_store_nothing_changes(tmp_path):
    machine = Machine(tmp_path, None)
    machine.artifacts.remote = None
    made = machine.make()
    assert machine.artifacts.share(made) == machine.artifacts.bring(made) == made == machine.find()


def test_what_was_deleted_here_is_fetched_again(machines):
    here, _ = machines
    made = here.artifacts.share(here.make())
    shutil.rmtree(made.folder)
    assert dataclasses.replace(here.find().manifest, folders={}) == dataclasses.replace(made.manifest, folders={})
    here.artifacts.bring(here.find())
    assert manifests.read(made.folder).outputs == {"text": "one"}


@pytest.mark.parametrize("missing", ["manifest.json", "images/2.png"])
def test_a_local_copy_that_is_damaged_is_fetched_again(machines, missing):
    here, _ = machines
    made = here.artifacts.share(here.make())
    (made.folder / missing).unlink()
    (made.folder / "stray").touch()
    artifacts._load.cache_clear()  # of another process
    found = here.find()
    assert here.artifacts.to_share(found).startswith("is fetched from")
    brought = here.artifacts.share(found)
    assert brought.folder == made.folder
    check_contents(brought.manifest, brought.folder)
    assert not (made.folder / "stray").exists()
    assert here.artifacts.to_share(here.find()) == ""
    assert here.artifacts.folders() == [made.folder]


def test_a_local_artifact_of_the_same_name_is_not_taken_for_that_of_another_machine(machines):
    here, there = machines
    mine = here.make("one", run="a", unfinished="3 of 9")
    there.artifacts.share(there.make("two", run="b"))
    brought = here.artifacts.bring(here.find())
    assert brought.manifest.outputs == manifests.read(brought.folder).outputs == {"text": "two"}
    assert brought.folder == mine.folder
    assert [manifests.read(folder).unfinished for folder in here.artifacts.folders()] == ["", "3 of 9"]


def damage(store, ending: str) -> str:
    """Change one byte of a file in the store."""
    name = next(name for name in _all(store, "cats") if name.endswith(ending))
    data = bytearray(store.read(name))
    data[515] ^= 1
    store.write(name, bytes(data))
    return name


@pytest.mark.parametrize(("ending", "rerun"), [("images.jsonl", False), (".tar", False), (".tar", True)])
def test_what_is_damaged_in_the_store_is_copied_there_again(machines, store, ending, rerun):
    here, there = machines
    made = here.artifacts.share(here.make("one"))
    name = damage(store, ending)
    with pytest.raises(DamagedState, match=r"is not what was written; run again: .* the stage normalize is made again"):
        there.artifacts.bring(there.find())
    assert store.read(name) is None
    assert there.find() is None
    here.artifacts.share(here.make("two", forced="again") if rerun else made)
    brought = there.artifacts.bring(there.find())
    check_contents(brought.manifest, brought.folder)


def test_a_fetch_that_is_damaged_on_its_way_is_done_again(machines, store, monkeypatch):
    here, there = machines
    here.artifacts.share(here.make())
    download, damaged = type(store).download, set()

    def download_half(store, name, target):
        found = download(store, name, target)
        if name not in damaged:
            target.write_bytes(target.read_bytes()[:-1])
        damaged.add(name)
        return found

    monkeypatch.setattr(type(store), "download", download_half)
    brought = there.artifacts.bring(there.find())
    check_contents(brought.manifest, brought.folder)


def test_an_artifact_that_cannot_be_completed_is_published_beside_it(machines, store):
    here, there = machines
    here.artifacts.share(here.make("one", run="a"))
    store.delete(next(name for name in _all(store, "cats") if name.endswith("kept.txt")))
    mine = there.artifacts.share(there.make("two", run="b"))
    assert mine.folder.name == f"{KEY[:12]}.2"
    assert here.artifacts.bring(there.find()).manifest.outputs == {"text": "two"}


@pytest.mark.parametrize("changed", ["sheets/kept.txt", "images/2.png"])
def test_what_is_damaged_here_is_not_copied(machines, changed):
    here, there = machines
    made = here.make("pq")
    path = made.folder / changed
    path.write_bytes(path.read_bytes().replace(b"p", b"q"))
    with pytest.raises(DamagedState, match=rf"{changed} is not what was written; `python -m tasks rerun normalize`"):
        here.artifacts.share(made)
    assert there.find() is None


def test_a_number_that_a_stranger_invents_costs_nothing(machines, store, monkeypatch):
    here, _ = machines
    here.artifacts.share(here.make("one"))
    for number in ("100000000", "9" * 200, "0", "-1", "2.3", "x"):
        store.write(f"cats/normalize/{KEY[:12]}.{number}/x", b"")
    read, asked = type(store).read, []

    def count(store, name, **options):
        asked.append(name)
        return read(store, name, **options)

    monkeypatch.setattr(type(store), "read", count)
    assert here.artifacts.remote.all()[0].manifest.outputs == {"text": "one"}
    assert [each.name for each in here.artifacts.remote.find(KEY, KEY[:12])] == [KEY[:12]]
    assert len(asked) < 9


def test_a_rerun_behind_a_gap_is_found_with_its_successors(machines, store):
    here, there = machines
    for run in ("1", "2", "3"):
        here.artifacts.share(here.make(run, forced=run))
    store.delete(f"cats/normalize/{KEY[:12]}")
    assert [each.manifest.forced for each in there.artifacts.remote.find(KEY, KEY[:12])] == ["3", "2"]


def test_a_file_that_a_stranger_names_is_not_written(machines, store, tmp_path):
    here, there = machines
    made = here.artifacts.share(here.make())
    place = f"cats/normalize/{made.folder.name}"
    for name in ("../../outside", str(tmp_path / "outside")):
        body = json.loads(store.read(f"{place}/manifest.json"))
        body["manifest"]["files"][name] = body["manifest"]["files"]["images.jsonl"]
        store.write(f"{place}/manifest.json", json.dumps(body).encode())
        assert there.find() is None
    assert parse(json.dumps(body).encode(), name=made.folder.name, prefix="cats/normalize") is None
