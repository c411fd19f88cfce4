from typing import get_args

import numpy as np
import pytest

from pipeline.gan.config import Definition, Smoothing
from pipeline.gan.config.rules import LOSS_PROPERTIES
from pipeline.gan.training.losses import LOSSES, feature_distance, find_loss

REAL = np.array([[2.0], [-1.0], [0.3]], np.float32)
FAKE = np.array([[0.5], [-3.0], [-0.2]], np.float32)
R, F = REAL.astype(float), FAKE.astype(float)


def p(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits))


def entropy(logits: np.ndarray, label: float) -> float:
    return -np.mean(label * np.log(p(logits)) + (1 - label) * np.log(1 - p(logits)))


# What D and G pay, in the papers' own words. A logit lies 0.5 below least squares' D, so that 0 is between its labels.
PAPERS = {
    "minimax": (entropy(R, 1) + entropy(F, 0), np.log(1 - p(F)).mean()),
    "non_saturating": (entropy(R, 1) + entropy(F, 0), -np.log(p(F)).mean()),
    "least_squares": (((R + 0.5 - 1) ** 2).mean() / 2 + ((F + 0.5) ** 2).mean() / 2, ((F + 0.5 - 1) ** 2).mean() / 2),
    "wasserstein": (F.mean() - R.mean(), -F.mean()),
    "hinge": (np.maximum(0, 1 - R).mean() + np.maximum(0, 1 + F).mean(), -F.mean()),
    "relativistic": (-np.log(p(R - F)).mean(), -np.log(p(F - R)).mean()),
}


def test_every_loss_has_a_reference_formula():
    assert PAPERS.keys() == LOSSES.keys()


def test_every_loss_that_a_definition_can_name_has_its_functions_and_properties():
    names = get_args(Definition.model_fields["loss"].annotation)
    assert names == tuple(LOSS_PROPERTIES) == tuple(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_labels_if_smoothing_changes_it(name):
    loss = find_loss(name)
    plain, smooth = (loss.discriminator(REAL, FAKE, smoothing) for smoothing in (Smoothing(), Smoothing(real=0.3)))
    assert (float(plain) != float(smooth)) == loss.has_labels


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_paired_if_the_generator_pays_by_the_reals(name):
    loss = find_loss(name)
    assert (float(loss.generator(REAL, FAKE)) != float(loss.generator(REAL + 1, FAKE))) == loss.is_paired


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_a_zero_if_moving_all_logits_changes_what_the_discriminator_pays(name):
    loss = find_loss(name)
    here, there = (float(loss.discriminator(REAL + by, FAKE + by, Smoothing())) for by in (0, 1))
    assert (here != pytest.approx(there, abs=1e-5)) == loss.has_zero
    assert loss.has_zero != (loss.is_critic or loss.is_paired)


@pytest.mark.parametrize("name", PAPERS)
def test_losses_equal_the_formulas_of_their_papers(name):
    loss = find_loss(name)
    found = float(loss.discriminator(REAL, FAKE, Smoothing())), float(loss.generator(REAL, FAKE))
    assert found == pytest.approx(PAPERS[name], abs=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("non_saturating", entropy(R, 0.9) + entropy(F, 0.2)),
        ("minimax", entropy(R, 0.9) + entropy(F, 0.2)),
        ("least_squares", ((R + 0.5 - 0.9) ** 2).mean() / 2 + ((F + 0.5 - 0.2) ** 2).mean() / 2),
    ],
)
def test_smoothing_moves_the_labels_of_d_only(name, expected):
    loss = find_loss(name).discriminator(REAL, FAKE, Smoothing(real=0.1, fake=0.2))
    assert float(loss) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_large_logits_are_finite(name):
    far, loss = np.array([[1e4]], np.float32), find_loss(name)
    paid = [loss.discriminator(-far, far, Smoothing()), loss.generator(far, -far), loss.generator(-far, far)]
    assert np.isfinite([float(each) for each in paid]).all()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"wasserstein"}))
def test_lowest_d_loss_has_full_accuracy_and_sureness(name):
    """At the logits of D's lowest loss its accuracy is 1, and it is sure of the reals."""
    far = np.full((4, 1), 0.5 if name == "least_squares" else 3.0, np.float32)
    loss = find_loss(name)
    assert float(loss.discriminator(far, -far, Smoothing())) < float(loss.discriminator(0 * far, 0 * far, Smoothing()))
    assert np.mean(loss.is_correct(far, -far)) == 1
    assert np.mean(loss.is_correct(-far, far)) == 0
    assert (float(loss.sureness(far, -far)), float(loss.sureness(-far, far))) == (1, -1)


def test_relativistic_accuracy_depends_on_pairs_only():
    assert np.asarray(find_loss("relativistic").is_correct(REAL - 10, FAKE - 10)).ravel().tolist() == [1, 1, 1]
    assert np.mean(find_loss("hinge").is_correct(REAL, FAKE)) == pytest.approx(4 / 6)


def test_feature_distance_is_between_means():
    real = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    assert float(feature_distance(real, real[::-1])) == 0
    assert float(feature_distance(real, real + np.array([1.0, 3.0], np.float32))) == pytest.approx((1 + 9) / 2)
