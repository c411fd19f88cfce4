"""Whether a process of a test still runs."""

import psutil


def is_running(pid: int) -> bool:
    """Whether a process runs; one that ended but that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
