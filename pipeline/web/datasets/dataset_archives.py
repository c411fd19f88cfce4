"""The archived datasets, which `datasets archive` moved off the list; reads the names of their folders alone."""

import re
from datetime import datetime, timezone
from pathlib import Path

from pydantic import BaseModel, Field

FOLDER = ".dropped"
NAME = re.compile(r"(.+)-(\d{8}-\d{6})")


class ArchivedDataset(BaseModel):
    """A dataset that was taken off the list; everything that it has is kept."""

    name: str
    archive: str = Field(description="the name of its folder, to restore or delete it by")
    archived: str = Field(description="when, ISO 8601, UTC")


def list_archives(data: Path) -> list[ArchivedDataset]:
    """The archived datasets, the newest first; `data` is the folder of all datasets."""
    try:
        names = [path.name for path in (data / FOLDER).iterdir() if path.name[0] != "." and path.is_dir()]
    except OSError:
        return []
    found = [archived for name in names if (archived := _archived(name))]
    return sorted(found, key=lambda each: each.archived, reverse=True)


def _archived(name: str) -> ArchivedDataset | None:
    if not (found := NAME.fullmatch(name)):
        return None
    try:
        time = datetime.strptime(found[2], "%Y%m%d-%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return ArchivedDataset(name=found[1], archive=name, archived=time.isoformat())
