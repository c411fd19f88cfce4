"""Starts the queued jobs when their turn comes, and follows those that run to their end.

One server of a working folder does this, the one that holds the lock; if it is killed, its runs go on, and another
server takes over. Everything that it needs to know is on disk.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from filelock import FileLock, Timeout

from pipeline.errors import UserError, of_system
from pipeline.store.jsonl import timestamp
from pipeline.web.jobs.background_run import BackgroundRun, interrupt
from pipeline.web.jobs.gpus import visible_gpus
from pipeline.web.jobs.job import MAX_ATTEMPTS, Job
from pipeline.web.jobs.job_following import GONE, Followed, follow
from pipeline.web.jobs.job_store import JobStore
from pipeline.web.jobs.lanes import Turns, is_training, next_turns

LOG = logging.getLogger("uvicorn.error")
TICK_SECONDS = 0.5
SETTLE_SECONDS = 2.0  # for which a process is gone before that counts: its exit code may still be written
INSIST_SECONDS = 5.0  # after which a run that has no record yet, and nothing to lose, is asked to stop again
NO_DATASET = "the dataset is not there any more"
RETRY_SECONDS = 30.0  # after which a job that could not be started is tried again


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why a job could not be started, and when that was, in seconds of `time.monotonic`."""

    line: str
    at: float


class JobRunner:
    """The thread of one server that runs the queue."""

    def __init__(
        self,
        store: JobStore,
        *,
        datasets: Callable[[], list[str]],
        run_of: Callable[[str], BackgroundRun],
        flags_of: Callable[[Job], list[str]],
    ) -> None:
        self.store = store
        self.datasets = datasets
        self.run_of = run_of
        self.flags_of = flags_of
        self.wake = threading.Event()
        self.faults: dict[str, Fault] = {}
        self._lock = FileLock(store.folder / ".runner.lock", thread_local=False)
        self._gone: dict[str, float] = {}
        self._insisted: dict[str, float] = {}

    def start(self) -> None:
        """Run the queue in a thread, as long as this process lives."""
        threading.Thread(target=self._loop, daemon=True, name="jobs").start()

    def _loop(self) -> None:
        while True:
            with _going_on():
                if self.holds_queue():
                    self.tick()
            self.wake.wait(TICK_SECONDS)
            self.wake.clear()

    def holds_queue(self) -> bool:
        """Whether this server runs the queue; takes the lock if it is free."""
        if not self._lock.is_locked:
            self.store.folder.mkdir(parents=True, exist_ok=True)
            with suppress(Timeout):
                self._lock.acquire(timeout=0)
        return self._lock.is_locked

    def release(self) -> None:
        """Let another server run the queue."""
        self._lock.release()

    def tick(self) -> None:
        """Look once at all jobs that are not over: follow what runs, and start what may start."""
        for job in self.store.all():
            if job.state == "running":
                with _going_on():
                    self._look_after(job)
        for job in self.turns().starts:
            with _going_on():
                self._start(job)

    def turns(self) -> Turns:
        """Which jobs may start now, and what the others wait for. A job that could not be started takes no turn of the
        others until it is tried again."""
        jobs = [job for job in self.store.all() if not job.is_over and not self._rests(job)]
        return next_turns(jobs, busy=self._is_busy, trainings=max(1, len(visible_gpus())))

    def _rests(self, job: Job) -> bool:
        fault = self.faults.get(job.id)
        return job.state == "queued" and fault is not None and time.monotonic() - fault.at < RETRY_SECONDS

    def _is_busy(self, dataset: str) -> bool:
        return self.run_of(dataset).progress().state == "running"

    def _start(self, job: Job) -> None:
        """Start the run of `job`, unless it was stopped meanwhile."""
        with self.store.locked():
            current = self.store.find(job.id)
            if current is None or current.state != "queued":
                return
            if job.dataset not in self.datasets():
                return self.store.write(_failed(current, NO_DATASET))
            try:
                self._launch(current)
            except (UserError, OSError) as error:
                line = str(of_system(error)) if isinstance(error, OSError) else str(error)
                self.faults[job.id] = Fault(line=line, at=time.monotonic())
            except ValueError as error:  # an argument that no process takes, of a file that somebody changed
                self.store.write(_failed(current, f"cannot start: {error}"))
            else:
                self.faults.pop(job.id, None)

    def _launch(self, job: Job) -> None:
        gpu = self._free_gpu() if is_training(job) else ""
        environment = {"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}
        run = self.run_of(job.dataset)
        flags, log = self.flags_of(job), self.store.log(job.id)
        process = run.start(job.until, flags=flags, log=log, environment=environment)
        started = job.started or process.began
        running = job.changed(state="running", process=process, run="", started=started, ended="", gpu=gpu)
        try:
            self.store.write(running)
        except OSError:  # a full disk: nobody could follow the run
            interrupt(process.pid, process.born)
            raise

    def _free_gpu(self) -> str:
        """The GPU for the next training; empty if there is at most one, which every run finds by itself."""
        gpus = visible_gpus()
        taken = {job.gpu for job in self.store.all() if job.state == "running"}
        return next((gpu for gpu in gpus if gpu not in taken), "") if len(gpus) > 1 else ""

    def _look_after(self, job: Job) -> None:
        """Write down what became of a job that runs."""
        followed = follow(job, self.run_of(job.dataset), self.store.log(job.id))
        run = followed.record.name if followed.record else ""
        state = followed.status.state
        if state == GONE and self._settles(job.id):
            return
        if state == "running":
            self._gone.pop(job.id, None)
            self._insist(job, has_record=bool(run))
            if run != job.run:
                self.store.change(job.id, lambda found: found.changed(run=run))
            return
        self._gone.pop(job.id, None)
        self._insisted.pop(job.id, None)
        self.store.change(job.id, lambda found: _ended(found, followed, run))

    def _settles(self, id: str) -> bool:
        """Whether the process of a job was not gone for long enough."""
        return time.monotonic() - self._gone.setdefault(id, time.monotonic()) < SETTLE_SECONDS

    def _insist(self, job: Job, *, has_record: bool) -> None:
        """Ask a run again to stop that was still loading when it was asked, and may not have noticed."""
        if not job.stop_asked or has_record or job.process is None:
            return
        last = self._insisted.setdefault(job.id, time.monotonic())
        if time.monotonic() - last >= INSIST_SECONDS:
            self._insisted[job.id] = time.monotonic()
            with suppress(UserError):
                interrupt(job.process.pid, job.process.born)


@contextmanager
def _going_on() -> Iterator[None]:
    """Go on after an error, as the next time it may go well: no job may keep the others waiting."""
    try:
        yield
    except (UserError, OSError, Timeout):  # a full disk, say
        pass
    except Exception:
        LOG.exception("a job could not be looked after")


def _failed(job: Job, outcome: str) -> Job:
    return job.changed(state="failed", outcome=outcome, ended=timestamp("milliseconds"))


def _ended(job: Job, followed: Followed, run: str) -> Job:
    """`job` after its process ended: over, or queued again if nobody knows how it ended."""
    status = followed.status
    if job.state != "running":
        return job
    if status.state != GONE:
        return job.changed(state=status.state, outcome=status.outcome, ended=timestamp("milliseconds"), run=run)
    if job.attempts < MAX_ATTEMPTS:
        return job.queued_again().changed(attempts=job.attempts + 1)
    outcome = f"{status.outcome}; it was started {job.attempts + 1} times"
    return job.changed(state="failed", outcome=outcome, ended=timestamp("milliseconds"), run=run)
