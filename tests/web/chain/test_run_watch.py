"""How long a stage still needs, by what is known of it; and the tail of a log."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from pipeline.run_record import read_state
from pipeline.web.chain import run_watch
from pipeline.web.jobs.run_status import RunStatus
from tests.web import chains, fake_trainings
from tests.web.fake_dataset import FakeDataset

LENGTH = {"gan.definition": "dcgan", "gan.epochs": 3, "normalize.size": fake_trainings.SIZE}


@pytest.fixture
def fake(tmp_path):
    made = FakeDataset(tmp_path)
    chains.trained(made)
    return made


def left(fake, stage, seconds, *, settings=None, **progress):
    """What is said of the rest of a stage that began some seconds ago."""
    began = (datetime.now(timezone.utc) - timedelta(seconds=seconds)).isoformat()
    events = [{"event": "options", "settings": json.dumps(settings or {})}]
    folder = chains.at_work(fake, *events, {"event": "stage_start", "stage": stage, "key": "a" * 64, "time": began})
    status = RunStatus(state="running", stage=stage, **progress)
    record = read_state(folder)
    return run_watch.shown(status, record, runs=fake.paths().runs, last=getattr(fake.paths(), stage).latest()).left


def test_by_how_far_it_is(fake):
    assert left(fake, "generate", 60, percent=50, done=1, total=2) == "about 1 min left"


def test_by_the_most_steps_of_a_training_which_may_end_sooner(fake):
    assert left(fake, "gan", 60, done=100, settings={"gan.most_steps": 300, "gan.epochs": None}) == "at most 2 min left"


@pytest.mark.parametrize(
    ("stage", "done", "percent", "expected"),
    [
        ("gan", 100, None, "at most 1 min left"),
        ("gan", 200, None, "at most 30 s left"),
        ("gan", 1, 10, "at most 1 min left"),
        ("generate", 1, 50, "about 1 min left"),
    ],
)
def test_no_more_than_the_minutes_that_a_training_has(fake, stage, done, percent, expected):
    settings = {"gan.most_steps": 300, "gan.epochs": None, "gan.total_minutes": 2.0}
    assert left(fake, stage, 60, done=done, percent=percent, settings=settings) == expected


def test_by_the_last_training_if_that_was_of_the_same_length(fake):
    assert left(fake, "gan", 30, settings=LENGTH) == "about 30 s left, if it takes as long as last time"


@pytest.mark.parametrize("change", [{"gan.epochs": 30}, {"normalize.size": 128}, {"gan.definition": "wgan"}])
def test_nothing_by_the_last_training_if_that_was_another(fake, change):
    assert left(fake, "gan", 30, settings=LENGTH | change) == ""


def test_nothing_if_it_takes_longer_than_last_time_already(fake):
    assert left(fake, "generate", 90) == ""


def test_log_tail_is_the_last_lines_as_plain_text(fake):
    folder = chains.ended(fake, "failed")
    (folder / "log.txt").write_text("".join(f"line {number}\x07\n" for number in range(100_000)))
    tail = run_watch.log_tail(fake.paths().runs, read_state(folder))
    assert len(tail) == run_watch.TAIL_LINES
    assert tail[-1] == "line 99999"
