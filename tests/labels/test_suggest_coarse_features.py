"""What pictures look like at a glance."""

import numpy as np
from PIL import Image

from pipeline.labels.suggest import coarse_features


def test_each_area_has_its_mean_colour(tmp_path):
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8, :8] = (255, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (found,) = coarse_features([tmp_path / "a.png"])
    assert found.dtype == np.float32
    areas = found.reshape(4, 4, 3)
    assert (areas[:2, :2] == (1, 0, 0)).all()
    assert not areas[2:].any()


def test_grey_pictures_count_like_coloured_ones(tmp_path):
    Image.new("L", (16, 16), 255).save(tmp_path / "a.png")
    assert coarse_features([tmp_path / "a.png"]).tolist() == [[1.0] * 48]


def test_a_file_that_is_missing_or_no_picture_is_like_nothing_in_particular(tmp_path):
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert coarse_features([tmp_path / "a.png", tmp_path / "b.png"]).tolist() == [[0.5] * 48] * 2


def test_no_pictures_are_no_rows():
    assert coarse_features([]).shape == (0, 48)
