"""The report shows the filter's figures with their intervals, and in words."""

import copy
import dataclasses

from bs4 import BeautifulSoup

from pipeline.gan.model_card import _filter
from pipeline.options import ReportOptions
from pipeline.report import report
from pipeline.report.report import StageFolders, _write_filter, count_reasons
from pipeline.report.report_page import render_page
from pipeline.store import manifest as manifests
from pipeline.store.jsonl import write_rows

from .test_report_hostile_words import SUMMARIES, _manifest


def render(tmp_path, reasons=None, **filter_summary) -> str:
    """The text of the report; `filter_summary` replaces figures of the filter."""
    summaries = copy.deepcopy(SUMMARIES)
    summaries["filter"] |= filter_summary
    found = {stage: _manifest(stage, summary) for stage, summary in summaries.items()}
    page = BeautifulSoup(render_page("cats", found, tmp_path, {"truth": None}, reasons), "lxml")
    return " ".join(page.get_text(" ").split())


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


BAND = {"threshold": 0.5, "band": [0.45, 0.55], "offset": 0.0}


def test_line_text_and_card_show_one_number(tmp_path, monkeypatch):
    """The score from which squares are kept; the middle of the band, the setting, is not shown."""
    kept, page, classifier = (tmp_path / name for name in ("kept", "page", "classifier"))
    for folder in (kept, page, classifier):
        folder.mkdir()
    outcomes = ["kept" if n > 5 else "rejected" for n in range(10)]
    rows = [{"id": str(n), "score": n / 10, "label": None, "outcome": outcome} for n, outcome in enumerate(outcomes)]
    write_rows(kept / "scores.jsonl", rows)
    for name in ("holdout.jsonl", "out_of_fold.jsonl"):
        write_rows(classifier / name, [{"label": "on" if n > 4 else "off", "score": n / 10} for n in range(10)])
    made = dataclasses.replace(_manifest("filter", BAND), files=manifests.list_files(kept))
    manifests.write(made, kept)
    drawn = {}
    monkeypatch.setattr(report, "save", lambda axes, path: drawn.update({path.name: axes}))
    folders = dict.fromkeys(("download", "normalize", "gan", "generate"), tmp_path)
    _write_filter(ReportOptions(), StageFolders(**folders, kept=kept, classifier=classifier), page)
    (line,) = [line for line in drawn["filter-scores.png"].lines if line.get_linestyle() == "-"]
    assert line.get_xdata()[0] == 0.55
    for plot in ("filter-scores.png", "filter-precision-recall.png"):
        assert "kept from 0.550" in drawn[plot].get_legend_handles_labels()[1]
    assert "Kept with a score of at least 0.550" in render(tmp_path, **BAND)
    assert _filter(made)["kept_from"] == 0.55


def test_reasons_stand_under_their_outcome(tmp_path):
    rows = [
        *[{"outcome": "rejected", "reason": "not an image: html"}] * 2,
        {"outcome": "failed", "reason": "status 404"},
        {"outcome": "duplicate", "reason": "same bytes"},
        {"outcome": "saved", "reason": ""},
    ]
    reasons = {"download": count_reasons(rows), "normalize": {"rejected": {"too small": 7}}}
    text = render(tmp_path, reasons)
    crawl = text[text.index("Crawl requested") :]
    order = ["duplicate 1", "same bytes 1", "rejected 1", "not an image: html 2", "failed 1", "status 404 1", "Squares"]
    places = [crawl.index(words) for words in order]
    assert places == sorted(places)
    assert "rejected 1 too small: 7 below normalize.min_side" in crawl


def test_precision_and_recall_of_filter_and_samples_are_told_apart_in_words(tmp_path):
    text = render(tmp_path)
    assert "Filter precision: Of the squares that the filter keeps, the fraction that is on target." in text
    assert "Filter recall: Of the squares that are on target, the fraction that the filter keeps." in text
    assert "sample precision 0.500 Of the samples, the fraction that looks like some real picture." in text
    assert "sample recall 0.500 Of the real pictures, the fraction that looks like some sample" in text
    assert text.index("KID: Kernel inception distance") < text.index("Scores of the samples.")


def test_small_pictures_name_the_setting_that_rejects_them(tmp_path):
    found = {stage: _manifest(stage, summary) for stage, summary in SUMMARIES.items()}
    found["normalize"] = dataclasses.replace(found["normalize"], options={"min_side": 64})
    html = render_page(
        "cats", found, tmp_path, {"truth": None}, {"download": {}, "normalize": {"rejected": {"too small": 7}}}
    )
    assert "too small: 7 below normalize.min_side = 64: lower it to keep them" in html
