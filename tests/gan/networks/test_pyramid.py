import numpy as np
import pytest

from pipeline.gan.networks.pyramid import as_judged, map_sides, pyramid, sides

PICTURES = np.random.default_rng(0).uniform(-1, 1, (3, 24, 24, 2)).astype(np.float32)


def means(pictures: np.ndarray, side: int) -> np.ndarray:
    """`pictures` (N, S, S, C) brought down to `side` pixels by the means of squares."""
    times = pictures.shape[1] // side
    return pictures.reshape(len(pictures), side, times, side, times, -1).mean(axis=(2, 4))


def test_pyramid_has_the_mean_of_each_square_and_the_picture_itself():
    small, middle, whole = map(np.asarray, pyramid(PICTURES, [6, 12, 24]))
    assert np.array_equal(whole, PICTURES)
    assert np.allclose(middle, means(PICTURES, 12), atol=1e-6)
    assert np.allclose(small, means(PICTURES, 6), atol=1e-6)
    assert np.allclose(small, means(middle, 6), atol=1e-6)  # each side is the mean of the next finer one


def test_functions_take_one_tensor_as_well_as_a_tuple():
    assert np.array_equal(map_sides(np.negative, PICTURES), -PICTURES)
    first, second = map_sides(lambda one, other: one + other, (PICTURES, PICTURES), (PICTURES, -PICTURES))
    assert np.array_equal(first, 2 * PICTURES)
    assert not second.any()
    assert [found.shape for found in sides(PICTURES)] == [PICTURES.shape]
    assert len(sides((PICTURES, PICTURES))) == 2


class OfSides:
    """A network with an input for pictures of each side."""

    def __init__(self, *lengths: int) -> None:
        self.inputs = [np.zeros((1, side, side, 2)) for side in lengths]


@pytest.mark.parametrize("lengths", [(24,), (6, 12, 24), (12, 24)])
def test_pictures_are_judged_at_the_sides_of_the_inputs(lengths):
    found = sides(as_judged(OfSides(*lengths), PICTURES))
    assert [pictures.shape[1] for pictures in found] == [*lengths]
    assert isinstance(as_judged(OfSides(*lengths), PICTURES), tuple) == (len(lengths) > 1)
