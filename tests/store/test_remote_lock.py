"""Of several machines that would make the same artifact one works, and a machine that is gone holds up nobody."""

import json
import os
import subprocess
import sys
import threading

import psutil
import pytest
from filelock import Timeout

from pipeline.store import remote_lock as module
from pipeline.store.object_store import StoreFault, open_store
from pipeline.store.remote_lock import RemoteLock


class Clock:
    """A clock that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "POLL", 0.01)
    monkeypatch.setattr(module, "BEAT", 0.02)


@pytest.fixture
def elsewhere(monkeypatch):
    """Locks of this process are taken as of processes of another machine."""
    monkeypatch.setattr(module, "_is_gone", lambda content: False)


@pytest.fixture
def clock():
    return Clock()


def lock(store, clock) -> RemoteLock:
    return RemoteLock(store, "cats/locks/key", clock=clock)


def test_a_lock_is_held_by_one(store, clock, elsewhere):
    first, second = lock(store, clock), lock(store, clock)
    with first.acquire(timeout=0), pytest.raises(Timeout):
        second.acquire(timeout=0)
    second.acquire(timeout=0).release()
    assert store.names("cats/locks") == []


def test_of_many_one_has_the_lock(store, clock, elsewhere):
    inside, most, guard = [0], [0], threading.Lock()

    def work():
        mine = RemoteLock(store, "cats/locks/key")
        with mine.acquire(timeout=20):
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with guard:
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


def test_a_holder_that_writes_no_new_number_is_taken_for_gone(store, clock, elsewhere):
    store.create("cats/locks/key", b'{"holder": "other", "host": "elsewhere", "number": 3}')
    waiting = lock(store, clock)
    with pytest.raises(Timeout):
        waiting.acquire(timeout=0)
    clock.now = module.SILENCE - 1
    with pytest.raises(Timeout):
        waiting.acquire(timeout=0)
    store.write("cats/locks/key", b'{"holder": "other", "host": "elsewhere", "number": 4}')
    clock.now = module.SILENCE + 1
    with pytest.raises(Timeout):  # it is alive
        waiting.acquire(timeout=0)
    clock.now += module.SILENCE
    waiting.acquire(timeout=0).release()
    assert store.names("cats/locks") == []


def test_a_lock_is_taken_over_by_one(store, clock, elsewhere):
    store.create("cats/locks/key", b"dead")
    first, second = lock(store, clock), lock(store, clock)
    for each in (first, second):
        with pytest.raises(Timeout):
            each.acquire(timeout=0)
    clock.now = module.SILENCE + 1
    first.acquire(timeout=0)
    with pytest.raises(Timeout):
        second.acquire(timeout=0)
    first.release()


def test_a_holder_writes_new_numbers(store, clock, elsewhere):
    with lock(store, clock).acquire(timeout=0):
        first = json.loads(store.read("cats/locks/key"))
        for _ in range(500):
            if (now := json.loads(store.read("cats/locks/key"))) != first:
                break
            threading.Event().wait(0.01)
        assert now["number"] > first["number"]
        assert now["holder"] == first["holder"]


def test_who_has_lost_the_lock_leaves_that_of_the_new_holder(store, clock, elsewhere):
    held = lock(store, clock).acquire(timeout=0)
    store.write("cats/locks/key", b'{"holder": "other"}')
    held.release()
    assert store.read("cats/locks/key") == b'{"holder": "other"}'


def test_a_process_of_this_machine_that_was_killed_holds_up_nobody(store, clock):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    token = {"holder": "it", **module._machine(), "pid": child.pid}
    token["born"] = psutil.Process(child.pid).create_time()
    store.create("cats/locks/key", json.dumps(token).encode())
    waiting = lock(store, clock)
    with pytest.raises(Timeout):
        waiting.acquire(timeout=0)
    child.kill()
    child.wait()
    waiting.acquire(timeout=0).release()


def test_another_process_of_the_same_number_is_not_the_holder(store, clock):
    token = {"holder": "it", **module._machine(), "pid": os.getpid(), "born": 1.0}
    store.create("cats/locks/key", json.dumps(token).encode())
    lock(store, clock).acquire(timeout=0).release()


def test_a_process_of_another_container_with_the_same_name_is_not_taken_for_gone(store, clock):
    token = {"holder": "it", **module._machine(), "processes": "pid:[1]", "pid": os.getpid(), "born": 1.0}
    store.create("cats/locks/key", json.dumps(token).encode())
    with pytest.raises(Timeout):
        lock(store, clock).acquire(timeout=0)


class Killed(BaseException):
    """The process ends here."""


def leave_a_claim(store, clock, monkeypatch) -> None:
    """Leave the lock of a holder that is gone, and the claim of a process that was killed while it took it over."""
    store.create("cats/locks/key", b"dead")
    other = lock(store, clock)
    with pytest.raises(Timeout):
        other.acquire(timeout=0)
    clock.now += module.SILENCE + 1

    def kill(*_) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "write", kill)
        patch.setattr(type(store), "delete_file", kill)
        with pytest.raises(Killed):
            other.acquire(timeout=0)
    assert len(store.names("cats/locks")) == 2


def test_a_claim_that_is_left_behind_blocks_nobody(store, clock, elsewhere, monkeypatch):
    leave_a_claim(store, clock, monkeypatch)
    waiting = lock(store, clock)
    for _ in range(2):  # it sees the lock, and then the claim
        with pytest.raises(Timeout):
            waiting.acquire(timeout=0)
        clock.now += module.SILENCE + 1
    waiting.acquire(timeout=0).release()
    assert store.names("cats/locks") == []


def test_a_claim_of_a_process_of_this_machine_that_is_gone_blocks_nobody(store, clock, monkeypatch):
    leave_a_claim(store, clock, monkeypatch)
    gone = {"holder": "it", **module._machine(), "pid": os.getpid(), "born": 1.0}
    for name in store.names("cats/locks"):
        store.write(f"cats/locks/{name}", json.dumps(gone).encode())
    lock(store, clock).acquire(timeout=0).release()


def test_a_store_that_fails_while_a_lock_is_taken_over_leaves_no_claim(store, clock, elsewhere, monkeypatch):
    store.create("cats/locks/key", b"dead")
    waiting = lock(store, clock)
    with pytest.raises(Timeout):
        waiting.acquire(timeout=0)
    clock.now = module.SILENCE + 1

    def fail(*_) -> None:
        raise StoreFault("away")

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "write", fail)
        with pytest.raises(StoreFault):
            waiting.acquire(timeout=0)
    assert store.names("cats/locks") == ["key"]
    waiting.acquire(timeout=0).release()


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b'{"pid": 1e999}', b"\xff" * 100_000, b"3"])
def test_any_file_at_the_place_of_a_lock_is_taken_over(tmp_path, clock, content):
    store = open_store(str(tmp_path))
    store.write("cats/locks/key", content)
    waiting = lock(store, clock)
    with pytest.raises(Timeout):
        waiting.acquire(timeout=0)
    clock.now = module.SILENCE + 1
    waiting.acquire(timeout=0).release()
    assert store.names("cats/locks") == []
