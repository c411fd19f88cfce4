"""Colours of the content: luminance alone, and histogram matching."""

import numpy as np

from pipeline.style.colour_transfer import FROM_YIQ, TO_YIQ, luminance, match_histogram, match_luminance, with_colour_of
from tests.style.drawn_pictures import checks, disc

CONTENT, STYLE = disc().astype(np.float32) / 255, checks().astype(np.float32) / 255
MIDDLE = 0.4 + 0.2 * STYLE  # nothing of it is clipped when its brightness changes a little


def test_luminance_is_that_of_television():
    expected = 0.299 * STYLE[..., 0] + 0.587 * STYLE[..., 1] + 0.114 * STYLE[..., 2]
    for channel in range(3):
        np.testing.assert_allclose(luminance(STYLE)[..., channel], expected, atol=1e-6)


def test_the_two_matrices_are_inverse():
    np.testing.assert_allclose(TO_YIQ @ FROM_YIQ, np.eye(3), atol=1e-12)


def test_a_picture_with_its_own_colours_is_unchanged():
    np.testing.assert_allclose(with_colour_of(CONTENT, CONTENT), CONTENT, atol=1e-6)


def test_a_picture_takes_colours_and_keeps_brightness():
    grey = np.full_like(MIDDLE, 0.5)
    found = with_colour_of(grey, MIDDLE)
    np.testing.assert_allclose(luminance(found), 0.5, atol=1e-5)
    np.testing.assert_allclose((found @ TO_YIQ.T)[..., 1:], (MIDDLE @ TO_YIQ.T)[..., 1:], atol=1e-5)


def test_a_style_takes_mean_and_deviation_of_the_brightness():
    found = match_luminance(STYLE, MIDDLE)
    np.testing.assert_allclose(found.mean(), luminance(MIDDLE).mean(), atol=1e-4)
    np.testing.assert_allclose(found.std(), luminance(MIDDLE).std(), atol=1e-4)


def test_a_style_takes_mean_and_covariance_of_the_colours():
    found = match_histogram(STYLE, MIDDLE).reshape(-1, 3)
    wanted = MIDDLE.reshape(-1, 3)
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(np.cov(found.T), np.cov(wanted.T), atol=1e-3)


def test_pictures_of_one_colour_are_no_fault():
    plain = np.full((8, 8, 3), 0.3, np.float32)
    assert np.isfinite(match_histogram(plain, plain)).all()
    np.testing.assert_allclose(match_histogram(STYLE, plain), 0.3, atol=0.02)
    assert np.isfinite(match_luminance(plain, STYLE)).all()
