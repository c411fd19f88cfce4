"""The jobs on disk: a folder for each, with job.json and the log of its run. Several servers may share them."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock
from pydantic import ValidationError

from pipeline.store.atomic import write_whole
from pipeline.web.jobs.job import ID, Job

FOLDER = ".jobs"
FILE, LOG = "job.json", "log.txt"
LOCK_SECONDS = 10.0  # for which a change waits for another process that changes a job
MAX_FILE_BYTES = 1 << 21
MAX_KEPT = 1000  # jobs; the oldest ones that are over are deleted beyond


class JobStore:
    """The jobs of one working folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, tuple[tuple[int, int, int], Job | None]] = {}  # by id: the file's stamp, and what it says

    def log(self, id: str) -> Path:
        """The file with what the run of a job printed."""
        return self.folder / id / LOG

    def find(self, id: str) -> Job | None:
        """The job `id`; None if there is none, or its file cannot be read."""
        if not ID.fullmatch(id):
            return None
        path = self.folder / id / FILE
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            known = self._read.get(id)
            if known is None or known[0] != stamp:
                self._read[id] = known = (stamp, _parsed(path, id))
            return known[1]
        except OSError:
            self._read.pop(id, None)
            return None

    def all(self) -> list[Job]:
        """All jobs, in the order in which they were submitted."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.folder) if ID.fullmatch(entry.name))
        except OSError:
            return []
        return [job for name in names if (job := self.find(name))]

    def locked(self) -> Any:
        """Hold this while jobs are changed: other threads and servers wait. Errors: `Timeout`, `OSError`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock", timeout=LOCK_SECONDS)

    def add(self, job: Job) -> None:
        """Write a new job; call it while `locked`."""
        jobs = [each for each in self.all() if each.is_over]
        for old in jobs[: max(0, len(jobs) - MAX_KEPT + 1)]:
            self.delete(old.id)
        (self.folder / job.id).mkdir()
        try:
            self.write(job)
        except BaseException:
            self.delete(job.id)
            raise

    def write(self, job: Job) -> None:
        """Replace the file of a job; call it while `locked`."""
        data = json.dumps(job.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n"
        write_whole(self.folder / job.id / FILE, data.encode("utf-8", "replace"))

    def change(self, id: str, change: Callable[[Job], Job]) -> Job | None:
        """Replace the job `id` by what `change` makes of it, and return that; None if there is no such job."""
        with self.locked():
            job = self.find(id)
            if job is None:
                return None
            changed = change(job)
            if changed != job:
                self.write(changed)
            return changed

    def delete(self, id: str) -> None:
        """Remove a job; call it while `locked`."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder / id)
        self._read.pop(id, None)


def _parsed(path: Path, id: str) -> Job | None:
    if path.stat().st_size > MAX_FILE_BYTES:
        return None
    try:
        job = Job.model_validate_json(path.read_bytes())
    except ValidationError:
        return None
    return job if job.id == id else None
