"""What machine the figures are from."""

import os
import platform

from pipeline.machine import processor_name


def machine() -> str:
    """The processor and how many cores there are."""
    return f"{os.cpu_count()} cores, {processor_name()}, {platform.system()}"
