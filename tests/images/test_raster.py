import numpy as np
import pytest

from pipeline.images.raster import Raster, resize


def blocks(pixels: np.ndarray, scale: int) -> Raster:
    """`pixels` known by averages over whole blocks and, at the end, over what is left."""
    height, width, channels = pixels.shape
    rows, columns = -(-height // scale), -(-width // scale)
    filled = np.pad(pixels, ((0, rows * scale - height), (0, columns * scale - width), (0, 0)), mode="edge")
    means = filled.reshape(rows, scale, columns, scale, channels).mean(axis=(1, 3))
    return Raster(pixels=np.rint(means).astype(np.uint8), height=height, width=width, scale=scale)


@pytest.mark.parametrize("scale", [2, 3, 8])
@pytest.mark.parametrize("level", [0, 1, 127, 255])
def test_one_colour_stays_that_colour_to_the_last_pixel(scale, level):
    raster = blocks(np.full((533, 800, 3), level, np.uint8), scale)
    shown = raster.shown(top=0, left=133, height=533, width=533, size=(33, 32))
    assert shown.shape == (33, 32, 3)
    assert (shown == level).all()


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_slope_comes_out_as_if_every_pixel_were_known(scale):
    down, across = np.mgrid[0:533, 0:800]
    slope = np.stack([across / 4 + 20, down / 3 + 10, across / 8 + down / 6], axis=-1)
    pixels = np.rint(slope).astype(np.uint8)
    for place in (
        {"top": 0, "left": 133, "height": 533, "width": 533},
        {"top": 11, "left": 5, "height": 401, "width": 700},
    ):
        whole = Raster.of(pixels).shown(**place, size=(32, 32))
        assert np.abs(blocks(pixels, scale).shown(**place, size=(32, 32)).astype(int) - whole).max() <= 1


@pytest.mark.parametrize("scale", [1, 4])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_turning_blocks_is_turning_the_picture(draw, scale, orientation):
    pixels = resize(draw(1), 401, 299)
    turned = Raster.of(pixels).turned(orientation)
    raster = blocks(pixels, scale).turned(orientation)
    assert (raster.height, raster.width) == (turned.height, turned.width) == turned.pixels.shape[:2]
    place = {"top": 31, "left": 17, "height": 210, "width": 250, "size": (40, 40)}
    assert np.abs(raster.shown(**place).astype(int) - turned.shown(**place)).mean() < 1


def test_what_stands_alone_does_not_spill_beyond_what_is_black_and_white():
    stripes = np.zeros((256, 256, 1), np.uint8)
    stripes[:, 100:150] = 255
    shown = blocks(stripes, 4).shown(top=0, left=0, height=256, width=256, size=(32, 32))
    assert shown.min() == 0
    assert shown.max() == 255
    assert abs(shown.mean() - stripes.mean()) < 1
