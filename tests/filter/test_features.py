import numpy as np
import pytest

from pipeline.filter.features import SmallDescriber, histograms
from pipeline.filter.patches import learn_dictionary
from pipeline.images.raster import squares

from .drawn import draw


@pytest.fixture(scope="module")
def pictures():
    return np.stack([draw(number, on=number % 2 == 0) for number in range(24)])


@pytest.fixture(scope="module")
def describe(pictures):
    return SmallDescriber(dictionary=learn_dictionary(pictures, seed=0))


@pytest.mark.parametrize("shape", [(16, 16, 3), (64, 64, 1), (200, 200, 3), (512, 512, 1)])
def test_pictures_of_any_size_and_colour_become_squares(shape):
    found = squares(np.full((2, *shape), 77, np.uint8), 32)
    assert found.shape == (2, 32, 32, 3)
    assert np.all(found == 77)


def test_pictures_in_one_batch_do_not_touch_each_other(describe, pictures):
    for together, alone in zip(describe(pictures), describe(pictures[5:6]), strict=True):
        assert np.allclose(together[5], alone[0], atol=1e-5)


def test_the_same_seed_gives_the_same_dictionary_bit_for_bit(describe, pictures):
    again, other = learn_dictionary(pictures, seed=0), learn_dictionary(pictures, seed=1)
    assert np.array_equal(again.second.directions, describe.dictionary.second.directions)
    assert not np.array_equal(other.second.directions, again.second.directions)


def test_a_flat_picture_has_features_too(describe):
    for view in describe(np.full((1, 64, 64, 3), 255, np.uint8)):
        assert np.all(np.isfinite(view))


def test_histograms_tell_colours_and_directions_apart():
    red, blue, stripes = np.zeros((3, 64, 64, 3), np.uint8)
    red[..., 0], blue[..., 2], stripes[::8] = 200, 200, 255
    found = histograms(np.stack([red, blue, stripes, stripes.swapaxes(0, 1)]))
    edges, colours = found[:, : 7 * 7 * 36], found[:, 7 * 7 * 36 :]
    assert np.array_equal(edges[0], edges[1])
    assert not np.array_equal(colours[0], colours[1])
    assert np.abs(edges[2] - edges[3]).max() > 0.3
    assert colours[0] @ colours[1] == 0
