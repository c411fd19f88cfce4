"""The textures must rank what a person would rank: noise last, blurred pictures by their blur, pictures first."""

import cv2
import numpy as np
import pytest

from pipeline.gan.evaluation.metrics import Reference
from pipeline.gan.evaluation.textures import textures


def draw_shapes(count, *, size, channels, seed):
    """Filled shapes with edges on plain grounds, (count, size, size, channels) uint8."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, size, size, channels), np.uint8)
    for picture in found:
        picture[:] = rng.integers(0, 256, channels)
        for _ in range(rng.integers(2, 6)):
            colour = [int(each) for each in rng.integers(0, 256, channels)]
            centre = [int(each) for each in rng.integers(0, size, 2)]
            axes = [int(each) for each in rng.integers(size // 10, size // 2, 2)]
            drawn = np.ascontiguousarray(picture)
            cv2.ellipse(drawn, centre, axes, float(rng.integers(180)), 0, 360, colour, -1, cv2.LINE_AA)
            picture[:] = drawn.reshape(picture.shape)
    return found


def blurred(pictures, sigma):
    return np.stack([cv2.GaussianBlur(each, (0, 0), sigma).reshape(each.shape) for each in pictures])


def noises(pictures, count=120):
    """Noise that could be taken for pictures: uniform, with the pictures' mean and deviation, and of low contrast."""
    rng, shape = np.random.default_rng(5), (count, *pictures.shape[1:])
    one = (*shape[:3], 1)
    yield "uniform", rng.integers(0, 256, shape)
    yield "Gaussian", rng.normal(pictures.mean(axis=(0, 1, 2)), pictures.std(axis=(0, 1, 2)), shape)
    yield "Gaussian of low contrast", rng.normal(128, 20, shape)
    yield "grey", np.broadcast_to(rng.normal(pictures.mean(), pictures.std(), one), shape)


@pytest.mark.parametrize(
    ("size", "channels", "count"),
    [(28, 1, 120), pytest.param(64, 3, 120, marks=pytest.mark.long), pytest.param(128, 3, 40, marks=pytest.mark.long)],
)
def test_noise_is_the_worst_and_blur_in_its_order(size, channels, count):
    pictures = draw_shapes(2 * count, size=size, channels=channels, seed=0)
    reals, others = pictures[:count], pictures[count:]
    reference = Reference(textures(reals).astype(np.float64))

    def kid_of(samples):
        return reference.score(textures(samples).astype(np.float64)).kid

    by_blur = [kid_of(others), *(kid_of(blurred(others, sigma)) for sigma in (1, 2, 4))]
    assert by_blur == sorted(by_blur)
    for name, noise in noises(pictures):
        scores = reference.score(textures(np.clip(noise, 0, 255).astype(np.uint8)).astype(np.float64))
        assert scores.precision < 0.05, name
        assert scores.coverage < 0.05, name
        assert scores.kid > max(by_blur[:3]), name


def test_wrong_colours_and_one_picture_again_and_again_score_worse_than_new_pictures():
    pictures = draw_shapes(200, size=32, channels=3, seed=1)
    reference = Reference(textures(pictures[:100]).astype(np.float64))
    new, wrong, same = pictures[100:], pictures[100:] // 2, np.repeat(pictures[100:101], 100, axis=0)
    scores = [reference.score(textures(each).astype(np.float64)) for each in (new, wrong, same)]
    assert scores[0].kid < min(scores[1].kid, scores[2].kid)
    assert scores[2].coverage < 0.4 < 0.7 < scores[0].coverage


def test_features_of_a_picture_depend_on_it_alone_and_are_bit_identical():
    pictures = draw_shapes(70, size=28, channels=3, seed=2)
    found = textures(pictures)
    assert found.dtype == np.float32
    assert np.array_equal(found, textures(pictures))
    assert np.array_equal(found[50:53], textures(pictures[50:53]))
    assert np.isfinite(textures(np.zeros((2, 28, 28, 1), np.uint8))).all()


def test_grey_pictures_in_one_or_three_channels_have_the_same_features():
    grey = draw_shapes(3, size=28, channels=1, seed=3)
    assert np.array_equal(textures(grey), textures(np.repeat(grey, 3, axis=3)))


def test_mean_and_variance_of_pictures_are_moderate():
    found = textures(draw_shapes(60, size=64, channels=3, seed=4))
    assert 0.05 < (found**2).mean() < 3  # the cubic kernel of the KID would overstate larger features
