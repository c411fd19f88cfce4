"""The raw store: whole pictures or none."""

import os
import time

import pytest

from pipeline.crawl.storage import FORGOTTEN, HEAD, PictureStorage, Unwritable
from pipeline.store import digest


@pytest.fixture
def store(tmp_path):
    return PictureStorage(tmp_path / "raw")


def unfinished(store):
    return list((store.root / "unfinished").iterdir())


def test_a_draft_knows_what_was_written_and_becomes_a_picture(store):
    data = bytes(range(256)) * 1000
    draft = store.receive([data[:100_000], data[100_000:]])
    assert (draft.sha256, draft.bytes, draft.head) == (digest.of_bytes(data), len(data), data[:HEAD])
    store.keep(draft, f"{draft.sha256}.png")
    assert store.path(f"{draft.sha256}.png").read_bytes() == data
    assert unfinished(store) == []


def test_of_a_body_that_breaks_off_nothing_stays(store):
    def pieces():
        yield b"x"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        store.receive(pieces())
    assert unfinished(store) == []


def test_a_disk_that_takes_no_more_is_told_from_a_host_that_gives_no_more(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Unwritable, match="No space left"):
        store.write("a" * 64 + ".png", b"x")


def test_a_damaged_picture_is_replaced_and_a_whole_one_is_left(store):
    name = f"{digest.of_bytes(b'good')}.png"
    store.write(name, b"good")
    before = store.path(name).stat().st_ino
    store.write(name, b"good")
    assert store.path(name).stat().st_ino == before
    store.path(name).write_bytes(b"bad")
    store.write(name, b"good")
    assert store.path(name).read_bytes() == b"good"


def test_what_a_killed_crawl_left_is_removed_once_no_crawl_can_want_it(store):
    old, new = (store.receive([b"x"]).path for _ in range(2))
    long_ago = time.time() - FORGOTTEN - 1
    os.utime(old, (long_ago, long_ago))
    PictureStorage(store.root)
    assert unfinished(store) == [new]
