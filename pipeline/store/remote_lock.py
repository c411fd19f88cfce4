"""A lock in an object store: of several machines that would make the same artifact, one works and the others wait.

Nothing depends on it but work that is done twice, as an artifact is published once. A store has no clock that all
agree on and does not notice that a process ends: the holder writes a new number every few seconds, and who sees no new
one for a minute, by its own clock, takes the lock over. A process of the same machine that is gone is noticed at once.

Who takes a lock over claims it first, by a file beside it, so that of several that wait only one does. A process may
end before it has deleted its claim: the rule for locks holds for claims too.
"""

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from filelock import Timeout

from pipeline.store.object_store import ObjectStore, StoreFault

BEAT = 10.0  # seconds from one number to the next
SILENCE = 60.0  # seconds without a new one after which the holder is taken for gone
POLL = 0.5  # seconds between two tries
MAX_BYTES = 1 << 16  # of a lock that are read


class RemoteLock:
    """The lock at `name` of the store; used as a `filelock.FileLock`."""

    def __init__(self, store: ObjectStore, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._name, self._clock = store, name, clock
        self._token = {"holder": uuid.uuid4().hex, **_machine(), "pid": os.getpid(), "born": _born()}
        self._seen: dict[str, tuple[bytes, float]] = {}  # what a holder wrote, and when that was first seen, by file
        self._released = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, timeout: float) -> "RemoteLock":
        """Take the lock. Raises `filelock.Timeout` if another holder has it for `timeout` seconds."""
        deadline = self._clock() + timeout
        while not self._take(self._name):
            if self._clock() >= deadline:
                raise Timeout(self._name)
            time.sleep(min(POLL, timeout))
        self._released.clear()
        self._thread = threading.Thread(target=self._beat, name="remote-lock", daemon=True)
        self._thread.start()
        return self

    def release(self) -> None:
        """Give the lock back, if nobody has taken it over."""
        self._released.set()
        if self._thread:
            self._thread.join()
        with suppress(StoreFault):  # the others notice the silence
            if self._is_mine(self._read(self._name) or b""):
                self._store.delete_file(self._name)

    def __enter__(self) -> "RemoteLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _take(self, name: str) -> bool:
        """Write the file `name`, a lock or a claim, if nobody has it or its holder is gone; whether that succeeded."""
        if self._store.create(name, self._content(0)):
            return True
        found = self._read(name)
        if found is None or self._is_alive(name, found):
            return False
        return self._take_over(name, found)

    def _is_alive(self, name: str, found: bytes) -> bool:
        seen, since = self._seen.get(name, (None, 0.0))
        if found != seen:
            since = self._clock()
            self._seen[name] = (found, since)
        return self._clock() - since < SILENCE and not _is_gone(found)

    def _take_over(self, name: str, found: bytes) -> bool:
        """Take the file of a holder that wrote `found` last; of several that want it one may."""
        claim = f"{self._name}.after-{uuid.uuid5(uuid.NAMESPACE_OID, name + found.decode('utf-8', 'replace')).hex}"
        if not self._take(claim):
            return False
        try:
            still = self._read(name) == found  # else another one took it over before this claim
            if still:
                self._store.write(name, self._content(0))
            return still
        finally:
            with suppress(StoreFault):  # the others notice the silence
                self._store.delete_file(claim)

    def _read(self, name: str) -> bytes | None:
        return self._store.read(name, most=MAX_BYTES)

    def _beat(self) -> None:
        number = 0
        while not self._released.wait(BEAT):
            number += 1
            with suppress(StoreFault):  # of a network that is away for a while
                if not self._is_mine(self._read(self._name) or b""):
                    return
                self._store.write(self._name, self._content(number))

    def _content(self, number: int) -> bytes:
        return json.dumps({**self._token, "number": number}).encode()

    def _is_mine(self, content: bytes) -> bool:
        return _parse(content).get("holder") == self._token["holder"]


def _parse(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=1)
def _machine() -> dict[str, str]:
    """What tells the processes of this machine from others: a container has its own processes, but perhaps the name
    of another one.
    """
    boot, processes = "", ""
    with suppress(OSError):  # only Linux has them
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        processes = os.readlink("/proc/self/ns/pid")
    return {"host": platform.node(), "boot": boot, "processes": processes}


def _born() -> float:
    return psutil.Process().create_time()


def _is_gone(content: bytes) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    holder = _parse(content)
    if any(holder.get(name) != value for name, value in _machine().items()):
        return False
    try:
        return bool(psutil.Process(holder["pid"]).create_time() != holder["born"])
    except (psutil.NoSuchProcess, KeyError, TypeError, ValueError, OverflowError):
        return True
    except psutil.Error:
        return False
