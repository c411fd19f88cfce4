"""The history of a training in words, and the one epoch that everything calls the best."""

import pytest

from pipeline.gan.history import History
from pipeline.gan.stats_log import best_row


def row(epoch: int, kid: float | None = None, extractor: str = "one", **more) -> dict:
    scores = {} if kid is None else {"kid": kid, "kid_error": 0.004, "extractor": extractor}
    return {"epoch": epoch, "d_loss": 1.0, "g_loss": 1.0, **scores, **more}


@pytest.mark.parametrize(
    ("rows", "epoch"),
    [
        pytest.param([row(1), row(2)], None, id="no scores"),
        pytest.param([row(140, 0.02), row(180, 0.019), row(200, 0.018), row(220, 0.02)], 200, id="lowest"),
        pytest.param([row(1, 0.3), row(2, 0.1), row(3, 0.1), row(4)], 2, id="the first of equals"),
        pytest.param([row(1, 0.1, "one"), row(2, 0.3, "other"), row(3, 0.2, "other")], 3, id="another extractor"),
        pytest.param([row(1, 0.1), row(2, 0.2, "other"), row(3, 0.3)], 3, id="an extractor that came back"),
        pytest.param([row(1, 0.1, growing=1), row(2, 0.3), row(3, 0.2)], 3, id="a growing GAN"),
        pytest.param([row(1, 0.1, growing=1)], None, id="still growing"),
    ],
)
def test_best_epoch_is_that_of_the_lowest_kid_that_can_be_compared(rows, epoch):
    history = History(tuple(rows))
    assert history.best_epoch == epoch
    assert (best_row(rows) or {"epoch": None})["epoch"] == epoch


def test_history_says_its_lowest_kid_in_one_line():
    assert repr(History((row(1, 0.02), row(2, 0.0123)))) == (
        "<History of 2 epochs, lowest KID 0.0123 ± 0.0040 at epoch 2>"
    )
    assert repr(History((row(1),))) == "<History of 1 epochs>"
