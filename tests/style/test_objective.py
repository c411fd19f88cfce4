"""The sum of the losses: its gradient, its weights, what the losses are relative to, and the shifts."""

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.style.feature_maps import FeatureNetwork
from pipeline.style.objective import Objective, Weights
from tests.style.drawn_pictures import checks, disc
from tests.style.tiny_network import KNOWN, tiny_network

CONTENT, STYLE = (picture.astype(np.float32) / 255 for picture in (disc(32), checks(32)))
PICTURE = np.random.default_rng(2).random(CONTENT.shape, np.float32)


def objective(*, shift=0, styles=(STYLE,), shares=(1.0,), content=CONTENT, **weights):
    chosen = {
        "content": 1.0,
        "style": 10.0,
        "variation": 0.1,
        "content_layers": KNOWN.content,
        "style_layers": KNOWN.style,
    }
    return Objective(
        tiny_network(), content, styles, shares=shares, weights=Weights(**(chosen | weights)), shift=shift, seed=0
    )


def test_the_total_is_the_weighted_sum():
    value = objective()(PICTURE, 1)
    assert value.total == pytest.approx(value.content + 10 * value.style + 0.1 * value.variation, rel=1e-5)


@pytest.mark.parametrize("shift", [0, 3])
def test_the_gradient_is_that_of_the_total(shift):
    """Against differences along random directions."""
    compute = objective(shift=shift)
    value = compute(PICTURE, 1)
    for seed in range(3):
        direction = np.random.default_rng(seed).standard_normal(PICTURE.shape, np.float32)
        step = np.float32(2e-3)
        difference = compute(PICTURE + step * direction, 1).total - compute(PICTURE - step * direction, 1).total
        assert difference / (2 * step) == pytest.approx(float((value.gradient * direction).sum()), rel=0.03, abs=0.02)


def test_the_content_itself_has_no_content_loss_and_the_style_no_style_loss():
    compute = objective()
    assert compute(CONTENT, 1).content == pytest.approx(0, abs=1e-9)
    assert compute(STYLE, 1).style == pytest.approx(0, abs=1e-9)
    assert compute(PICTURE, 1).content > 0.01
    assert compute(PICTURE, 1).style > 0.01


def test_the_variation_is_a_mean_over_the_values():
    flat, steps = np.full_like(PICTURE, 0.5), np.zeros_like(PICTURE)
    steps[:, 1::2] = 1
    assert objective()(flat, 1).variation == 0
    assert objective()(steps, 1).variation == pytest.approx(31 / 32)


def test_losses_of_pictures_of_several_sizes_can_be_compared():
    found = []
    for side in (32, 64):
        content = disc(side).astype(np.float32) / 255
        found.append(objective(content=content)(np.full_like(content, 0.5), 1))
    assert found[1].content == pytest.approx(found[0].content, rel=0.25)
    assert found[1].style == pytest.approx(found[0].style, rel=0.25)


def test_a_layer_counts_by_its_weight():
    each = [objective(style_layers={name: 3.0})(PICTURE, 1).style for name in ("first", "second")]
    both = objective(style_layers={"first": 3.0, "second": 1.0})(PICTURE, 1).style
    assert both == pytest.approx(0.75 * each[0] + 0.25 * each[1], rel=1e-4)


def test_mixed_styles_pull_as_the_sum_of_their_losses():
    """The gradient of the loss to the mixed Gram matrix is that of the mixed losses, apart from the unit."""
    other = checks(32, cell=8, seed=7).astype(np.float32) / 255

    def gradient(styles, shares):
        compute = objective(
            styles=styles, shares=shares, style_layers={"second": 1.0}
        )  # of one layer there is one unit
        without = objective(styles=styles, shares=shares, style=0.0)
        return (compute(PICTURE, 1).gradient - without(PICTURE, 1).gradient).ravel().astype(float)

    mixed = gradient((STYLE, other), (0.25, 0.75))
    alone = np.stack([gradient((style,), (1.0,)) for style in (STYLE, other)], axis=1)
    (first, second), *_ = np.linalg.lstsq(alone, mixed, rcond=None)
    np.testing.assert_allclose(alone @ (first, second), mixed, atol=1e-3 * np.abs(mixed).max())
    of_zero = [
        float(np.sum(np.square(objective(styles=(each,), style_layers={"second": 1.0})._grams[0])))
        for each in (STYLE, other)
    ]  # to which each loss is relative
    assert first / second == pytest.approx(0.25 * of_zero[0] / (0.75 * of_zero[1]), rel=1e-3)


def test_a_layer_without_a_place_for_so_few_pixels_is_refused():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Lambda(lambda maps: maps[:, 32::2, ::2], name="first")(inputs))
    network = FeatureNetwork(known=KNOWN, digest="0" * 64, model=model, prepare=lambda pictures: pictures)
    weights = Weights(content=1.0, style=1.0, variation=0.0, content_layers={"first": 1.0}, style_layers={"first": 1.0})
    small = CONTENT[:16, :20]
    with pytest.raises(UserError, match="20 x 16 pixels are too few for the layer first: choose shallower layers"):
        Objective(network, small, (small,), shares=(1.0,), weights=weights, shift=0, seed=0)


def test_the_picture_is_moved_and_the_content_with_it():
    compute = objective(shift=3)
    found = [compute(PICTURE, number) for number in range(8)]
    assert len({value.style for value in found}) > 1
    assert [compute(CONTENT, number).content for number in range(8)] == pytest.approx([0] * 8, abs=1e-9)


def test_a_content_of_one_colour_is_no_fault():
    value = objective(content=np.zeros_like(CONTENT))(PICTURE, 1)
    assert np.isfinite(value.total)
    assert np.isfinite(value.gradient).all()
