"""A lock in an object store: of several machines that would make the same artifact, one works and the others wait.

Nothing depends on it but work that is done twice, as an artifact is published once. A store has no clock that all
agree on and does not notice that a process ends: the holder writes a new number every few seconds, and who sees no new
one for a minute, by its own clock, takes the lock over. A process of the same machine that is gone is noticed at once.
"""

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import psutil
from filelock import Timeout

from pipeline.store.object_store import ObjectStore, StoreFault

BEAT = 10.0  # seconds from one number to the next
SILENCE = 60.0  # seconds without a new one after which the holder is taken for gone
POLL = 0.5  # seconds between two tries


class RemoteLock:
    """The lock at `name` of the store; used as a `filelock.FileLock`."""

    def __init__(self, store: ObjectStore, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._name, self._clock = store, name, clock
        self._token = {"holder": uuid.uuid4().hex, "host": platform.node(), "pid": os.getpid(), "born": _born()}
        self._seen, self._since = b"", 0.0  # what another holder wrote, and when it was first seen
        self._released = threading.Event()
        self._thread: threading.Thread | None = None

    def acquire(self, timeout: float) -> "RemoteLock":
        """Take the lock. Raises `filelock.Timeout` if another holder has it for `timeout` seconds."""
        deadline = self._clock() + timeout
        while not self._try():
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
            if self._is_mine(self._store.read(self._name) or b""):
                self._store.delete(self._name)

    def __enter__(self) -> "RemoteLock":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _try(self) -> bool:
        if self._store.create(self._name, self._content(0)):
            return True
        found = self._store.read(self._name)
        if found is None:
            return False
        if found != self._seen:
            self._seen, self._since = found, self._clock()
        if self._clock() - self._since < SILENCE and not _is_gone(found):
            return False
        return self._take_over(found)

    def _take_over(self, found: bytes) -> bool:
        """Take the lock of a holder that wrote `found` last; of several that want it one may."""
        claim = f"{self._name}.after-{uuid.uuid5(uuid.NAMESPACE_OID, found.decode('utf-8', 'replace')).hex}"
        if not self._store.create(claim, self._content(0)):
            return False
        still = self._store.read(self._name) == found  # else another one took it over before this claim
        if still:
            self._store.write(self._name, self._content(0))
        self._store.delete(claim)
        return still

    def _beat(self) -> None:
        number = 0
        while not self._released.wait(BEAT):
            number += 1
            with suppress(StoreFault):  # of a network that is away for a while
                if not self._is_mine(self._store.read(self._name) or b""):
                    return
                self._store.write(self._name, self._content(number))

    def _content(self, number: int) -> bytes:
        return json.dumps({**self._token, "number": number}).encode()

    def _is_mine(self, content: bytes) -> bool:
        return _read(content).get("holder") == self._token["holder"]


def _read(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _born() -> float:
    return psutil.Process().create_time()


def _is_gone(content: bytes) -> bool:
    """Whether the holder was a process of this machine that has ended."""
    holder = _read(content)
    if holder.get("host") != platform.node():
        return False
    try:
        return bool(psutil.Process(holder["pid"]).create_time() != holder["born"])
    except (psutil.NoSuchProcess, KeyError, TypeError, ValueError):
        return True
    except psutil.Error:
        return False
