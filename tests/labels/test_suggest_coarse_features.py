"""Coarse features of squares."""

import numpy as np
from PIL import Image

from pipeline.labels.suggest import coarse_features


def test_coarse_features_are_the_mean_colours_of_areas(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8, :8] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (found,) = coarse_features([tmp_path / "a.png"])
    assert found.dtype == np.float32
    areas = found.reshape(4, 4, 3)
    assert (areas[:2, :2] == (1, 0, 0)).all()
    assert not areas[2:].any()


def test_grey_squares_have_features_like_rgb(tmp_path):
    Image.new("L", (16, 16), 255).save(tmp_path / "a.png")
    assert coarse_features([tmp_path / "a.png"]).tolist() == [[1.0] * 48]


def test_unreadable_file_has_grey_features(tmp_path):
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert coarse_features([tmp_path / "a.png", tmp_path / "b.png"]).tolist() == [[0.5] * 48] * 2


def test_no_paths_give_no_rows():
    assert coarse_features([]).shape == (0, 48)
