"""The queue of jobs: submit, stop, resume, delete, and how the run of a dataset stands.

Several servers may share one queue, which is on disk. `job_runner` starts the jobs.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.store.digest import of_bytes
from pipeline.store.jsonl import timestamp
from pipeline.web.dataset_paths import Site
from pipeline.web.jobs.background_run import BackgroundRun, interrupt
from pipeline.web.jobs.job import Job, new_id
from pipeline.web.jobs.job_runner import JobRunner
from pipeline.web.jobs.job_store import FOLDER, JobStore
from pipeline.web.jobs.lanes import Turns, queue_order
from pipeline.web.jobs.run_status import RunStatus

MAX_QUEUED = 200  # jobs that wait at the same time
STOP_REPEAT_SECONDS = 60.0  # in which a run that was asked to stop is not asked again: that would end it at once


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What is submitted, after it was checked."""

    dataset: str
    until: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    definition: str = ""
    name: str = ""
    warnings: tuple[str, ...] = ()


class OtherSubmission(UserError):
    """An idempotency key was used for another submission before."""


class JobQueue:
    """The jobs of all datasets of a server, or of other `subjects`, in `folder`."""

    noun = "job"  # what a person calls one

    def __init__(
        self, site: Site, *, folder: Path | None = None, subjects: Callable[[], list[str]] | None = None
    ) -> None:
        self.site = site
        self.store = JobStore(folder or site.data / FOLDER)
        subjects = subjects or site.datasets
        self.runner = JobRunner(self.store, datasets=subjects, run_of=self.run_of, flags_of=self._flags)

    def start(self) -> None:
        """Run the jobs, if no other server of this folder does."""
        self.runner.start()

    def submit(self, submission: Submission, *, key: str = "", body: bytes = b"") -> Job:
        """Queue a run; the same job again for the same idempotency `key`.

        Args:
            submission: What to run.
            key: Chosen by the client; empty for none.
            body: What the client sent, to compare with what it sent under this key before.

        Errors: `OtherSubmission` for another body under the same key; `UserError` if too many jobs wait; `OSError`.
        """
        idempotency, digest = (of_bytes(key.encode()), of_bytes(body)) if key else ("", "")
        with self.store.locked():
            jobs = self.store.all()
            if known := next((job for job in jobs if key and job.idempotency == idempotency), None):
                if known.body != digest:
                    raise OtherSubmission("this Idempotency-Key was used for another submission; choose a new one")
                return known
            if len(queue_order(jobs)) >= MAX_QUEUED:
                raise UserError(f"{MAX_QUEUED} {self.noun}s wait already; delete some of them, or wait")
            now = timestamp("milliseconds")
            values = {name: getattr(submission, name) for name in Submission.__dataclass_fields__}
            job = Job(id=new_id(), created=now, queued=now, idempotency=idempotency, body=digest, **values)
            self.store.add(job)
        self.runner.wake.set()
        return job

    def find(self, id: str) -> Job:
        """The job `id`; status 404 if there is none."""
        if job := self.store.find(id):
            return job
        raise HTTPException(404, f"there is no such {self.noun}")

    def all(self, dataset: str = "") -> list[Job]:
        """The jobs of `dataset`, or all, the newest first."""
        return [job for job in reversed(self.store.all()) if dataset in ("", job.dataset)]

    def stop(self, id: str) -> Job:
        """Stop a job: a queued one never starts, a running one ends as with ctrl-C, and keeps what it did.

        Errors: `UserError` if it is over, or its process cannot be asked.
        """
        with self.store.locked():
            job = self.find(id)
            if job.is_over:
                raise UserError(f"this {self.noun} is over: {job.state}")
            if job.state == "queued":
                outcome = "it was stopped before it began" if not job.started else "it was stopped while it was queued"
                job = job.changed(state="stopped", outcome=outcome, ended=timestamp("milliseconds"))
                self.store.write(job)
            elif job.process and time.time() - job.stop_asked >= STOP_REPEAT_SECONDS:
                interrupt(job.process.pid, job.process.born)
                job = job.changed(stop_asked=time.time())
                with suppress(OSError):  # a full disk must not keep the run from being stopped
                    self.store.write(job)
        self.runner.wake.set()
        return job

    def resume(self, id: str) -> Job:
        """Queue a job again that was stopped, failed, or asked for something. Errors: `UserError` for any other."""
        with self.store.locked():
            job = self.find(id)
            if job.state in ("queued", "running", "done"):
                raise UserError(
                    f"this {self.noun} is {job.state}; one that was stopped, failed or asks for something resumes"
                )
            job = job.queued_again().changed(queued=timestamp("milliseconds"), attempts=0, stop_asked=0.0)
            self.store.write(job)
        self.runner.wake.set()
        return job

    def delete(self, id: str) -> None:
        """Forget a job; what its run made stays. Errors: `UserError` if it is running."""
        with self.store.locked():
            if self.find(id).state == "running":
                raise UserError(f"this {self.noun} is running; stop it first")
            self.store.delete(id)

    def turns(self) -> Turns:
        """Which jobs may start, and what the others wait for; a job that could not be started waits for its fault."""
        turns = self.runner.turns()
        faults = {id: f"cannot start: {fault.line}" for id, fault in list(self.runner.faults.items())}
        return replace(turns, waits=turns.waits | faults)

    def run_of(self, dataset: str) -> BackgroundRun:
        """The processes of the runs of `dataset`."""
        return BackgroundRun(command=self.site.command, dataset=dataset, folder=self.site.paths(dataset).folder)

    def unfinished(self, dataset: str) -> Job | None:
        """The job of `dataset` that runs, or else the next one that is queued; None if there is neither."""
        jobs = [job for job in self.store.all() if job.dataset == dataset and not job.is_over]
        return next((job for job in jobs if job.state == "running"), next(iter(queue_order(jobs)), None))

    def run_status(self, dataset: str) -> RunStatus:
        """How the run of `dataset` stands that works now, or else the next that is queued, or else the last one."""
        shown, job = self.run_of(dataset).progress(), self.unfinished(dataset)
        if job is None or shown.state == "running":
            return shown
        if job.state == "running":  # it has just been started, or its process is gone and it will be queued again
            return RunStatus(state="running", until=job.until, began=job.started)
        reason = self.turns().waits.get(job.id, "")
        waits = f"waits for {reason}" if reason and not reason.startswith("cannot") else reason
        return RunStatus(state="queued", until=job.until, began=job.queued, note=waits)

    def stop_run(self, dataset: str) -> RunStatus:
        """Stop the run of `dataset`, whoever started it, or take the next one out of the queue.

        Errors: `UserError` if there is none.
        """
        job = self.unfinished(dataset)
        if job:
            self.stop(job.id)
        else:
            self.run_of(dataset).stop()
        return self.run_status(dataset)

    def _flags(self, job: Job) -> list[str]:
        """The flags of the run of `job`."""
        given = job.settings | ({"gan.definition": job.definition} if job.definition else {})
        flags = [f"--{name.replace('.', '-').replace('_', '-')}={text}" for name, text in given.items()]
        return [*flags, *(["--scheduler", self.site.scheduler] if self.site.scheduler else [])]
