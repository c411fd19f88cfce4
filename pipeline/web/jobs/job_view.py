"""How a job stands, for the REST interface and the pages: what its file says, and what its run has recorded."""

import json
from collections.abc import Sequence
from typing import Any

from starlette.exceptions import HTTPException

from pipeline.report.training_files import newest_sheet, sheet_epoch
from pipeline.store.artifacts import SHORT
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.event_stream import Reading
from pipeline.web.jobs.job import ENDED, Job
from pipeline.web.jobs.job_following import Followed, job_record
from pipeline.web.jobs.job_queue import JobQueue
from pipeline.web.jobs.job_training import Figures, figures, sheets_folder, training_of_key
from pipeline.web.jobs.lanes import queue_order
from pipeline.web.jobs.run_status import RunStatus, log_lines, while_at_work
from pipeline.web.rendering import dataset_url

PUBLIC = ("id", "dataset", "until", "settings", "definition", "name", "warnings", "state", "outcome", "created")
TIMES = ("started", "ended", "attempts")


def shown_jobs(queue: JobQueue, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """How each of `jobs` stands, as JSON."""
    waits, order = queue.turns().waits, [job.id for job in queue_order(queue.store.all())]
    return [_shown(queue, job, waits, order) for job in jobs]


def shown_job(queue: JobQueue, job: Job) -> dict[str, Any]:
    """How `job` stands, as JSON."""
    return shown_jobs(queue, [job])[0]


def job_reading(queue: JobQueue, id: str) -> Reading | None:
    """How the job `id` stands, for a stream of events, which ends with the job; None if there is none."""
    if (job := queue.store.find(id)) is None:
        return None
    shown = shown_job(queue, job)
    return Reading(json.dumps(shown), last=is_over(shown))


def is_over(shown: dict[str, Any]) -> bool:
    """Whether a job has ended, so that nothing more will happen."""
    return shown["state"] in ENDED


def _shown(queue: JobQueue, job: Job, waits: dict[str, str], order: list[str]) -> dict[str, Any]:
    paths = queue.site.paths(job.dataset)
    run = followed(queue, job)
    status = run.status
    key = run.record.keys.get("gan", "") if run.record else ""
    waits_for = waits.get(job.id, "") if job.state == "queued" else ""
    return {
        **{name: getattr(job, name) for name in (*PUBLIC, *TIMES)},
        "stopping": job.state == "running" and job.stop_asked > 0,
        "position": order.index(job.id) + 1 if job.id in order else None,
        "waits_for": waits_for,
        "stage": status.stage,
        "percent": status.percent if job.state == "running" else None,
        "note": status.note if job.state == "running" else "",
        "lines": list(status.lines),
        "run": run.record.name if run.record else None,
        **_training(paths, key),
        "links": links(job),
    }


def followed(queue: JobQueue, job: Job) -> Followed:
    """How the run of `job` stands by its record, or by what it printed before it had one."""
    if job.process is None and not job.run:
        return Followed(status=RunStatus(state=job.state, lines=()))
    record = job_record(job, queue.run_of(job.dataset).runs)
    if record is None:
        return Followed(status=RunStatus(state=job.state, lines=log_lines(queue.store.log(job.id))))
    return Followed(status=while_at_work(record), record=record)


def _training(paths: DatasetPaths, key: str) -> dict[str, Any]:
    """What the training of the content key `key` has made."""
    training = training_of_key(paths, key) if key else None
    if training is None:
        found, epochs, sheet = Figures(), None, None
    else:
        folder = sheets_folder(paths, training)
        found, epochs, newest = figures(folder), training.epochs, newest_sheet(folder)
        sheet = sheet_epoch(newest) if newest else None
    return {
        "training": training.name if training else None,
        "training_id": key[:SHORT] if training else None,
        "epoch": found.epoch,
        "epochs": epochs,
        "losses": found.losses,
        "scores": found.scores,
        "best_epoch": found.best,
        "alarms": list(found.alarms),
        "sheet": sheet,
    }


def job_key(queue: JobQueue, job: Job, stage: str) -> str:
    """The content key that the run of `job` made or used for `stage`; status 404 if it did not get there."""
    record = job_record(job, queue.site.paths(job.dataset).runs) if job.process or job.run else None
    if key := record.keys.get(stage, "") if record else "":
        return key
    raise HTTPException(404, f"the run of this job has not come to the stage {stage}")


def links(job: Job) -> dict[str, str]:
    """The addresses of what belongs to `job`."""
    own = f"/api/v1/jobs/{job.id}"
    parts = ("events", "sheets/latest", "grid.png", "images.zip", "model.zip", "log")
    names = {part: part.partition("/")[0].partition(".")[0] for part in parts}
    return {"self": own, "dataset": dataset_url(job.dataset)} | {names[part]: f"{own}/{part}" for part in parts}
