"""The machine that measurements come from."""

import os
import platform

from pipeline.machine import processor_name


def machine() -> str:
    """The processor, the number of cores and the system."""
    return f"{os.cpu_count()} cores, {processor_name()}, {platform.system()}"
