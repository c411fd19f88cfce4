import pytest

from pipeline.filter.words import (
    advice_words,
    kept_from,
    precision_words,
    recall_words,
    unconfirmed_words,
    validation_words,
)

ESTIMATE = {"low": 0.25, "high": 0.45, "labels": 80, "missed": 200, "missed_low": 150, "missed_high": 260}
SUMMARY = {
    "band": [0.45, 0.55],
    "expected_precision": 0.95,
    "proof": {"low": 0.9, "high": 0.98, "labels": 31},
    "expected_recall": 0.33,
    "recall": {**ESTIMATE, "borderline": 0},
}


def test_precision_and_recall_name_the_filter_and_their_intervals():
    assert precision_words(SUMMARY) == "filter precision about 0.950 (0.900 to 0.980 by 31 labels)"
    assert recall_words(SUMMARY) == (
        "filter recall about 0.330 (0.250 to 0.450 by 80 labels): about 200 on-target squares are rejected"
    )


def test_one_label_is_singular_and_thousands_are_separated():
    one = SUMMARY | {"proof": SUMMARY["proof"] | {"labels": 1}, "recall": SUMMARY["recall"] | {"labels": 1234}}
    assert precision_words(one).endswith("by 1 label)")
    assert "by 1,234 labels): " in recall_words(one)


@pytest.mark.parametrize(
    ("labels", "more", "words"),
    [
        (1, 3141, "1 label above 0.750 gives 0.50 to 0.97; about 3,141 more labels of squares"),
        (1200, 1, "1,200 labels above 0.750 give 0.50 to 0.97; about 1 more label of squares"),
        (30, None, "30 labels above 0.750 give 0.50 to 0.97; more than 5,000 more labels of squares"),
    ],
)
def test_notice_of_an_unconfirmed_precision_counts_labels(labels, more, words):
    estimate = {"low": 0.5, "high": 0.97, "labels": labels, "more": more}
    notice = unconfirmed_words(estimate, target=0.95, score=0.75, most=5000)
    assert notice.startswith(f"precision 0.95 is expected but not confirmed yet: {words}")


@pytest.mark.parametrize(
    ("missed", "borderline", "words"),
    [
        (200, 30, "about 170 on-target squares are rejected, about 30 borderline"),
        (1, 0, "about 1 on-target square is rejected"),
        (0, 0, "hardly any on-target square is rejected"),
    ],
)
def test_lost_squares_are_told_apart_in_rejected_and_borderline(missed, borderline, words):
    recall = ESTIMATE | {"missed": missed, "borderline": borderline}
    assert recall_words(SUMMARY | {"recall": recall}).endswith(f": {words}")


@pytest.mark.parametrize("summary", [{}, {"band": None, "proof": None, "expected_precision": None, "recall": None}])
def test_a_filter_without_a_threshold_has_no_words(summary):
    assert (precision_words(summary), recall_words(summary), advice_words(summary)) == ("", "", "")
    assert kept_from(summary) is None


def test_advice_names_every_way_in_its_order():
    ways = [{"text": "40 more labels (about 30 of them)"}, {"text": "filter.precision = 0.9"}]
    assert advice_words({"raise_recall": ways}) == (
        "more on-target squares would be kept with 40 more labels (about 30 of them); or with filter.precision = 0.9"
    )


def test_validation_words_say_what_the_filter_would_keep():
    found = {
        "on": {"kept": 9, "unsure": 1, "rejected": 2},
        "off": {"kept": 1, "unsure": 0, "rejected": 19},
        "on_kept": [0.75, 0.51, 0.91],
        "off_kept": [0.05, 0.01, 0.18],
    }
    assert validation_words({"validation": found}) == (
        "of the validation set it would keep 9 of 12 on target (0.750, 0.510 to 0.910) and 1 of 20 off target (0.050,"
        " 0.010 to 0.180)"
    )
    assert validation_words({}) == ""
