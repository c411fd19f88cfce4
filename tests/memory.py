"""How much memory this process has taken at most; for processes that tests start to measure them."""

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """In MiB. Not getrusage's figure where it can be helped: on Linux that begins with what the parent took."""
    if STATUS.exists():
        return int(STATUS.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
