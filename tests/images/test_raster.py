import numpy as np
import pytest

from pipeline.images.raster import Raster, resize


def block_averages(pixels: np.ndarray, scale: int) -> Raster:
    """A raster of averages of `pixels` over blocks; the blocks at the end may be incomplete."""
    height, width, channels = pixels.shape
    rows, columns = -(-height // scale), -(-width // scale)
    filled = np.pad(pixels, ((0, rows * scale - height), (0, columns * scale - width), (0, 0)), mode="edge")
    means = filled.reshape(rows, scale, columns, scale, channels).mean(axis=(1, 3))
    return Raster(pixels=np.rint(means).astype(np.uint8), height=height, width=width, scale=scale)


@pytest.mark.parametrize("scale", [2, 3, 8])
@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_uniform_colour_is_resampled_exactly(scale, level):
    raster = block_averages(np.full((533, 800, 3), level, np.uint8), scale)
    resampled = raster.resample(top=0, left=133, height=533, width=533, size=(33, 32))
    assert resampled.shape == (33, 32, 3)
    assert (resampled == level).all()


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_gradient_is_resampled_as_from_full_pixels(scale):
    down, across = np.mgrid[0:533, 0:800]
    slope = np.stack([across / 4 + 20, down / 3 + 10, across / 8 + down / 6], axis=-1)
    pixels = np.rint(slope).astype(np.uint8)
    for region in (
        {"top": 0, "left": 133, "height": 533, "width": 533},
        {"top": 11, "left": 5, "height": 401, "width": 700},
    ):
        whole = Raster.from_pixels(pixels).resample(**region, size=(32, 32))
        assert np.abs(block_averages(pixels, scale).resample(**region, size=(32, 32)).astype(int) - whole).max() <= 1


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_oriented_raster_shows_the_oriented_picture(draw, scale, orientation):
    pixels = resize(draw(1), 401, 299)
    oriented = Raster.from_pixels(pixels).oriented(orientation)
    raster = block_averages(pixels, scale).oriented(orientation)
    assert (raster.height, raster.width) == (oriented.height, oriented.width) == oriented.pixels.shape[:2]
    region = {"top": 31, "left": 17, "height": 210, "width": 250, "size": (40, 40)}
    assert np.abs(raster.resample(**region).astype(int) - oriented.resample(**region)).mean() < 1


def test_resampling_does_not_overshoot():
    stripes = np.zeros((256, 256, 1), np.uint8)
    stripes[:, 100:150] = 255
    resampled = block_averages(stripes, 4).resample(top=0, left=0, height=256, width=256, size=(32, 32))
    assert resampled.min() == 0
    assert resampled.max() == 255
    assert abs(resampled.mean() - stripes.mean()) < 1
