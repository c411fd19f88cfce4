"""Pictures of a multi-scale GAN are distorted alike at every side."""

import numpy as np
import pytest

from pipeline.gan.config import POLICIES, Augment
from pipeline.gan.networks.pyramid import pyramid
from pipeline.gan.sampling import enlarge
from pipeline.gan.training.augment import DRAWS, augment
from tests.gan.networks.test_pyramid import means

SIZE, SIDES, COUNT = 32, [4, 8, 16, 32], 12
RULES = {**{policy: Augment(policies=(policy,)) for policy in POLICIES}, "flip": Augment(policies=(), flip="always")}


@pytest.fixture
def fakes():
    """Pictures of each side that have nothing to do with each other, as before any training."""
    rng = np.random.default_rng(0)
    return tuple(rng.uniform(-1, 1, (COUNT, side, side, 3)).astype(np.float32) for side in SIDES)


@pytest.fixture
def draws():
    return np.random.default_rng(1).uniform(0, 1, (COUNT, DRAWS)).astype(np.float32)


def augmented(images, draws, rule, probability=1.0):
    found = augment(images, draws, rule, probability)
    return [*map(np.asarray, found)] if isinstance(found, tuple) else np.asarray(found)


@pytest.mark.parametrize("name", RULES)
def test_each_side_is_distorted_as_if_it_were_enlarged_to_full_size(name, fakes, draws):
    for found, fake in zip(augmented(fakes, draws, RULES[name]), fakes, strict=True):
        expected = means(augmented(enlarge(fake, SIZE), draws, RULES[name]), fake.shape[1])
        assert np.allclose(found, expected, atol=1e-5)
        assert not np.allclose(found, fake, atol=0.01)


def test_one_side_does_not_depend_on_the_others(fakes, draws):
    rule = Augment(policies=POLICIES)
    mixed = (*fakes[:1], *(fake[::-1].copy() for fake in fakes[1:]))
    assert np.array_equal(augmented(fakes, draws, rule)[0], augmented(mixed, draws, rule)[0])


def test_full_size_is_distorted_as_that_of_an_ordinary_gan(fakes, draws):
    rule = Augment(policies=POLICIES, flip="always")
    assert np.array_equal(augmented(fakes, draws, rule, 0.7)[-1], augmented(fakes[-1], draws, rule, 0.7))


def test_policy_is_applied_to_all_sides_of_a_picture_or_to_none(fakes, draws):
    for policy in POLICIES:
        found = augmented(fakes, draws, RULES[policy], 0.5)
        pairs = zip(found, fakes, strict=True)
        changed = [(~np.isclose(one, fake, atol=1e-5)).any(axis=(1, 2, 3)) for one, fake in pairs]
        assert 0 < changed[-1].sum() < COUNT
        assert all(np.array_equal(each, changed[-1]) for each in changed)


def test_reals_shifted_by_whole_coarse_pixels_agree_at_every_side(draws):
    """A shift by 4 px of 32 px is one by 1 px of 8 px: distorting and bringing down can then be exchanged."""
    real = np.random.default_rng(2).uniform(-1, 1, (COUNT, SIZE, SIZE, 3)).astype(np.float32)
    draws[:, 4], draws[:, 5] = 0.999, 0.0  # as far as possible: an eighth of the side
    shifted = augmented(pyramid(real, [8, 16, 32]), draws, RULES["translation"])
    for found in shifted[:2]:
        assert np.allclose(found, means(shifted[-1], found.shape[1]), atol=1e-5)


def test_hole_has_the_same_place_and_area_at_every_side(draws):
    white = tuple(np.ones((COUNT, side, side, 1), np.float32) for side in SIDES)
    holes = [1 - found for found in augmented(white, draws, RULES["cutout"])]
    areas = [hole.mean(axis=(1, 2, 3)) for hole in holes]
    assert np.ptp(areas[-1]) > 0
    for hole, area in zip(holes, areas, strict=True):
        assert np.allclose(area, areas[-1], atol=1e-6)
        assert np.allclose(hole, means(holes[-1], hole.shape[1]), atol=1e-6)


def test_colours_change_by_the_same_factors(draws):
    """Reals have the same mean at every side, so here the changed pictures agree as the pictures did."""
    real = np.random.default_rng(3).uniform(-1, 1, (COUNT, SIZE, SIZE, 3)).astype(np.float32)
    changed = augmented(pyramid(real, SIDES), draws, RULES["colour"])
    for found in changed:
        assert np.allclose(found, means(changed[-1], found.shape[1]), atol=1e-5)
