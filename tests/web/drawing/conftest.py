"""A dataset with a training, its samples, and a fake sampler."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.web.drawing.sample_drawer import SampleDrawer
from tests.web.fake_dataset import FakeDataset
from tests.web.fake_trainings import samples, training

FAKE = Path(__file__).parent.parent / "fake_sampler.py"


@dataclass(frozen=True)
class Studio:
    """What the tests need."""

    fake: FakeDataset
    key: str
    drawer: SampleDrawer
    log: Path

    @property
    def questions(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def drawn(fake_dataset, tmp_path):
    """A drawer for the dataset cats, with its fake sampler's log."""
    log = tmp_path / "questions.jsonl"
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.9))
    key = training(fake_dataset)
    samples(fake_dataset, key)
    drawer = SampleDrawer((sys.executable, str(FAKE), str(log)))
    yield Studio(fake_dataset, key, drawer, log)
    drawer.close()
