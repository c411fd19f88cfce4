from pathlib import Path

import numpy as np
import pytest

from pipeline.images.sheet import write_png
from pipeline.options import ReportOptions
from pipeline.report.page import Sources, _copy_overview, _overview


def test_the_sheets_of_the_squares_come_in_order_and_with_their_numbers():
    summary = {"kept": 9, "duplicate": 0, "reasons": {"too small": 1, "low_information": 4, "corrupt": 4}}
    assert _overview(summary) == [
        ("squares-kept.png", "kept", 9),
        ("squares-corrupt.png", "corrupt", 4),
        ("squares-low-information.png", "low information", 4),
        ("squares-too-small.png", "too small", 1),
    ]


@pytest.mark.parametrize("made", [True, False])
def test_the_page_has_copies_of_them_if_there_are_any(tmp_path: Path, made):
    normalize, page = tmp_path / "normalize", tmp_path / "page"
    page.mkdir()
    if made:
        (normalize / "sheets").mkdir(parents=True)
        write_png(normalize / "sheets" / "kept.png", np.zeros((4, 4, 3), np.uint8))
    sources = Sources(download=tmp_path, normalize=normalize, kept=tmp_path, gan=tmp_path, generate=tmp_path)
    _copy_overview(ReportOptions(), sources, page)
    assert [path.name for path in page.iterdir()] == ["squares-kept.png"] * made
