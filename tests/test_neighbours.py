import numpy as np
import pytest
import sklearn
from sklearn.metrics import pairwise_distances

from pipeline.neighbours import neighbours, squared_distances

SHAPES = pytest.mark.parametrize(("count", "dimensions"), [(1, 1), (3, 2), (6, 40)])


def points(seed, count, dimensions, *, equal):
    found = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    return np.round(found) if equal else found  # rounded, many are equal, and many equally far


def by_sorting(distances, count):
    indices = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return indices, np.take_along_axis(distances, indices, axis=1)


@SHAPES
@pytest.mark.parametrize("equal", [False, True])
def test_neighbours_are_those_of_a_full_sort(count, dimensions, equal):
    one, other = points(0, 70, dimensions, equal=equal), points(1, 90, dimensions, equal=equal)
    found = neighbours(one, other, count=count)
    indices, distances = by_sorting(pairwise_distances(one, other), count)
    assert np.array_equal(found.indices, indices)
    assert np.array_equal(found.distances, distances)


@SHAPES
@pytest.mark.parametrize("equal", [False, True])
def test_neighbours_within_a_set_leave_out_the_point_itself_but_not_its_copies(count, dimensions, equal):
    one = points(0, 80, dimensions, equal=equal)
    one[7] = one[50]
    apart = pairwise_distances(one)
    np.fill_diagonal(apart, np.inf)
    found = neighbours(one, count=count)
    indices, distances = by_sorting(apart, count)
    assert np.array_equal(found.indices, indices)
    assert np.array_equal(found.distances, distances)
    assert 7 in found.indices[50] or equal
    assert found.distances[50, 0] == 0


def test_neighbours_in_many_blocks_are_those_in_one():
    one = points(0, 300, 10, equal=True)
    whole = neighbours(one, count=5)
    with sklearn.config_context(working_memory=0.02):  # MiB: some 8 rows of float64 at a time
        parts = neighbours(one, count=5)
    assert np.array_equal(parts.indices, whole.indices)
    assert np.array_equal(parts.distances, whole.distances)


def test_neighbours_come_in_the_order_of_their_distance():
    reals = np.array([[0.0], [10.0], [4.0]])
    assert neighbours(np.array([[9.0], [1.0]]), reals, count=2).indices.tolist() == [[1, 2], [0, 2]]


def test_squared_distances_are_never_negative_and_nearly_exact():
    one, other = points(0, 50, 30, equal=False) * 100, points(1, 60, 30, equal=False) * 100
    found = squared_distances(one, other)
    exact = ((one[:, np.newaxis].astype(np.float64) - other) ** 2).sum(axis=2)
    assert found.dtype == np.float32
    assert np.allclose(found, exact, rtol=1e-5)
    assert squared_distances(one, one).min() >= 0
