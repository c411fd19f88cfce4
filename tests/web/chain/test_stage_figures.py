"""The figures of stages in words, also of summaries that another version wrote."""

import pytest

from pipeline.store.manifest import Manifest
from pipeline.web.chain.stage_figures import figures, headline, notices

FILTER = {"images": 616, "kept": 250, "rejected": 314, "unsure": 52, "threshold": 0.82, "band": [0.77, 0.87]}
FILTER |= {"expected_precision": 0.9509, "proof": {"low": 0.8802, "high": 0.9963, "labels": 20, "more": 179}}
FILTER |= {"expected_recall": 0.6307, "notices": ["more on-target squares would be kept with 40 more labels"]}
FILTER |= {"recall": {"low": 0.5714, "high": 0.8477, "labels": 80, "missed": 123, "borderline": 43}}
FILTER |= {"notice": "precision 0.95 is expected but not confirmed yet"}
GENERATE = {"count": 200, "kid": 15.811, "kid_error": 0.8307, "kid_floor": 0.0641, "extractor": "lite0", "recall": 0.0}


def manifest(stage, summary, **facts):
    return Manifest(stage=stage, version=1, dataset="cats", key="k", options={}, inputs={}, summary=summary, **facts)


def words(stage, summary):
    return {figure.name: figure.value for figure in figures(manifest(stage, summary))}


def test_filter_has_precision_and_recall_with_intervals_in_the_words_of_the_console():
    found = words("filter", FILTER)
    assert found["kept"] == "250 of 616 squares"
    assert found["kept from a score of"] == "0.870"
    assert found["precision"] == "about 0.951 (0.880 to 0.996 by 20 labels)"
    assert found["recall"].startswith("about 0.631 (0.571 to 0.848 by 80 labels): about 80 on-target squares")


def test_samples_have_kid_with_error_floor_and_extractor():
    found = words("generate", GENERATE)
    assert found["KID"] == "15.811 ± 0.831"
    assert found["KID of reals (floor)"] == "0.064"
    assert found["which means"] == "worse than reals"
    assert found["extractor"] == "lite0"
    assert found["recall"] == "0.000"
    assert "precision" not in found


@pytest.mark.parametrize(
    ("stage", "summary", "text"),
    [
        ("download", {"saved": 6667, "requested": 7000}, "6,667 of 7,000 saved"),
        ("normalize", {"kept": 616, "size": 48}, "616 squares of 48 px"),
        ("classifier", {"labels_on": 30, "labels_off": 50}, "from 80 labels"),
        ("filter", FILTER, "250 of 616 kept"),
        ("gan", {"epochs": 1}, "1 epoch"),
        ("generate", GENERATE, "KID 15.811 ± 0.831"),
        ("generate", {"count": 12, "kid": None}, "12 samples"),
        ("report", {"figures": 38}, "38 figures"),
    ],
)
def test_headline_is_what_a_stage_made_in_a_few_words(stage, summary, text):
    assert headline(manifest(stage, summary)) == text


@pytest.mark.parametrize("summary", [{}, {"kept": "many", "images": None}, {"kid": "low"}, {"reasons": [1], "band": 3}])
@pytest.mark.parametrize("stage", ["download", "normalize", "classifier", "filter", "gan", "generate", "report", "x"])
def test_a_summary_of_another_version_is_no_obstacle(stage, summary):
    assert isinstance(headline(manifest(stage, summary)), str)
    assert all(isinstance(figure.value, str) for figure in figures(manifest(stage, summary)))


def test_notices_are_warnings_ended_alarms_and_what_is_unfinished_each_once():
    ended = "recovered at epoch 120: a plateau, which began at epoch 67"
    summary = {"notices": ["slow", "slow"], "recovered": [ended], "notice": 3}
    assert notices(manifest("gan", summary, unfinished="40 of 100 epochs")) == [
        "slow",
        ended,
        "unfinished: 40 of 100 epochs; the next run goes on",
    ]
    assert len(notices(manifest("filter", FILTER))) == 2
