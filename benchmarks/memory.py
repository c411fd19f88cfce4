"""How much of the host's memory a process has had."""

import resource
import sys


def resident_peak() -> int:
    """Bytes that this process had at most; Linux counts in kibibytes, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
