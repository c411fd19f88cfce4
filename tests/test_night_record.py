"""The records of a night: what is read of damaged files, and what a summary counts."""

from datetime import date

import pytest

from pipeline import night_record
from pipeline.night_record import SUMMARY, Figures, NightSummary, Turn

NIGHT = date(2026, 11, 30)


def summary(*outcomes: str, night: date = NIGHT) -> NightSummary:
    turns = tuple(Turn(subject=f"s{number}", outcome=outcome) for number, outcome in enumerate(outcomes))
    return NightSummary(date=night, began="2026-11-30T02:00:00+00:00", ended="2026-11-30T05:00:00+00:00", turns=turns)


def test_a_record_is_read_as_it_was_written(tmp_path):
    night_record.write(tmp_path / "deep" / SUMMARY, summary("done", "hung"))
    assert night_record.read(tmp_path / "deep" / SUMMARY, NightSummary) == summary("done", "hung")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"date": "today"}', b"\xff\xfe"])
def test_a_damaged_record_counts_as_missing(tmp_path, text):
    (tmp_path / SUMMARY).write_bytes(text)
    assert night_record.read(tmp_path / SUMMARY, NightSummary) is None


def test_nights_are_the_folders_named_by_dates_the_newest_first(tmp_path):
    for name in ("2026-11-29", "2026-11-30", "latest", "2026-13-01", "20261130", "notes"):
        (tmp_path / name).mkdir()
    (tmp_path / "2026-12-01").write_text("a file")
    assert [path.name for path in night_record.nights(tmp_path)] == ["2026-11-30", "2026-11-29"]
    assert night_record.nights(tmp_path / "missing") == []


def test_the_newest_summary_is_that_of_the_last_night_that_has_one(tmp_path):
    night_record.write(tmp_path / "2026-11-29" / SUMMARY, summary("done"))
    (tmp_path / "2026-11-30").mkdir()
    found = night_record.newest_summary(tmp_path)
    assert found is not None
    assert found.counts() == {"done": 1}


@pytest.mark.parametrize(
    ("outcomes", "outcome"),
    [
        (("done", "covered"), "done"),
        (("done", "next", "skipped"), "next"),
        (("next", "failed"), "failed"),
        (("killed",), "failed"),
        (("hung",), "failed"),
        ((), "done"),
    ],
)
def test_a_night_failed_if_a_subject_did(outcomes, outcome):
    assert summary(*outcomes).outcome == outcome


def test_new_pictures_are_counted_of_a_turn_that_was_had():
    before, after = Figures(pictures=30), Figures(pictures=44)
    had = Turn(subject="cats", outcome="done", began="2026-11-30T02:00:00+00:00", before=before, after=after)
    assert had.new_pictures == 14
    assert had.model_copy(update={"before": Figures()}).new_pictures == 44
    assert had.model_copy(update={"began": ""}).new_pictures is None
