"""The nearest reals of samples, with all reals at once or block by block."""

import numpy as np
import pytest

from pipeline.gan.evaluation.nearest_reals import nearest_in_blocks


@pytest.mark.parametrize("size", [1, 4, 7, 30])
def test_blocks_have_the_nearest_of_all(size):
    random = np.random.default_rng(3)
    samples, reals = random.normal(size=(6, 5)), random.normal(size=(30, 5))
    reals[20] = reals[2]  # equally near
    samples[0] = reals[2]
    whole = nearest_in_blocks(samples, [reals])
    found = nearest_in_blocks(samples, (reals[start : start + size] for start in range(0, 30, size)))
    assert np.array_equal(found.indices, whole.indices)
    assert np.allclose(found.distances, whole.distances, atol=1e-6)
    assert list(found.indices[0, :2]) == [2, 20]


def test_few_reals_are_all_near():
    assert nearest_in_blocks(np.zeros((2, 3)), [np.ones((3, 3))]).indices.shape == (2, 3)
