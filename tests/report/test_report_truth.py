import weakref

import pytest

from pipeline.demo.catalogue import entry
from pipeline.report.report import measure_against_ground_truth


def picture(truth: str, *, skip: int = 0) -> str:
    """The URL of the first demo picture (after `skip`) with this ground truth."""
    found = [each for number in range(100) if (each := entry(number)).truth == truth]
    return f"demo:/v1/100{found[skip].path}"


def downloaded(id: str, url: str, engine: str = "demo") -> dict:
    return {"id": id, "url": url, "engine": engine, "outcome": "saved"}


def scored(id: str, outcome: str, label: str | None = None) -> dict:
    return {"id": id, "outcome": outcome, "label": label}


def test_ground_truth_metrics_use_unlabelled_squares_only():
    rows = [downloaded("a", picture("on")), downloaded("b", picture("off")), downloaded("c", picture("on", skip=1))]
    scores = [scored("a", "kept"), scored("b", "kept"), scored("c", "rejected", label="on")]
    assert measure_against_ground_truth(rows, scores) == {"pictures": 2, "precision": 0.5, "recall": 1.0}


def test_ground_truth_metrics_are_none_for_other_subjects():
    def never_read():
        pytest.fail("scores are read")
        yield

    assert measure_against_ground_truth([downloaded("a", "http://x/1.jpg", "bing")], never_read()) is None


def test_rows_of_other_subjects_are_not_kept():
    class Row(dict):
        """A row that can be referred to weakly."""

    def rows():
        nonlocal most
        for number in range(100):
            row = Row(downloaded(f"{number}", "http://x/1.jpg", "bing"))
            alive.add(row_id := id(row))
            weakref.finalize(row, alive.discard, row_id)
            most = max(most, len(alive))
            yield row

    alive, most = set(), 0
    assert measure_against_ground_truth(rows(), []) is None
    assert most <= 3
