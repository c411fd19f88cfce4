"""The storage of raw pictures: complete files or none."""

import os
import time
from pathlib import Path

import pytest

from pipeline.crawl.storage import HEAD_BYTES, MEMORY_BYTES, STALE_AFTER, PictureStorage, StorageError
from pipeline.store import digest


@pytest.fixture
def storage(tmp_path):
    return PictureStorage(tmp_path / "raw")


def path_in(storage, name):
    return Path(storage.path(name))


def unfinished_files(storage):
    return list((storage.root / "unfinished").iterdir())


@pytest.mark.parametrize("length", [HEAD_BYTES + 256, 2 * MEMORY_BYTES])
def test_temp_file_has_digest_and_head_and_is_committed(storage, length):
    data = bytes(range(256)) * (length // 256)
    temp_file = storage.receive([data[:100_000], data[100_000:]])
    assert (temp_file.sha256, temp_file.bytes, temp_file.head) == (digest.of_bytes(data), len(data), data[:HEAD_BYTES])
    assert len(unfinished_files(storage)) == (length > MEMORY_BYTES)
    with temp_file.open() as file:
        assert file.read() == data
    storage.commit(temp_file, f"{temp_file.sha256}.png")
    assert path_in(storage, f"{temp_file.sha256}.png").read_bytes() == data
    assert unfinished_files(storage) == []


def test_short_body_is_written_when_it_is_committed(storage):
    temp_file = storage.receive([b"ab", b"c"])
    assert unfinished_files(storage) == []
    storage.commit(temp_file, f"{temp_file.sha256}.png")
    temp_file.discard()
    assert path_in(storage, f"{digest.of_bytes(b'abc')}.png").read_bytes() == b"abc"
    assert unfinished_files(storage) == []


def test_interrupted_body_leaves_no_file(storage):
    def chunks():
        yield bytes(MEMORY_BYTES + 1)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        storage.receive(chunks())
    assert unfinished_files(storage) == []


def test_disk_error_raises_storage_error(storage, monkeypatch):
    def raise_disk_full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", raise_disk_full)
    with pytest.raises(StorageError, match="No space left"):
        storage.write("a" * 64 + ".png", b"x")


def test_damaged_picture_is_replaced_and_undamaged_one_is_kept(storage):
    name = f"{digest.of_bytes(b'good')}.png"
    storage.write(name, b"good")
    before = path_in(storage, name).stat().st_ino
    storage.write(name, b"good")
    assert path_in(storage, name).stat().st_ino == before
    path_in(storage, name).write_bytes(b"bad")
    storage.write(name, b"good")
    assert path_in(storage, name).read_bytes() == b"good"


def test_stale_temp_files_are_removed(storage):
    old, new = (Path(storage.receive([bytes(MEMORY_BYTES + 1)]).path) for _ in range(2))
    long_ago = time.time() - STALE_AFTER - 1
    os.utime(old, (long_ago, long_ago))
    PictureStorage(storage.root)
    assert unfinished_files(storage) == [new]
