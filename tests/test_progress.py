"""The one way in which a stage reports progress and stops."""

import io
import sys
import time
from types import SimpleNamespace

import pytest

from pipeline.errors import Stopped
from pipeline.progress import (
    StageProgress,
    TellingProgress,
    is_watched,
    never,
    shown_if_watched,
    silent,
    tell,
    with_time_left,
)


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


class Watched(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_bar_is_shown_to_a_person_who_watches_and_taken_away(monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := Watched())
    with shown_if_watched("toads") as progress:
        for step in range(5):
            progress(step, 40, "epoch 1 of 2 \x1b[2J")
            time.sleep(0.06)  # it is drawn ten times a second
    drawn = stream.getvalue()
    assert "toads" in drawn
    assert "epoch 1 of 2" in drawn
    assert "\x1b[2J" not in drawn
    assert drawn.endswith("\r")


def test_line_is_printed_whole_above_the_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := Watched())
    with shown_if_watched("toads") as progress:
        progress(1, 40)
        tell(progress, "alarm since epoch 3: \x1b[2Jmode collapse")
    line = next(each for each in stream.getvalue().replace("\r", "\n").split("\n") if "alarm" in each)
    assert line.strip().startswith("alarm since epoch 3: ")
    assert "\x1b[2J" not in stream.getvalue()


def test_line_is_told_only_to_a_progress_that_takes_lines():
    told, shown = [], []
    progress = TellingProgress(lambda *report: shown.append(report), told.append)
    tell(progress, "an alarm")
    progress(1, 2, "note")
    tell(silent, "nobody hears it")
    assert (told, shown) == (["an alarm"], [(1, 2, "note")])


def test_time_left_is_in_the_note_and_lines_pass(monkeypatch):
    notes, told = [], []
    monkeypatch.setattr("pipeline.progress.time", SimpleNamespace(monotonic=lambda: 7.0))
    progress = with_time_left(TellingProgress(lambda *report: notes.append(report), told.append), 125)
    progress(1, 9, "epoch 1 of 3")
    tell(progress, "an alarm")
    assert notes == [(1, 9, "2:05 left, epoch 1 of 3")]
    assert told == ["an alarm"]
    assert with_time_left(silent, 0.0) is silent


def test_nothing_is_shown_if_nobody_watches(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    with shown_if_watched("toads") as progress:
        progress(1, 40, "epoch 1")
    assert capsys.readouterr().err == ""


def test_a_notebook_is_watched(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    assert is_watched()
