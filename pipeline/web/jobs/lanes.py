"""Which queued jobs start now, and what the others wait for.

There are two lanes. Trainings run one at a time for each GPU, or for the machine. Jobs that end before the training
(an update of the filter, say) run one at a time beside them, so that a label edit does not wait for a night's training.
Within a lane the job that was queued first starts first, unless something else works on its dataset.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.options import STAGES
from pipeline.web.jobs.job import Job

SHORT_STAGES = STAGES[: STAGES.index("gan")]


@dataclass(frozen=True, kw_only=True)
class Turns:
    """The jobs that start now, and for each of the other queued jobs, by id, what it waits for."""

    starts: list[Job] = field(default_factory=list)
    waits: dict[str, str] = field(default_factory=dict)


def is_training(job: Job) -> bool:
    """Whether a job may train a generator."""
    return job.until not in SHORT_STAGES


def queue_order(jobs: Sequence[Job]) -> list[Job]:
    """The queued ones of `jobs`, the next first."""
    return sorted((job for job in jobs if job.state == "queued"), key=lambda job: (job.queued, job.id))


def next_turns(jobs: Sequence[Job], *, busy: Callable[[str], bool], trainings: int) -> Turns:
    """Who starts, and what the others wait for.

    Args:
        jobs: All jobs that are queued or running.
        busy: Whether a run of this dataset is at work, whoever started it.
        trainings: How many trainings may run at the same time.
    """
    working = [job for job in jobs if job.state == "running"]
    turns = Turns()
    for job in queue_order(jobs):
        if reason := _obstacle(job, working, busy, trainings):
            turns.waits[job.id] = reason
        else:
            turns.starts.append(job)
            working.append(job)
    return turns


def _obstacle(job: Job, working: Sequence[Job], busy: Callable[[str], bool], trainings: int) -> str:
    """What `job` waits for; empty if it may start."""
    if same := next((each for each in working if each.dataset == job.dataset), None):
        return in_words(same)
    if busy(job.dataset):
        return f"the run of {job.dataset} that was started elsewhere"
    same_lane = [each for each in working if is_training(each) == is_training(job)]
    return in_words(same_lane[0]) if len(same_lane) >= (trainings if is_training(job) else 1) else ""


def in_words(job: Job) -> str:
    """A job as others speak of it."""
    return f"the run of {job.dataset}" + (f" until {job.until}" if job.until else "")
