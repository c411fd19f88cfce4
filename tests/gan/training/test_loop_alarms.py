"""What the loop tells of a training's alarms, in its rows and to whoever watches, also after a stop."""

import pytest

from pipeline.errors import Stopped
from pipeline.gan.training.null_observer import NullObserver
from pipeline.progress import TellingProgress, never, silent
from tests.gan.fake_steps import STEPS, make_trainer, rows
from tests.long_values import and_long

COLLAPSED = (4, 5, 6)  # epochs
BEGAN, ENDED = "alarm since epoch 4: samples differ only 0.20 times", "recovered at epoch 7: mode collapse, which began"


class ScoringObserver(NullObserver):
    """Gives each epoch the scores of a script."""

    def evaluate(self, row, draw, *, latents, seed, classes):
        epoch = row["epoch"]
        diversity = 0.2 if epoch in COLLAPSED else 1.0
        return {"kid": 1 / epoch, "kid_error": 0.0, "extractor": "eyes", "diversity": diversity}


def train(folder, told, *, should_stop=never):
    training = make_trainer(folder, observer=ScoringObserver(), epochs=8)
    try:
        training.run(TellingProgress(silent, told.append), should_stop)
    finally:
        training.log.close()


def events(folder) -> list[tuple[int, str, str]]:
    """The epoch, the field and the text of each event in the rows."""
    names = ("alarms", "recovered")
    return [(row["epoch"], name, text) for row in rows(folder) for name in names for text in row.get(name, [])]


def test_beginning_and_end_of_an_alarm_are_in_the_rows_and_are_told(tmp_path, fake_steps):
    told = []
    train(tmp_path / "a", told)
    found = events(tmp_path / "a")
    assert [(epoch, name) for epoch, name, _ in found] == [(4, "alarms"), (7, "recovered")]
    assert [text for *_, text in found] == told
    assert told[0].startswith(BEGAN)
    assert told[1].startswith(ENDED)


@pytest.mark.parametrize("step", and_long([4 * STEPS + 1, 6 * STEPS], long=[3 * STEPS, 4 * STEPS, 7 * STEPS + 2]))
def test_stopped_and_resumed_training_tells_the_same_alarms(tmp_path, fake_steps, step):
    whole, told = [], []
    train(tmp_path / "whole", whole)
    fake_steps.done = 0
    with pytest.raises(Stopped):
        train(tmp_path / "a", told, should_stop=lambda: fake_steps.done == step)
    train(tmp_path / "a", told)
    assert told == whole
    assert rows(tmp_path / "a") == rows(tmp_path / "whole")


def test_roll_back_is_told(tmp_path, fake_steps):
    fake_steps.nan_losses = (4,)
    train(tmp_path / "a", told := [])
    assert told[0].startswith("epoch 2: d_loss")
    assert "rolled back to the checkpoint of epoch 1" in told[0]
