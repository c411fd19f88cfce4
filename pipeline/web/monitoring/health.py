"""Whether the server can do its work: reach its folders, and write labels."""

import os
import shutil
from pathlib import Path

from pipeline.errors import of_system
from pipeline.web.dataset_paths import Site

LEAST_FREE = 1 << 20  # bytes of the disk, below which no label can be relied on to be saved


def find_fault(site: Site) -> str:
    """Why the server cannot work, in one line; empty if it can."""
    for folder, must_exist in ((site.data, True), (site.models, False), (site.data.with_name("generated"), False)):
        if (must_exist or os.path.lexists(folder)) and (fault := _fault_of(folder)):
            return fault
    try:
        free = shutil.disk_usage(site.data).free
    except OSError as error:
        return str(of_system(error, site.data.name))
    return "" if free >= LEAST_FREE else f"{site.data.name}: the disk is full"


def _fault_of(folder: Path) -> str:
    """What is wrong with a folder; its path is not told, as anybody may ask."""
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except OSError as error:
        return f"{folder.name}: {error.strerror}"
    return "" if os.access(folder, os.W_OK) else f"{folder.name}: this server may not write there"
