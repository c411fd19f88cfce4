import json

import pytest

from pipeline.errors import Stopped, UserError
from pipeline.filter.scores import kept_ids, read_features, read_scores
from pipeline.labels.snapshot import write_snapshot
from pipeline.labels.suggest import random_order
from pipeline.options import FilterOptions
from pipeline.progress import silent


def test_scores_have_a_row_for_every_square_sorted_by_id(run_filter, subject, tmp_path):
    summary = run_filter(FilterOptions()).summary
    scores = read_scores(tmp_path)
    assert [score.id for score in scores] == sorted(subject.truth)
    assert summary["images"] == summary["kept"] + summary["rejected"] + summary["unsure"] == 60
    assert kept_ids(tmp_path) == [score.id for score in scores if score.outcome == "kept"]
    assert len(kept_ids(tmp_path)) == summary["kept"]
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert all(list(row) == ["id", "score", "label", "outcome", "spread", "suspect"] for row in rows)


def test_kept_squares_reach_the_requested_precision(run_filter, subject, tmp_path):
    summary = run_filter(FilterOptions(precision=0.8)).summary
    free = [id for id in kept_ids(tmp_path) if id not in subject.given]
    assert sum(subject.truth[id] == "on" for id in free) >= 0.8 * len(free)
    assert free
    assert summary["expected_precision"] >= 0.795


def test_label_overrides_the_score(run_filter, subject, tmp_path):
    ids = sorted(subject.truth)
    values = {id: ("on", "off", "unsure")[place % 3] for place, id in enumerate(ids)}
    summary = run_filter(FilterOptions(), labels=write_snapshot(values, tmp_path.parent)).summary
    assert kept_ids(tmp_path) == ids[::3]
    assert (summary["labelled_on"], summary["labelled_off"], summary["labelled_unsure"]) == (20, 20, 20)


def test_given_threshold_is_used(run_filter, tmp_path):
    summary = run_filter(FilterOptions(threshold=0.3, unsure=0.1)).summary
    assert (summary["threshold"], summary["band"]) == (0.3, [0.2, 0.4])
    free = [score for score in read_scores(tmp_path) if score.label is None]
    for score in free:
        wanted = "kept" if score.score >= 0.4 else "rejected" if score.score < 0.2 else "unsure"
        assert score.outcome == wanted


def test_labelled_squares_have_scores_from_models_that_did_not_train_on_them(run_filter, trained, tmp_path):
    run_filter(FilterOptions())
    unseen = {}
    for name in ("holdout.jsonl", "out_of_fold.jsonl"):
        found = [json.loads(line) for line in (trained.folder / name).read_text().splitlines()]
        unseen |= {row["id"]: row["score"] for row in found}
    shown = {score.id: score.score for score in read_scores(tmp_path) if score.label}
    assert shown == unseen


def test_scores_have_standard_errors_and_features_are_written(run_filter, tmp_path):
    run_filter(FilterOptions())
    scores, features = read_scores(tmp_path), read_features(tmp_path)
    assert all(score.spread is None for score in scores if score.label)
    assert all(0 <= score.spread < 2 for score in scores if not score.label)
    assert any(score.spread for score in scores)
    assert features.shape[0] == len(scores)
    assert features.std(axis=0).max() > 0


def test_wrong_label_is_suspect(run_filter, subject, trained, tmp_path):
    """The label is reversed after the training, so that the out-of-fold score contradicts it."""
    scores = {score.id: score for score in (run_filter(FilterOptions()), read_scores(tmp_path))[1]}
    wrong = max((id for id in subject.given if subject.given[id] == "on"), key=lambda id: scores[id].score)
    other = tmp_path / "other"
    other.mkdir()
    labels = write_snapshot(subject.given | {wrong: "off"}, tmp_path.parent)
    run_filter(FilterOptions(), labels=labels, folder=other)
    assert wrong in {score.id for score in read_scores(other) if score.suspect}
    assert sum(score.suspect for score in read_scores(other)) <= 3


def test_summary_has_the_precision_interval_and_confusion(run_filter):
    summary = run_filter(FilterOptions(precision=0.8)).summary
    proof = summary["proof"]
    assert 0 < proof["low"] <= proof["high"] <= 1
    assert proof["labels"] <= 40
    cells = [summary["confusion"][label][name] for label in ("on", "off") for name in ("kept", "unsure", "rejected")]
    assert sum(cells) == 40
    assert summary["confusion"]["on"]["kept"] > summary["confusion"]["off"]["kept"]


