import numpy as np
import pytest

from pipeline.images.png import decode_png, encode_png


@pytest.mark.parametrize("shape", [(20, 30, 3), (20, 30, 1)])
def test_decode_png_returns_the_encoded_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(decode_png(encode_png(pixels)), pixels)
    assert encode_png(pixels) == encode_png(pixels.copy())


def test_grey_without_a_channel_axis_is_encoded():
    pixels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert np.array_equal(decode_png(encode_png(pixels))[..., 0], pixels)
