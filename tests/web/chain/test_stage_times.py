"""How long stages took and are expected to take: said only where it is known."""

from datetime import datetime, timedelta, timezone

import pytest

from pipeline.web.chain import stage_times
from tests.web import chains
from tests.web.fake_dataset import FakeDataset


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (2, "some seconds"),
        (12, "about 10 s"),
        (44, "about 45 s"),
        (58, "about 1 min"),
        (235, "about 4 min"),
        (3590, "about 60 min"),
        (3600, "about 1 h"),
        (7900, "about 2 h 10 min"),
    ],
)
def test_a_time_that_is_not_exact_is_said_in_few_digits(seconds, words):
    assert stage_times.about(seconds) == words


def test_the_rest_follows_from_how_far_a_stage_is():
    assert stage_times.left(25, 30.0) == 90.0
    assert stage_times.left(100, 30.0) == 0.0


@pytest.mark.parametrize(("percent", "elapsed"), [(1, 30.0), (40, 1.0), (0, 0.0)])
def test_no_rest_is_said_that_is_not_known(percent, elapsed):
    assert stage_times.left(percent, elapsed) is None


def test_elapsed_time_of_a_damaged_record_is_nothing():
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert stage_times.elapsed_since((now - timedelta(seconds=9)).isoformat(), now) == 9.0
    assert stage_times.elapsed_since("soon", now) == 0.0
    assert stage_times.elapsed_since((now + timedelta(seconds=9)).isoformat(), now) == 0.0


def test_a_stage_that_never_ran_is_expected_to_take_as_long_for_each_picture_as_elsewhere(tmp_path):
    publish(FakeDataset(tmp_path, "dogs"), pictures=100, seconds=50.0)
    fake = FakeDataset(tmp_path)
    chains.new(fake)
    fake.publish("download", [], {"images": "some"}, lambda rows, work: None, summary={"requested": 700, "saved": 600})
    stages = {each.stage: each.time for each in chains.read_chain(fake, ("false",)).state().stages}
    assert stages["normalize"] == "about 5 min, as for the pictures of dogs"
    assert stages["gan"] == stages["report"] == ""


def test_a_stage_that_ran_is_expected_to_take_as_long_as_last_time(tmp_path):
    fake = FakeDataset(tmp_path)
    chains.trained(fake)
    chain = chains.read_chain(fake, chains.planning(fake, gan="seed 0 → 1"))
    assert stage(chain.state(), "gan").time == "took 1 min 00 s"
    while (state := chain.state()).plan == "being made":
        pass
    assert stage(state, "gan").time == "about 1 min last time"  # its settings may differ
    assert stage(state, "generate").time == "took 1 min 00 s"


def stage(state, name):
    return next(each for each in state.stages if each.stage == name)


def publish(fake, *, pictures, seconds):
    """A finished stage normalize that says how long it took."""
    chains.new(fake)
    fake.publish(
        "normalize", [], {"images": "some"}, lambda rows, work: None, summary={"images": pictures, "seconds": seconds}
    )
