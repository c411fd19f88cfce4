import os

import numpy as np
import pytest

from pipeline.images.png import decode_png, encode_png, write_whole


@pytest.mark.parametrize("shape", [(20, 30, 3), (20, 30, 1)])
def test_decode_png_returns_the_encoded_pixels(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert np.array_equal(decode_png(encode_png(pixels)), pixels)
    assert encode_png(pixels) == encode_png(pixels.copy())


def test_grey_without_a_channel_axis_is_encoded():
    pixels = np.arange(100, dtype=np.uint8).reshape(10, 10)
    assert np.array_equal(decode_png(encode_png(pixels))[..., 0], pixels)


def test_failed_write_leaves_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    write_whole(path, b"first")

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"second")
    monkeypatch.undo()
    assert path.read_bytes() == b"first"
    write_whole(path, b"third")
    assert path.read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [path]
