import numpy as np
import pytest

from pipeline.filter.features import HistogramPatchExtractor, histograms
from pipeline.filter.patches import learn_dictionary
from pipeline.images.raster import squares

from .drawn import draw


@pytest.fixture(scope="module")
def pictures():
    return np.stack([draw(number, on=number % 2 == 0) for number in range(24)])


@pytest.fixture(scope="module")
def extract(pictures):
    return HistogramPatchExtractor(dictionary=learn_dictionary(pictures, seed=0))


@pytest.mark.parametrize("shape", [(16, 16, 3), (64, 64, 1), (200, 200, 3), (512, 512, 1)])
def test_squares_accepts_any_size_and_channel_count(shape):
    found = squares(np.full((2, *shape), 77, np.uint8), 32)
    assert found.shape == (2, 32, 32, 3)
    assert np.all(found == 77)


def test_features_do_not_depend_on_the_batch(extract, pictures):
    for together, alone in zip(extract(pictures), extract(pictures[5:6]), strict=True):
        assert np.allclose(together[5], alone[0], atol=1e-5)


def test_patch_dictionary_is_bit_identical_for_the_same_seed(extract, pictures):
    again, other = learn_dictionary(pictures, seed=0), learn_dictionary(pictures, seed=1)
    assert np.array_equal(again.second.directions, extract.dictionary.second.directions)
    assert not np.array_equal(other.second.directions, again.second.directions)


def test_features_of_a_uniform_square_are_finite(extract):
    for view in extract(np.full((1, 64, 64, 3), 255, np.uint8)):
        assert np.all(np.isfinite(view))


def test_histograms_separate_colours_and_directions():
    red, blue, stripes = np.zeros((3, 64, 64, 3), np.uint8)
    red[..., 0], blue[..., 2], stripes[::8] = 200, 200, 255
    found = histograms(np.stack([red, blue, stripes, stripes.swapaxes(0, 1)]))
    edges, colours = found[:, : 7 * 7 * 36], found[:, 7 * 7 * 36 :]
    assert np.array_equal(edges[0], edges[1])
    assert not np.array_equal(colours[0], colours[1])
    assert np.abs(edges[2] - edges[3]).max() > 0.3
    assert colours[0] @ colours[1] == 0
