"""A training that is shown while it runs."""

import pytest

from pipeline.web.chain.live_training import LiveTraining, newest_row
from tests.web import chains, fake_trainings
from tests.web.fake_dataset import FakeDataset


@pytest.fixture
def fake(tmp_path):
    made = FakeDataset(tmp_path)
    chains.filtered(made)
    return made


def test_without_a_training_nothing_is_shown(fake):
    assert LiveTraining(fake.paths()).show("") is None
    assert LiveTraining(fake.paths()).show("a" * 64) is None


def test_epoch_and_losses_are_of_the_work_in_progress_though_its_sheets_come_later(fake):
    key = chains.advance(fake, 4)
    work = fake.paths().gan.work(key, resume=False)
    (work / "stats.jsonl").write_text('{"epoch": 6, "step": 60, "d_loss": 0.25, "g_loss": 1.5}\n{"epoch": 7, "st')
    shown = LiveTraining(fake.paths()).show(key)
    assert (shown.epoch, shown.sheet_epoch, shown.d_loss, shown.g_loss) == (6, 4, 0.25, 1.5)


@pytest.mark.parametrize("text", ["", "\n", "[1]\n", '{"epoch": 1', "\0" * 100])
def test_damaged_statistics_have_no_row(tmp_path, text):
    (tmp_path / "stats.jsonl").write_text(text)
    assert newest_row(tmp_path / "stats.jsonl") is None
    assert newest_row(tmp_path / "other") is None


def test_values_that_are_no_numbers_are_left_out(fake):
    key = chains.advance(fake, 4)
    work = fake.paths().gan.work(key, resume=False)
    (work / "stats.jsonl").write_text('{"epoch": "six", "d_loss": NaN, "g_loss": [1]}\n')
    shown = LiveTraining(fake.paths()).show(key)
    assert (shown.epoch, shown.d_loss, shown.g_loss) == (4, None, None)


def test_the_newest_training_is_shown_if_none_is_named(fake):
    fake_trainings.training(fake, "old")
    newest = fake_trainings.training(fake, "new")
    assert LiveTraining(fake.paths()).show("").key == newest
