"""Datasets in every state that the overview page shows, and the plan of a command that is not run."""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

from pipeline.run_record import process_start
from pipeline.web.chain.chain_reader import ChainReader
from pipeline.web.datasets.dataset_cards import DatasetCards
from pipeline.web.jobs.job_queue import JobQueue
from tests.web import fake_trainings
from tests.web.fake_dataset import FakeDataset
from tests.web.fake_live_training import advance

STAGES = ("download", "normalize", "classifier", "filter", "gan", "generate", "report")
PLAN_SECONDS = 20.0


def planning(fake: FakeDataset, **reasons: str) -> tuple[str, ...]:
    """A command whose `plan` says that the stages with `reasons` will run, and that the others are up to date."""
    steps = [
        {"stage": stage, "state": "will run" if stage in reasons else "up to date", "reason": reasons.get(stage, "")}
        for stage in STAGES
    ]
    path = fake.folder / "plan.json"
    path.write_text(json.dumps(steps))
    return ("sh", "-c", f"echo planned >> '{path}.log'; cat '{path}'")


def plans_made(fake: FakeDataset) -> int:
    path = fake.folder / "plan.json.log"
    return len(path.read_text().splitlines()) if path.exists() else 0


def read_chain(fake: FakeDataset, command: tuple[str, ...]) -> ChainReader:
    """The reader of the stages of `fake`, whose command for plans is `command`."""
    site = fake.site(*command)
    jobs = JobQueue(site)
    cards = DatasetCards(jobs)
    return ChainReader(site, fake.paths(), jobs.run_status, lambda paths: cards.card(paths).next)


def new(fake: FakeDataset) -> None:
    (fake.data / "runs").mkdir(parents=True)


def found(fake: FakeDataset) -> None:
    """Pictures, but no squares of them yet."""
    new(fake)
    from tests.web.fake_dataset import row

    rows = [row(number, "", {}) for number in range(6)]
    fake.publish("download", rows, {"images": "six"}, fake.crawl, summary={"requested": 9, "saved": 6})


def squares(fake: FakeDataset) -> None:
    fake.draw(30)


def filtered(fake: FakeDataset) -> None:
    fake.draw(30)
    fake.filter({id: 0.9 if number < 12 else 0.1 for number, id in enumerate(fake.ids(30))}, kept=12, images=30)


def in_training(fake: FakeDataset) -> None:
    filtered(fake)
    advance(fake, 4)


def trained(fake: FakeDataset) -> None:
    filtered(fake)
    fake_trainings.samples(fake, fake_trainings.training(fake))


STATES: dict[str, Callable[[FakeDataset], None]] = {
    "": new,
    "pictures": found,
    "squares": squares,
    "kept": filtered,
    "sheet": in_training,
    "samples": trained,
}  # by the kind of the best pictures that there are
ENDS = {
    "done": {"event": "end", "outcome": "done"},
    "failed": {"event": "end", "outcome": "failed", "error": "gan failed: the disk is full"},
    "stopped": {"event": "end", "outcome": "stopped", "error": "stopped; the next run resumes here"},
    "next": {"event": "end", "outcome": "next", "error": "label 30 on target and 50 off target"},
}
RUN = "20260103-000000-000000-1"


def ended(fake: FakeDataset, outcome: str, *events: dict) -> Path:
    """A run that ended so."""
    return fake_trainings.run(fake, RUN, *events, ENDS[outcome])


def at_work(fake: FakeDataset, *events: dict) -> Path:
    """A run whose process is this one."""
    start = {"event": "start", "pid": os.getpid(), "born": process_start(os.getpid()), "host": platform.node()}
    return fake_trainings.run(fake, RUN, start, *events)