def test_random_labels_give_the_class_prior(run_filter, subject, tmp_path):
    fair = random_order(sorted(subject.truth))[:40]
    given = {id: subject.truth[id] for id in fair} | dict.fromkeys(fair[::10], "unsure")
    summary = run_filter(FilterOptions(), labels=write_snapshot(given, tmp_path.parent)).summary
    certain = [label for label in given.values() if label != "unsure"]
    assert summary["fair_labels"] == 36
    assert summary["fair_share"][0] == pytest.approx(certain.count("on") / 36, abs=1e-4)
    assert summary["fair_share"][1] < summary["fair_share"][0] < summary["fair_share"][2]
    assert 0.3 < summary["expected_share"] < 0.7


def test_filter_keeps_labelled_squares_if_all_on_target_ones_are_labelled(run_filter, subject, tmp_path):
    """No threshold keeps any of the other squares."""
    on = write_snapshot({id: "on" for id, label in subject.truth.items() if label == "on"}, tmp_path.parent)
    summary = run_filter(FilterOptions(), labels=on).summary
    assert summary["kept"] >= 30


def test_precision_out_of_reach_gives_a_notice(run_filter):
    summary = run_filter(FilterOptions(precision=1.0)).summary
    assert summary["expected_precision"] < 0.995
    assert "precision 1 is out of reach" in summary["notice"]


def test_output_digest_depends_on_the_kept_squares(run_filter):
    base, same, fewer = (run_filter(FilterOptions(threshold=at, unsure=0.0)).outputs["kept"] for at in (0.0, 0.0, 0.6))
    assert base == same
    assert base != fewer


def test_method_none_keeps_every_square(run_filter, subject, tmp_path):
    summary = run_filter(FilterOptions(method="none"), labels=None, classifier=None).summary
    assert kept_ids(tmp_path) == sorted(subject.truth)
    assert summary["threshold"] is None
    assert {score.score for score in read_scores(tmp_path)} == {None}


def test_method_none_rejects_squares_labelled_off(run_filter, subject, tmp_path):
    run_filter(FilterOptions(method="none"), classifier=None)
    assert kept_ids(tmp_path) == sorted(id for id in subject.truth if subject.given.get(id) != "off")


def test_nothing_kept_error_names_the_threshold_and_the_remedy(run_filter, tmp_path):
    none = write_snapshot({}, tmp_path.parent)
    with pytest.raises(UserError, match=r"no score reaches 1, .*highest score is 0\.\d+.*lower --filter-threshold"):
        run_filter(FilterOptions(threshold=1.0), labels=none)
    assert not (tmp_path / "scores.jsonl").exists()


def test_all_labelled_off_raises_an_error(run_filter, subject, tmp_path):
    off = write_snapshot(dict.fromkeys(subject.truth, "off"), tmp_path.parent)
    with pytest.raises(UserError, match="all 60 squares are labelled off target or skip"):
        run_filter(FilterOptions(method="none"), labels=off, classifier=None)


def test_filter_stops_on_request(run_filter, tmp_path):
    with pytest.raises(Stopped):
        run_filter(FilterOptions(), progress=silent, should_stop=lambda: True)
    assert not list(tmp_path.iterdir())


def test_summary_has_the_recall_interval_and_what_would_raise_it(run_filter):
    summary = run_filter(FilterOptions(precision=1.0)).summary
    recall = summary["recall"]
    assert 0 <= recall["low"] <= summary["expected_recall"] <= recall["high"] <= 1
    assert recall["missed"] >= recall["borderline"] >= 0
    assert recall["labels"] == 40
    assert {advice["way"] for advice in summary["raise_recall"]} >= {"weights", "precision"}
    (notice,) = summary["notices"]
    assert "classifier.backbone = FILE.h5" in notice
    assert "filter.precision = " in notice


def test_method_none_has_no_recall(run_filter):
    summary = run_filter(FilterOptions(method="none"), labels=None, classifier=None).summary
    assert (summary["recall"], summary["raise_recall"], summary["notices"]) == (None, [], [])


def test_validation_set_is_measured_by_its_scores_and_is_no_evidence_of_the_interval(run_filter, subject, tmp_path):
    held = sorted(set(subject.truth) - set(subject.given))[:12]  # the classifier has not seen their labels
    labels = write_snapshot(subject.given | {id: subject.truth[id] for id in held}, tmp_path.parent, held)
    summary = run_filter(FilterOptions(precision=0.8), labels=labels).summary
    verdicts = summary["validation"]
    on = sum(subject.truth[id] == "on" for id in held)
    assert (sum(verdicts["on"].values()), sum(verdicts["off"].values())) == (on, 12 - on)
    assert summary["recall"]["labels"] == 40
    assert (summary["labelled_on"], summary["labelled_off"]) == (20, 20)
    assert all(id in kept_ids(tmp_path) for id in held if subject.truth[id] == "on")
    assert run_filter(FilterOptions(precision=0.8)).summary["validation"] is None
