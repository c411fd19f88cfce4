"""The machine that measurements come from."""

import os
import platform
from pathlib import Path


def machine() -> str:
    """The processor, the number of cores and the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores, {name}, {platform.system()}"
