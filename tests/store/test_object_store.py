"""Files in a store that machines share: whole or not there, created once, and every fault is one line."""

import errno
import os
import threading

import pytest

from pipeline.errors import UserError
from pipeline.store.object_store import StoreFault, _open_store, open_store
from tests.store.stores import misbehaving


def test_what_is_written_is_read(store):
    store.write("a/b.txt", b"one")
    store.write("a/b.txt", b"three")
    assert store.read("a/b.txt") == b"three"
    assert store.size("a/b.txt") == 5
    assert store.read("a/c.txt") is store.size("a/c.txt") is None


def test_a_file_is_created_once(store):
    assert store.create("a/b.txt", b"one")
    assert not store.create("a/b.txt", b"two")
    assert store.read("a/b.txt") == b"one"


def test_of_many_that_create_a_file_at_once_one_succeeds(store):
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(store.create("x", b"%d" % n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 7 + [True]


def test_files_go_there_and_back(store, tmp_path):
    (tmp_path / "source").write_bytes(b"x" * 100_000)
    store.upload(tmp_path / "source", "deep/down/file")
    assert store.download("deep/down/file", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"x" * 100_000
    assert not store.download("deep/down/other", tmp_path / "none")


def test_names_are_those_directly_in_a_folder(store):
    for name in ("a/1/x", "a/1/y", "a/2", "b/3"):
        store.write(name, b"")
    assert store.names("a") == ["1", "2"]
    assert store.names("nowhere") == []


def test_what_is_deleted_is_gone(store):
    for name in ("a/1/x", "a/1/y", "a/2"):
        store.write(name, b"")
    store.delete("a/1")
    store.delete("a/2")
    store.delete("a/3")
    assert store.names("a") == []


def test_nothing_else_is_in_a_folder_that_is_a_store(tmp_path):
    store = open_store(str(tmp_path / "store"))
    store.write("a", b"1")
    store.create("b", b"2")
    (tmp_path / "c").write_bytes(b"3")
    store.upload(tmp_path / "c", "c")
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize("half", [False, True])
def test_a_put_that_fails_is_tried_again(bucket, half):
    store = misbehaving(open_store(bucket), failing=2, half=half)
    store.write("a", b"whole")
    assert store.read("a") == b"whole"


def test_a_creation_that_seemed_to_fail_counts_if_it_succeeded(bucket):
    real = open_store(bucket)
    store = misbehaving(real)
    answers = iter([OSError("timed out")])
    write = store.system.system.pipe_file

    def write_and_lose_the_answer(path, data, **options):
        write(path, data, **options)
        if error := next(answers, None):
            raise error

    store.system.pipe_file = write_and_lose_the_answer
    assert store.create("a", b"mine")
    assert not store.create("a", b"other")


def test_a_file_that_is_deleted_while_another_would_be_created_is_no_fault(bucket):
    store = open_store(bucket)
    write = store.system.pipe_file

    def write_and_delete(path, data, **options):
        try:
            write(path, data, **options)
        finally:
            store.delete("a")

    store.write("a", b"theirs")
    store = misbehaving(store)
    store.system.pipe_file = write_and_delete
    assert not store.create("a", b"mine")


def test_a_store_that_fails_on_is_one_line(bucket):
    store = misbehaving(open_store(bucket), failing=99)
    with pytest.raises(StoreFault, match=f"^storage {bucket}: connection reset by peer; .*run again") as caught:
        store.write("a", b"x")
    assert "\n" not in str(caught.value)


def test_a_missing_bucket_is_one_line(s3):
    with pytest.raises(StoreFault, match=r"^storage s3://nowhere-at-all: .*check the address"):
        open_store("s3://nowhere-at-all").write("a", b"x")


@pytest.mark.parametrize(
    ("address", "says"),
    [("nothing://x/y", "storage = nothing://x/y: .*s3://"), ("s3://", "storage")],
)
def test_a_wrong_address_is_one_line(s3, address, says):
    with pytest.raises(UserError, match=says):
        open_store(address).write("a", b"")


def test_a_missing_package_is_named(monkeypatch):
    def missing(address: str, **options: bool) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(UserError, match=r"storage = s3://bucket/x: s3fs is missing; `make storage`"):
        _open_store.__wrapped__("s3://bucket/x", 1)


@pytest.mark.parametrize("address", ["http://me:secret@127.0.0.1:9/folder", "ftp://me:secret@127.0.0.1:9/folder"])
def test_no_password_of_an_address_is_shown(address):
    with pytest.raises(StoreFault, match="storage") as caught:
        open_store(address).read("x")
    assert "127.0.0.1" in str(caught.value) or "refused" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "me:" not in str(caught.value)


def test_a_name_is_no_pattern(store, tmp_path):
    for each in ("cats/a", "cats/b/y", "cats/c/d"):
        store.write(each, b"other")
    (tmp_path / "source").write_bytes(b"this")
    for name in ("cats/*/y", "cats/**", "cats/[a-z]", "cats/?"):
        assert store.read(name) is store.size(name) is None
        assert store.names(name) == store.files(name) == []
        store.delete(name)
        store.upload(tmp_path / "source", name)
        assert store.download(name, tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == b"this"
        store.delete(name)
    assert {file.name for file in store.files("cats")} == {"a", "b/y", "c/d"}
    assert store.read("cats/a") == b"other"


def test_an_address_is_no_pattern(store):
    for prefix in ("a*b", "a[x]b", "a?b"):
        odd, other = (open_store(f"{store.address}/{name}") for name in (prefix, "axb"))
        other.write("x/y", b"other")
        odd.write("x/y", b"this")
        assert odd.names("x") == ["y"]
        odd.delete("x")
        assert odd.files("x") == []
        assert other.read("x/y") == b"other"


def test_a_folder_or_what_is_below_a_file_is_no_file(store, tmp_path):
    store.write("a/b", b"1")
    for name in ("a", "a/b/c"):
        assert store.read(name) is store.read(name, most=9) is store.size(name) is store.file(name) is None
        assert not store.download(name, tmp_path / "target")
        store.delete_file(f"{name}/d")
    assert store.read("a/b") == b"1"


def test_of_a_long_file_only_the_beginning_is_read(store):
    store.write("a", b"0123456789")
    store.write("b", b"")
    assert store.read("a", most=4) == b"0123"
    assert store.read("a", most=99) == b"0123456789"
    assert store.read("b", most=4) == b""


def test_a_file_knows_when_it_was_written_and_can_be_renewed(store):
    store.write("a", b"1")
    assert store.file("a").size == 1
    if store._is_local:
        os.utime(store._path("a"), (0, 0))
    before = store.file("a").modified
    assert store.renew("a")
    assert store.read("a") == b"1"
    assert store.file("a").modified > before if store._is_local else store.file("a").modified >= before
    assert not store.renew("b")


def test_a_folder_without_hard_links_is_a_store_too(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    store = open_store(str(tmp_path / "store"))
    assert store.create("a", b"one")
    assert not store.create("a", b"two")
    assert store.read("a") == b"one"
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["a"]


def test_a_link_whose_answer_was_lost_counts(tmp_path, monkeypatch):
    link = os.link

    def link_twice(source, target):
        link(source, target)
        link(source, target)

    store = open_store(str(tmp_path / "store"))
    monkeypatch.setattr(os, "link", link_twice)
    assert store.create("a", b"one")
    monkeypatch.setattr(os, "link", link)
    assert not store.create("a", b"one")


def test_a_folder_that_a_link_names_stays(tmp_path):
    store = open_store(str(tmp_path / "store"))
    store.write("kept/x", b"1")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "store" / "kept")
    store.delete("link")
    assert store.names("") == ["kept"]
    assert store.read("kept/x") == b"1"
