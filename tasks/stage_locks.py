"""The locks that a stage takes while it works, each with the reason to wait that a person sees.

Luigi's local scheduler counts its resources within one process only, so the locks are files.
"""

import os
import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import BaseFileLock, FileLock, Timeout

from pipeline.errors import Stopped
from pipeline.machine import has_gpu_driver
from tasks import signals

if TYPE_CHECKING:
    from tasks.stage_task import StageTask


def locks_of(task: "StageTask", key: str) -> list[tuple[BaseFileLock, str]]:
    """The locks that `task` needs to make `key`, each with the reason to wait if it is taken."""
    locks: list[tuple[BaseFileLock, str]] = [(task.artifact_store.lock(key), "another run makes the same")]
    if "gpu" in task.resources:
        device = re.sub(r"\W+", "-", os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        name = "-".join(["ganmill-gpu", *filter(None, [device])])
        locks.append((FileLock(Path(tempfile.gettempdir()) / f"{name}.lock", mode=0o666), training_elsewhere()))
    return locks


def training_elsewhere() -> str:
    """Why a stage waits that trains: one training at a time is faster than two side by side."""
    return "another training uses the GPU" if has_gpu_driver() else "another training on this machine"


def acquire(lock: BaseFileLock, notify: Callable[[], None]) -> AbstractContextManager[Any]:
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
