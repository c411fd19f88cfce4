"""A folder of pictures has a digest of its content, and a file is read again only if it may have changed."""

import os
import sqlite3
import time

import pytest

from pipeline.crawl import folder_digest
from pipeline.crawl.folder_digest import CACHE, digest_folder, list_entries
from pipeline.store import digest


@pytest.fixture
def root(tmp_path):
    """A folder with three files that were changed long ago."""
    root = tmp_path / "pictures"
    (root / "b").mkdir(parents=True)
    for name in ("a.png", "b/c.png", "ü.png"):
        (root / name).write_bytes(name.encode())
    return root


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "dataset").mkdir()
    return tmp_path / "dataset"


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Files are certain at once, as their times here have nanoseconds."""
    monkeypatch.setattr(folder_digest, "SETTLED", -(10**12))


@pytest.fixture
def read(monkeypatch):
    """The names of the files that were read."""
    names = []
    of_file = digest.of_file
    monkeypatch.setattr(digest, "of_file", lambda path: [names.append(path.name), of_file(path)][1])
    return names


def by_hand(root):
    files = [path for path in root.rglob("*") if path.is_file()]
    return digest.of_set([[path.relative_to(root).as_posix(), digest.of_bytes(path.read_bytes())] for path in files])


def test_digest_is_of_names_and_contents(root, dataset):
    assert digest_folder(root, dataset) == digest_folder(root, dataset) == by_hand(root)


def test_unchanged_folder_is_not_read_again(root, dataset, read):
    first = digest_folder(root, dataset)
    assert sorted(read) == ["a.png", "c.png", "ü.png"]
    read.clear()
    assert digest_folder(root, dataset) == first
    assert read == []


def test_only_new_and_changed_files_are_read(root, dataset, read):
    digest_folder(root, dataset)
    read.clear()
    (root / "d.png").write_bytes(b"new")
    before = (root / "a.png").stat()
    (root / "a.png").write_bytes(b"A.PNG")  # of the same size, and with the same time of modification
    os.utime(root / "a.png", ns=(before.st_atime_ns, before.st_mtime_ns))
    (root / "ü.png").unlink()
    assert digest_folder(root, dataset) == by_hand(root)
    assert sorted(read) == ["a.png", "d.png"]


def test_a_file_that_was_changed_a_moment_ago_is_read_again(root, dataset, read, monkeypatch):
    monkeypatch.setattr(folder_digest, "SETTLED", 10**12)
    assert digest_folder(root, dataset) == digest_folder(root, dataset) == by_hand(root)
    assert len(read) == 6


def test_folders_have_their_own_digests(root, dataset, tmp_path):
    other = tmp_path / "others"
    other.mkdir()
    (other / "a.png").write_bytes(b"other")
    for folder in (root, other, root, other):
        assert digest_folder(folder, dataset) == by_hand(folder)


def test_one_file_is_read_again_only_if_it_has_changed(root, dataset, read):
    first = digest_folder(root / "a.png", dataset)
    assert digest_folder(root / "a.png", dataset) == first != digest_folder(root / "b" / "c.png", dataset)
    assert read == ["a.png", "c.png"]
    (root / "a.png").write_bytes(b"new")
    assert digest_folder(root / "a.png", dataset) not in (first, digest_folder(root, dataset))


def test_without_a_dataset_nothing_is_written(root, tmp_path):
    assert digest_folder(root, tmp_path / "new") == by_hand(root)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"no database", b""])
def test_a_damaged_cache_costs_time_only(root, dataset, content):
    (dataset / CACHE).write_bytes(content)
    assert digest_folder(root, dataset) == by_hand(root)


def test_a_cache_that_others_write_costs_time_only(root, dataset, monkeypatch):
    monkeypatch.setattr(folder_digest, "TIMEOUT", 0.01)
    digest_folder(root, dataset)
    (root / "new.png").write_bytes(b"new")
    other = sqlite3.connect(dataset / CACHE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    assert digest_folder(root, dataset) == by_hand(root)
    other.close()


@pytest.mark.skipif(not hasattr(os, "fsencode") or os.name != "posix", reason="names are bytes on POSIX systems only")
def test_names_that_are_not_unicode_are_files_too(root, dataset):
    (root / os.fsdecode(b"\xff.png")).write_bytes(b"raw")
    assert digest_folder(root, dataset) == digest_folder(root, dataset) == by_hand(root)


def test_links_to_files_are_files_and_links_to_folders_and_nowhere_are_not(root, dataset, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.png").write_bytes(b"e")
    (root / "folder").symlink_to(tmp_path / "elsewhere")
    (root / "file.png").symlink_to(tmp_path / "elsewhere" / "e.png")
    (root / "gone.png").symlink_to(tmp_path / "nowhere")
    assert sorted(path for path, *_ in list_entries(root)) == ["a.png", "b/c.png", "file.png", "ü.png"]


def test_entries_have_the_time_of_the_last_change(root):
    now = time.time_ns()
    assert all(abs(changed - now) < 10**11 and size for _, size, _, changed, _ in list_entries(root))
