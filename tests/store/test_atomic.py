import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.store.atomic import open_whole, write_whole

REPOSITORY = Path(__file__).parents[2]
UNIQUE = pytest.mark.parametrize("unique", [False, True])


def fail(*_):
    raise OSError(28, "No space left on device")


@UNIQUE
def test_write_replaces_the_whole_content(tmp_path, unique):
    path = tmp_path / "a.json"
    write_whole(path, b"long before", unique=unique)
    write_whole(path, memoryview(b"new"), unique=unique)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@UNIQUE
def test_failed_write_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch, unique, step):
    path = tmp_path / "a.png"
    write_whole(path, b"first", unique=unique)
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"second", unique=unique)
    monkeypatch.undo()
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]
    write_whole(path, b"third", unique=unique)
    assert path.read_bytes() == b"third"


@UNIQUE
def test_error_in_the_block_is_raised_and_leaves_nothing(tmp_path, unique):
    def interrupted():
        with open_whole(tmp_path / "a", unique=unique) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_old_content_is_read_until_the_block_has_ended(tmp_path):
    path = tmp_path / "a"
    write_whole(path, b"old")
    with open_whole(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


def test_disk_is_synchronised_before_the_rename_only_if_asked(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (steps.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (steps.append("replace"), replace(*paths)))
    write_whole(tmp_path / "a", b"data")
    assert steps == ["fsync", "replace"]
    steps.clear()
    write_whole(tmp_path / "a", b"data", sync=False)
    assert steps == ["replace"]


def test_leftover_of_a_killed_process_is_written_over(tmp_path):
    path = tmp_path / "a"
    code = (
        "import os, signal, sys; from pathlib import Path; from pipeline.store.atomic import open_whole\n"
        "with open_whole(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    write_whole(path, b"old")
    killed = subprocess.run([sys.executable, "-c", code, str(path)], cwd=REPOSITORY, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_write_one_file_leave_one_of_their_contents_whole(tmp_path):
    path, contents = tmp_path / "a", [bytes([number]) * 100_000 for number in range(8)]

    def write(content):
        for _ in range(20):
            write_whole(path, content, sync=False, unique=True)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            assert path.read_bytes() in contents
    assert path.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [path]
