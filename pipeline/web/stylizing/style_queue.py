"""The queue of style transfers: a job for each, whose pictures are in a folder of its own.

data/.styles/
    <job>/job.json, log.txt     as in data/.jobs
    works/<work>/content/       the pictures that are drawn, unless they are samples of a dataset
    works/<work>/style-1/       the picture in whose style, or one of them
    works/<work>/out/           what `python -m tasks stylize` writes there

They run one at a time, beside the jobs of datasets; like those they survive a restart of the server.
"""

import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path

from pipeline.web.dataset_paths import Site
from pipeline.web.jobs.background_run import BackgroundRun
from pipeline.web.jobs.job import Job
from pipeline.web.jobs.job_queue import JobQueue, Submission

FOLDER, WORKS = ".styles", "works"
CONTENT, OUT = "content", "out"
SAMPLES_OF = "dataset"  # a setting of the job: the dataset whose samples are drawn
SENDING_SECONDS = 3600.0  # in which a work may have no transfer yet
WORK = re.compile(r"[0-9]{17}[0-9a-f]{8}")
STYLE = "style-"  # and a number: the folder of the picture of a style


class StyleQueue(JobQueue):
    """The style transfers of a server. The dataset of a job is the name of its work."""

    noun = "style transfer"

    def __init__(self, site: Site) -> None:
        super().__init__(site, folder=site.data / FOLDER, subjects=self.works)

    def works(self) -> list[str]:
        """The names of the works on the disk."""
        try:
            return sorted(entry.name for entry in os.scandir(self._works) if WORK.fullmatch(entry.name))
        except OSError:
            return []

    def work(self, name: str) -> Path:
        """The folder of a work."""
        return self._works / name

    def run_of(self, dataset: str) -> BackgroundRun:
        """The process of a work."""
        folder = self.work(dataset) / OUT
        return BackgroundRun(command=self.site.command, dataset=dataset, folder=folder, words=("stylize",))

    def start(self) -> None:
        """Run the transfers, and delete pictures that no transfer has."""
        self._sweep()
        super().start()

    def submit(self, submission: Submission, *, key: str = "", body: bytes = b"") -> Job:
        """Queue a transfer. The oldest ones beyond a thousand are deleted, with their pictures."""
        job = super().submit(submission, key=key, body=body)
        self._sweep()
        return job

    def delete(self, id: str) -> None:
        """Delete a transfer and its pictures. Errors: `UserError` if it is running."""
        work = self.find(id).dataset
        super().delete(id)
        if WORK.fullmatch(work):
            with suppress(FileNotFoundError):
                shutil.rmtree(self.work(work))

    @property
    def _works(self) -> Path:
        return self.store.folder / WORKS

    def _flags(self, job: Job) -> list[str]:
        """What follows `stylize`: content, styles, folder and options."""
        folder, samples = self.work(job.dataset).resolve(), job.settings.get(SAMPLES_OF, "")
        content = f"dataset:{samples}" if samples else str(folder / CONTENT)
        given = {name: text for name, text in job.settings.items() if name != SAMPLES_OF}
        options = [f"--{name.replace('_', '-')}={text}" for name, text in given.items()]
        return [content, *map(str, style_files(folder)), "--out", str(folder / OUT), *options]

    def _sweep(self) -> None:
        """Delete works without a transfer: of one that is not kept any more, or of a server that was killed. A new one
        may be of a submission that is still sent."""
        kept = {job.dataset for job in self.store.all()}
        for name in self.works():
            with suppress(OSError):
                if name not in kept and time.time() - self.work(name).stat().st_mtime > SENDING_SECONDS:
                    shutil.rmtree(self.work(name))


def style_files(work: Path) -> list[Path]:
    """The pictures of the styles of a work, in their order."""
    return [path for folder in sorted(work.glob(f"{STYLE}[1-9]")) for path in _files(folder)]


def content_files(work: Path) -> list[Path]:
    """The pictures that a work draws; none if they are samples of a dataset."""
    return _files(work / CONTENT)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return []
