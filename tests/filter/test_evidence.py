"""The evidence of a finished filter, read from its files, gives the figures that the stage gave."""

import json

import pytest

from pipeline.errors import DamagedState, UserError
from pipeline.filter.evidence import read_evidence
from pipeline.filter.scores import Score, read_scores
from pipeline.filter.threshold_row import row_of_summary
from pipeline.filter.threshold_table import automatic_threshold, threshold_row
from pipeline.options import FilterOptions

OPTIONS = [
    FilterOptions(),
    FilterOptions(precision=0.8),
    FilterOptions(unsure=0.15),
    FilterOptions(threshold=0.3, unsure=0.1),
    FilterOptions(threshold=0.999, unsure=0.0),
    FilterOptions(threshold=0.0),
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_figures_from_the_files_are_those_of_the_stage(run_filter, trained, tmp_path, options):
    summary = run_filter(options).summary
    scores = read_scores(tmp_path)
    evidence = read_evidence(scores, summary["offset"], trained.folder)
    labelled_on = sum(score.label == "on" for score in scores)
    assert threshold_row(evidence, scores, summary["threshold"], options.unsure) == row_of_summary(summary, labelled_on)
    if options.threshold is None:
        assert automatic_threshold(evidence, options.precision, options.unsure) == summary["threshold"]


def test_filter_that_keeps_every_square_has_no_evidence(tmp_path):
    with pytest.raises(UserError, match=r"filter\.method = cnn"):
        read_evidence([Score(id="a", score=None, label=None, outcome="kept")], 0.0, tmp_path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"calibration": {"prior": 1.5}}', '{"calibration": {"prior": true}}']
)
def test_damaged_classifier_is_named(tmp_path, content):
    (tmp_path / "classifier.json").write_text(content)
    for name in ("holdout.jsonl", "out_of_fold.jsonl"):
        (tmp_path / name).write_text(json.dumps({"id": "a", "label": "on", "score": 0.9}) + "\n")
    with pytest.raises(DamagedState, match=r"classifier\.json"):
        read_evidence([Score(id="a", score=0.9, label="on", outcome="kept")], 0.0, tmp_path)
