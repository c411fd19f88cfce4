import cv2
import numpy as np
import pytest

from pipeline.images.contact_sheet import contact_sheet, write_png


def uniform_images(*levels: int, channels: int = 3) -> np.ndarray:
    return np.stack([np.full((4, 6, channels), level, np.uint8) for level in levels])


def test_images_are_arranged_in_rows_with_gaps():
    sheet = contact_sheet(uniform_images(10, 20, 30, 40, 50), 3, gap=2, background=255)
    assert sheet.shape == (4 + 2 + 4, 3 * 6 + 2 * 2, 3)
    assert [sheet[0, 0, 0], sheet[0, 8, 0], sheet[3, 21, 0], sheet[6, 0, 0], sheet[9, 13, 0]] == [10, 20, 30, 40, 50]
    assert (sheet[4:6] == 255).all()
    assert (sheet[:, 6:8] == 255).all()
    assert (sheet[6:, 14:] == 255).all()


def test_list_of_few_grey_images_gives_a_narrow_sheet():
    sheet = contact_sheet(list(uniform_images(10, 20, channels=1)), 5, gap=0, background=0)
    assert sheet.shape == (4, 12, 1)
    assert sheet.dtype == np.uint8


def test_no_images_raise_value_error():
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([], 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_write_png_keeps_the_colours(tmp_path, channels):
    picture = np.arange(8 * 8 * channels, dtype=np.uint8).reshape(8, 8, channels)
    write_png(tmp_path / "sheet.png", picture)
    shown = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(shown, np.broadcast_to(picture, (8, 8, 3)))
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
