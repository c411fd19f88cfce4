"""One process works at nights at a time: two would wait for each other's turns."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import UserError
from pipeline.store.jsonl import timestamp
from tasks.nightly import night_files

_held: dict[Path, FileLock] = {}  # by the folder of the nights


def claim() -> None:
    """Let this process alone work at nights until it ends. Errors: `UserError` while another does."""
    root = night_files.ROOT.absolute()
    if root in _held:
        return
    root.mkdir(parents=True, exist_ok=True)
    lock, owner = FileLock(root / ".nightly.lock"), root / "owner.txt"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = owner.read_text().strip() if owner.exists() else "its process is not known"
        raise UserError(f"another night is at work ({who}); wait for it, or stop it with SIGINT") from None
    _held[root] = lock
    with suppress(OSError):  # a full disk; it only tells others who works
        owner.write_text(f"process {os.getpid()}, since {timestamp()[:16].replace('T', ' ')} UTC\n")


@contextmanager
def alone() -> Iterator[None]:
    """Let this process alone work at nights until the block ends. Errors: `UserError` while another does."""
    claim()
    try:
        yield
    finally:
        _held.pop(night_files.ROOT.absolute()).release()
