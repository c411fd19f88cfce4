"""The losses against the formulas of the paper, in NumPy, with loops."""

import numpy as np
import pytest

from pipeline.style.style_losses import content_loss, gram_matrix, layer_style_loss, style_loss, total_variation

RANDOM = np.random.default_rng(0)
F, P = RANDOM.normal(size=(2, 4, 5, 3)).astype(np.float32)


def gram_by_hand(maps: np.ndarray) -> np.ndarray:
    places = maps.shape[0] * maps.shape[1]
    found = np.zeros((maps.shape[2], maps.shape[2]))
    for i in range(maps.shape[2]):
        for j in range(maps.shape[2]):
            found[i, j] = sum(maps[y, x, i] * maps[y, x, j] for y in range(maps.shape[0]) for x in range(maps.shape[1]))
    return found / places


def test_the_content_loss_is_half_of_the_squared_differences():
    assert float(content_loss(F, P)) == pytest.approx(
        0.5 * sum((f - p) ** 2 for f, p in zip(F.flat, P.flat, strict=True)), rel=1e-5
    )


def test_the_content_loss_of_equal_maps_is_0():
    assert float(content_loss(F, F)) == 0


def test_a_gram_matrix_has_the_mean_products_of_filters():
    np.testing.assert_allclose(np.asarray(gram_matrix(F)), gram_by_hand(F), rtol=1e-5, atol=1e-6)


def test_a_gram_matrix_does_not_depend_on_where_things_are():
    moved = np.roll(F, (1, 2), axis=(0, 1))
    np.testing.assert_allclose(np.asarray(gram_matrix(moved)), np.asarray(gram_matrix(F)), rtol=1e-5, atol=1e-6)


def test_the_style_loss_of_a_layer_is_that_of_the_paper():
    """Equation 4 with Gram matrices that are sums over M places: Σ (G - A)² / (4 N² M²)."""
    places, filters = 20, 3
    sums = [gram_by_hand(maps) * places for maps in (F, P)]
    expected = ((sums[0] - sums[1]) ** 2).sum() / (4 * filters**2 * places**2)
    assert float(layer_style_loss(gram_matrix(F), gram_matrix(P))) == pytest.approx(expected, rel=1e-4)


def test_the_style_loss_weights_each_layer():
    grams = {"a": gram_by_hand(F), "b": gram_by_hand(P)}
    wanted = {"a": np.eye(3), "b": np.zeros((3, 3))}
    each = {name: float(layer_style_loss(grams[name], wanted[name])) for name in grams}
    found = float(style_loss(grams, wanted, {"a": 2.0, "b": 0.5}))
    assert found == pytest.approx(2 * each["a"] + 0.5 * each["b"])


def test_the_style_loss_leaves_out_layers_without_a_weight():
    grams = {"a": gram_by_hand(F), "b": gram_by_hand(P)}
    assert float(style_loss(grams, grams | {"b": np.zeros((3, 3))}, {"a": 1.0})) == 0


def test_the_variation_is_the_sum_of_differences_of_neighbours():
    expected = sum(abs(F[y + 1, x, c] - F[y, x, c]) for y in range(3) for x in range(5) for c in range(3))
    expected += sum(abs(F[y, x + 1, c] - F[y, x, c]) for y in range(4) for x in range(4) for c in range(3))
    assert float(total_variation(F)) == pytest.approx(expected, rel=1e-5)


def test_a_picture_of_one_colour_has_no_variation():
    assert float(total_variation(np.full((4, 5, 3), 0.7, np.float32))) == 0
