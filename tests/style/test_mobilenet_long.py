"""MobileNet's published weights: from noise the loss of the style falls tenfold and more, and content is drawn."""

import numpy as np
import pytest

from benchmarks.style_textures import PATTERNS, TEXTURES
from pipeline.demo.picture import draw
from pipeline.style import StyleOptions, stylize
from pipeline.style.transfer import load_network

pytestmark = pytest.mark.long
CONTENT = draw("toadstool", np.random.default_rng(4), (128, 128))
STYLES = TEXTURES | PATTERNS
FALLS = {"chessboard": 4, "hatching": 8}  # times; 10 for the others. Pens draw finer than 128 pixels


@pytest.fixture(scope="module")
def network():
    from tests.conftest import REPOSITORY

    path = REPOSITORY.parent / "shared" / "data" / "weights" / "mobilenet_1_0_224_no_top.weights.h5"
    if not path.is_file():
        pytest.skip("needs ../shared/data, which is not here")
    return load_network(StyleOptions(network=str(path)))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_the_style_loss_falls_from_noise_and_the_content_is_drawn(network, style, optimizer):
    rows = []
    options = StyleOptions(size=128, start="noise", optimizer=optimizer, sheets=0)
    stylize(CONTENT, STYLES[style](), options=options, network=network, on_step=rows.append)
    assert rows[-1]["style"] < rows[0]["style"] / FALLS.get(style, 10)
    if style in TEXTURES:
        assert rows[-1]["content"] < 0.95  # 1 is a picture in which the network sees nothing


def test_long_and_small_pictures_are_drawn(network):
    long = np.ascontiguousarray(CONTENT[:32])
    made = stylize(long, long, options=StyleOptions(size=64, steps=3, shift=16, sheets=0), network=network)
    assert made.picture.shape == (16, 64, 3)
    assert np.isfinite(made.rows[-1]["total"])
