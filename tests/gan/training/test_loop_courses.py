"""Whole trainings, good and bad, and their statistics."""

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan import Dcgan
from tests.gan.drawn_discs import draw_discs

pytestmark = pytest.mark.slow

STANDS_STILL = {"learning_rate": 1e-8}
NARROW = {"width": 8, "max_width": 16}


def train_rows(epochs: int, *, sample_every=1, g: dict | None = None, d: dict | None = None, **keys) -> list[dict]:
    """The rows of a training on 128 pictures of 16 px."""
    tree = {"latent": 8, "precision": "float32", "augment": {"policies": []}, **keys}
    images = draw_discs(128)
    gan = Dcgan(images, tree | {"generator": NARROW | (g or {}), "discriminator": NARROW | (d or {})}, seed=1)
    return list(gan.train(images, epochs=epochs, watch=True, sample_every=sample_every, extractor="own").rows)


def alarm_texts(rows: list[dict]) -> str:
    """The texts of all alarms in `rows`."""
    return "; ".join(text for row in rows for text in row.get("alarms", []))


@pytest.mark.long
def test_kid_improves_during_training():
    kids = [row["kid"] for row in train_rows(60, sample_every=6) if "kid" in row]
    assert len(kids) == 10
    assert min(kids) < 0.6 * kids[0]


@pytest.mark.long
def test_too_fast_generator_raises_a_collapse_alarm():
    rows = train_rows(8, g={"optimizer": {"learning_rate": 0.05}}, d={"optimizer": STANDS_STILL})
    assert "mode collapse, a few pictures again and again" in alarm_texts(rows)


@pytest.mark.long
def test_discriminator_that_learns_alone_raises_balance_and_plateau_alarms():
    rows = train_rows(24, sample_every=3, g={"optimizer": STANDS_STILL})
    assert np.mean([row["d_accuracy"] for row in rows[-5:]]) > 0.98
    assert "it is too far ahead, and the generator learns little" in alarm_texts(rows)
    assert "a plateau, wait until step 2000, or change" in alarm_texts(rows)


@pytest.mark.long
def test_discriminator_that_never_learns_raises_a_balance_alarm():
    rows = train_rows(24, sample_every=24, g={"optimizer": {"learning_rate": 0.002}}, d={"optimizer": STANDS_STILL})
    assert "it cannot keep up with the generator" in alarm_texts(rows)


def test_diverging_loss_is_a_user_error_with_advice():
    headlong = {"norm": "none", "initial": "he", "optimizer": {"name": "sgd", "learning_rate": 1.0}}
    with pytest.raises(UserError, match=r"3 times after rolling back .* Lower the learning rates"):
        train_rows(40, loss="least_squares", g=headlong, d=headlong)
