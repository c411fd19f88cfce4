"""Peak memory of a process."""

import resource
import sys


def resident_peak() -> int:
    """The peak resident memory of this process in bytes; Linux reports kibibytes, macOS bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
