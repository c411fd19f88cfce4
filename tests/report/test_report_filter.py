"""The report shows the filter's figures with their intervals, and in words."""

import copy

from bs4 import BeautifulSoup

from pipeline.report.report import _render

from .test_report_hostile_words import SUMMARIES, _manifest


def render(tmp_path, **filter_summary) -> str:
    """The text of the report; `filter_summary` replaces figures of the filter."""
    summaries = copy.deepcopy(SUMMARIES)
    summaries["filter"] |= filter_summary
    found = {stage: _manifest(stage, summary) for stage, summary in summaries.items()}
    page = BeautifulSoup(_render("cats", found, tmp_path, {"truth": None}), "lxml")
    return " ".join(page.text.split())


def test_recall_stands_beside_precision_with_its_interval_and_advice(tmp_path):
    text = render(
        tmp_path,
        proof={"low": 0.9, "high": 0.98, "labels": 31},
        expected_precision=0.95,
        expected_recall=0.33,
        recall={"low": 0.25, "high": 0.45, "labels": 80, "missed": 200, "borderline": 0},
        raise_recall=[{"way": "labels", "more": 30, "text": "40 more labels (about 30 of them)"}],
    )
    assert (
        "filter precision about 0.950 (0.900 to 0.980 by 31 labels) filter recall about 0.330 (0.250 to 0.450 by 80"
        " labels): about 200 on-target squares are rejected"
    ) in text
    assert "More on-target squares would be kept with 40 more labels (about 30 of them)." in text


def test_report_of_an_earlier_filter_has_no_recall_interval(tmp_path):
    summary = {"recall": None, "raise_recall": []}
    assert "filter recall about" not in render(tmp_path, **summary)
