"""Locks between the processes of runs: one makes an artifact at a time, and one trains at a time."""

import os
import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock, Timeout

from pipeline.errors import Stopped
from pipeline.machine import has_gpu_driver
from pipeline.store.remote_lock import RemoteLock
from tasks import signals

Lock = BaseFileLock | RemoteLock


def of_stage(artifact: BaseFileLock, shared: RemoteLock | None, *, trains: bool) -> list[tuple[Lock, str]]:
    """The locks that a stage needs, each with the reason to wait if it is taken: that of its `artifact`, the one that
    machines share, and that of the processor if it `trains`.
    """
    locks: list[tuple[Lock, str]] = [(artifact, "another run makes the same")]
    if shared:
        locks.append((shared, "another machine makes the same"))
    if trains:  # Luigi's own scheduler counts the resource `gpu` within one process only
        device = re.sub(r"\W+", "-", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        name = "-".join(["ganmill-gpu", *filter(None, [device])])
        locks.append((FileLock(Path(tempfile.gettempdir()) / f"{name}.lock", mode=0o666), training_elsewhere()))
    return locks


def training_elsewhere() -> str:
    """Why a stage waits that trains: one training at a time is faster than two side by side."""
    return "another training uses the GPU" if has_gpu_driver() else "another training on this machine"


def acquire(lock: Lock, notify: Callable[[], None]) -> AbstractContextManager[Any]:
    """Take `lock`; call `notify` once if it is not free. Errors: `Stopped` if the run is asked to stop meanwhile."""
    has_notified = False
    while True:
        try:
            return lock.acquire(timeout=0.5)
        except Timeout:
            if signals.should_stop():
                raise Stopped from None
            if not has_notified:
                notify()
            has_notified = True
