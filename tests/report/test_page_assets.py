import numpy as np
import pytest

from pipeline.images.contact_sheet import write_png
from pipeline.report.page_assets import Size, shown_size


@pytest.mark.parametrize(
    ("side", "shown"), [((10, 20), (30, 60)), ((498, 400), (996, 800)), ((501, 90), (501, 90)), ((1500, 9), (1500, 9))]
)
def test_pictures_are_shown_at_a_whole_multiple_of_their_size_and_never_smaller(tmp_path, side, shown):
    width, height = side
    write_png(tmp_path / "one.png", np.zeros((height, width, 3), np.uint8))
    assert shown_size(tmp_path / "one.png") == Size(width=shown[0], height=shown[1])


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(range(40)), bytes(40)])
def test_files_that_are_no_png_have_no_size(tmp_path, data):
    (tmp_path / "one.png").write_bytes(data)
    assert shown_size(tmp_path / "one.png") is None
