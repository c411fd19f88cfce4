"""The one way in which a stage reports progress and stops."""

import pytest

from pipeline.errors import Stopped
from pipeline.progress import StageProgress, never, silent


def test_stage_progress_counts_the_pieces_before_each_of_them():
    reported = []
    watch = StageProgress(lambda *told: reported.append(told), never, 2)
    watch("cutting")
    watch("gluing")
    assert reported == [(0, 2, "cutting"), (1, 2, "gluing")]


def test_stage_progress_reports_a_piece_before_it_stops():
    reported = []
    watch = StageProgress(lambda *told: reported.append(told), lambda: True)
    with pytest.raises(Stopped, match=r"^stopped at 64 of 500 pictures drawn; the next run"):
        watch.report(64, 500, "pictures drawn")
    assert reported == [(64, 500, "pictures drawn")]


def test_stage_progress_stops_before_the_next_piece():
    asked = iter([False, True])
    watch = StageProgress(silent, lambda: next(asked), 3)
    watch("cutting")
    with pytest.raises(Stopped, match=r"^stopped at 1 of 3, gluing; "):
        watch("gluing")
