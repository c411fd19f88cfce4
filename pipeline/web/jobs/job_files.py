"""The files that belong to a job: the sheets of its training, its samples, its networks, and what its run printed."""

import os
from dataclasses import replace
from pathlib import Path

from starlette.exceptions import HTTPException

from pipeline.gan.model_repository import repository_files
from pipeline.report.training_files import newest_sheet
from pipeline.store.artifacts import Artifact
from pipeline.store.manifest import NAME as MANIFEST
from pipeline.text import to_plain_line
from pipeline.web.drawing.sample_drawer import BATCH, Latent, SampleDrawer
from pipeline.web.jobs.job import Job
from pipeline.web.jobs.job_queue import JobQueue
from pipeline.web.jobs.job_training import sheets_folder, training_of_key
from pipeline.web.jobs.job_view import job_key
from pipeline.web.zip_stream import Entry

LATEST = "latest"
MAX_DRAWN = 2000  # samples for one request; what is drawn is kept on the disk for a while
LOG_BYTES = 1 << 20  # of the end of the log
LONGEST_LOG_LINE = 4000  # characters


def sheet(queue: JobQueue, job: Job, epoch: str) -> Path:
    """The sample sheet of an epoch, or of the `LATEST`; status 404 if there is none."""
    paths = queue.site.paths(job.dataset)
    training = training_of_key(paths, job_key(queue, job, "gan"))
    folder = sheets_folder(paths, training) if training else None
    found = None
    if folder:
        found = newest_sheet(folder) if epoch == LATEST else folder / f"epoch-{int(epoch):04d}.png"
    if found is None or not found.is_file():
        raise HTTPException(404, "there is no sample sheet of this epoch")
    return found


def samples_artifact(queue: JobQueue, job: Job) -> Artifact:
    """The samples that the run of `job` made; status 404 if it did not, or they are deleted."""
    key = job_key(queue, job, "generate")
    found = queue.site.paths(job.dataset).generate.find(key, unfinished=True)
    if found is None:
        raise HTTPException(404, "the samples of this job are not there yet, or not any more")
    return found


def grid(queue: JobQueue, job: Job) -> Path:
    """The contact sheet of the samples; status 404 if there is none."""
    path = samples_artifact(queue, job).folder / "grid.png"
    if not path.is_file():
        raise HTTPException(404, "these samples have no contact sheet")
    return path


def samples(queue: JobQueue, drawer: SampleDrawer, job: Job, *, count: int | None, seed: int | None) -> list[Entry]:
    """The first `count` samples of a seed: those that the job made, or drawn now from its generator.

    Both are the same, picture for picture. Status 404 if there is no generator, 409 if too many are to be drawn.
    """
    paths = queue.site.paths(job.dataset)
    made = _made_samples(queue, job)
    files = sorted((made.folder / "images").glob("*.png")) if made else []
    own_seed = made.manifest.options["seed"] if made else None
    if files and seed in (None, own_seed) and (count or 0) <= len(files):
        return [Entry(path=path, name=path.name) for path in files[:count]]
    wanted = count or len(files) or BATCH
    if wanted > MAX_DRAWN:
        line = f"at most {MAX_DRAWN} samples are drawn for a request; for more submit a job with the same settings and"
        raise HTTPException(409, f"{line} generate.count and generate.seed as you want them: it does not train again")
    first = Latent(
        seed=seed if seed is not None else own_seed or 0,
        number=0,
        truncation=float(made.manifest.options.get("truncation") or 0.0) if made else 0.0,
        class_name=str(made.manifest.options.get("class_name", "")) if made else "",
    )
    key = job_key(queue, job, "gan")
    numbers = drawer.draw(paths, key, first, wanted)
    drawn = [drawer.find(paths, key, replace(first, number=number)) for number in numbers]
    return [Entry(path=path, name=path.name) for path in drawn if path]


def _made_samples(queue: JobQueue, job: Job) -> Artifact | None:
    try:
        return samples_artifact(queue, job)
    except HTTPException:
        return None


def model(queue: JobQueue, job: Job) -> list[Entry]:
    """The networks, the definition and the model card, as `export model` lays them out, and the manifest of the
    training; status 404 if it has not ended."""
    artifact = queue.site.paths(job.dataset).gan.find(job_key(queue, job, "gan"), unfinished=True)
    if artifact is None:
        raise HTTPException(404, "the training of this job has not ended, or its networks are deleted")
    files = repository_files(artifact.folder, layout="keras")
    entries = [
        Entry(path=file.folder / file.path, name=file.name, member=file.member, data=file.data) for file in files
    ]
    return [*entries, Entry(path=artifact.folder / MANIFEST, name=MANIFEST)]


def log_text(path: Path) -> str:
    """The end of what a run printed, without control characters."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_BYTES))
            text = file.read(LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    return "".join(f"{to_plain_line(line, LONGEST_LOG_LINE)}\n" for line in text.splitlines())
