"""Whole trainings, good and bad, by the lines that they leave."""

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan import Dcgan
from tests.gan.discs import discs

pytestmark = pytest.mark.slow

STANDS_STILL = {"learning_rate": 1e-8}
NARROW = {"width": 8, "max_width": 16}


def course(epochs: int, *, sample_every: int = 1, g: dict | None = None, d: dict | None = None, **keys) -> list[dict]:
    """The lines of a training on 128 pictures of 16 px."""
    tree = {"latent": 8, "precision": "float32", "augment": {"policies": []}, **keys}
    images = discs(128)
    gan = Dcgan(images, tree | {"generator": NARROW | (g or {}), "discriminator": NARROW | (d or {})}, seed=1)
    return list(gan.train(images, epochs=epochs, watch=True, sample_every=sample_every, extractor="own").rows)


def told(rows: list[dict]) -> str:
    """The alarms in words, as they stand in the lines."""
    return "; ".join(text for row in rows for text in row.get("alarms", []))


def test_a_score_improves():
    kids = [row["kid"] for row in course(100, sample_every=10) if "kid" in row]
    assert len(kids) == 10
    assert min(kids) < 0.6 * kids[0]


@pytest.mark.long
def test_a_generator_that_rushes_collapses_and_it_is_told():
    rows = course(8, g={"optimizer": {"learning_rate": 0.05}}, d={"optimizer": STANDS_STILL})
    assert "the generator draws a few pictures again and again" in told(rows)


@pytest.mark.long
def test_a_discriminator_that_learns_alone_is_told_to_be_ahead_and_the_score_to_stand():
    rows = course(24, sample_every=3, g={"optimizer": STANDS_STILL})
    assert np.mean([row["d_accuracy"] for row in rows[-5:]]) > 0.98
    assert "the generator learns little from it" in told(rows)
    assert "more training like this no longer pays" in told(rows)


def test_a_discriminator_that_never_learns_is_told_not_to_keep_up():
    rows = course(24, sample_every=24, g={"optimizer": {"learning_rate": 0.002}}, d={"optimizer": STANDS_STILL})
    assert "it cannot keep up with the generator" in told(rows)


def test_a_loss_that_runs_away_is_given_up_with_advice():
    headlong = {"norm": "none", "initial": "he", "optimizer": {"name": "sgd", "learning_rate": 1.0}}
    with pytest.raises(UserError, match=r"3 times after going back .* Lower the learning rates"):
        course(40, loss="least_squares", g=headlong, d=headlong)
