import json

import pytest

from pipeline.errors import Stopped, UserError
from pipeline.filter.scores import kept_ids, read_features, read_scores
from pipeline.labels.snapshot import write_snapshot
from pipeline.labels.suggest import random_order
from pipeline.options import FilterOptions
from pipeline.progress import silent


def test_every_picture_has_a_row_in_the_order_of_ids(run_filter, subject, tmp_path):
    summary = run_filter(FilterOptions()).summary
    scores = read_scores(tmp_path)
    assert [score.id for score in scores] == sorted(subject.truth)
    assert summary["images"] == summary["kept"] + summary["rejected"] + summary["unsure"] == 60
    assert kept_ids(tmp_path) == [score.id for score in scores if score.outcome == "kept"]
    assert len(kept_ids(tmp_path)) == summary["kept"]
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert all(list(row) == ["id", "score", "label", "outcome", "spread", "suspect"] for row in rows)


def test_most_of_what_is_kept_is_on_target(run_filter, subject, tmp_path):
    summary = run_filter(FilterOptions(precision=0.8)).summary
    free = [id for id in kept_ids(tmp_path) if id not in subject.given]
    assert sum(subject.truth[id] == "on" for id in free) >= 0.8 * len(free)
    assert free
    assert summary["expected_precision"] >= 0.795


def test_a_label_outdoes_every_score(run_filter, subject, tmp_path):
    ids = sorted(subject.truth)
    values = {id: ("on", "off", "unsure")[place % 3] for place, id in enumerate(ids)}
    summary = run_filter(FilterOptions(), labels=write_snapshot(values, tmp_path.parent)).summary
    assert kept_ids(tmp_path) == ids[::3]
    assert (summary["labelled_on"], summary["labelled_off"], summary["labelled_unsure"]) == (20, 20, 20)


def test_a_given_threshold_is_kept_to(run_filter, tmp_path):
    summary = run_filter(FilterOptions(threshold=0.3, unsure=0.1)).summary
    assert (summary["threshold"], summary["band"]) == (0.3, [0.2, 0.4])
    free = [score for score in read_scores(tmp_path) if score.label is None]
    for score in free:
        wanted = "kept" if score.score >= 0.4 else "rejected" if score.score < 0.2 else "unsure"
        assert score.outcome == wanted


def test_labelled_pictures_show_what_is_said_of_them_unseen(run_filter, trained, tmp_path):
    run_filter(FilterOptions())
    unseen = {}
    for name in ("holdout.jsonl", "out_of_fold.jsonl"):
        found = [json.loads(line) for line in (trained.folder / name).read_text().splitlines()]
        unseen |= {row["id"]: row["score"] for row in found}
    shown = {score.id: score.score for score in read_scores(tmp_path) if score.label}
    assert shown == unseen


def test_scores_say_how_sure_they_are_and_features_what_is_like_what(run_filter, tmp_path):
    run_filter(FilterOptions())
    scores, features = read_scores(tmp_path), read_features(tmp_path)
    assert all(score.spread is None for score in scores if score.label)
    assert all(0 <= score.spread < 2 for score in scores if not score.label)
    assert any(score.spread for score in scores)
    assert features.shape[0] == len(scores)
    assert features.std(axis=0).max() > 0


def test_a_label_that_does_not_go_with_the_picture_is_a_suspect(run_filter, subject, trained, tmp_path):
    """Its label is turned round after the training, so that what is said of it out of fold contradicts it."""
    scores = {score.id: score for score in (run_filter(FilterOptions()), read_scores(tmp_path))[1]}
    wrong = max((id for id in subject.given if subject.given[id] == "on"), key=lambda id: scores[id].score)
    other = tmp_path / "other"
    other.mkdir()
    labels = write_snapshot(subject.given | {wrong: "off"}, tmp_path.parent)
    run_filter(FilterOptions(), labels=labels, folder=other)
    assert wrong in {score.id for score in read_scores(other) if score.suspect}
    assert sum(score.suspect for score in read_scores(other)) <= 3


def test_what_the_labels_prove_is_told(run_filter):
    summary = run_filter(FilterOptions(precision=0.8)).summary
    proof = summary["proof"]
    assert 0 < proof["low"] <= proof["high"] <= 1
    assert proof["labels"] <= 40
    cells = [summary["confusion"][label][name] for label in ("on", "off") for name in ("kept", "unsure", "rejected")]
    assert sum(cells) == 40
    assert summary["confusion"]["on"]["kept"] > summary["confusion"]["off"]["kept"]


def test_a_fair_sample_says_how_many_are_on_target(run_filter, subject, tmp_path):
    fair = random_order(sorted(subject.truth))[:40]
    given = {id: subject.truth[id] for id in fair} | dict.fromkeys(fair[::10], "unsure")
    summary = run_filter(FilterOptions(), labels=write_snapshot(given, tmp_path.parent)).summary
    certain = [label for label in given.values() if label != "unsure"]
    assert summary["fair_labels"] == 36
    assert summary["fair_share"][0] == pytest.approx(certain.count("on") / 36, abs=1e-4)
    assert summary["fair_share"][1] < summary["fair_share"][0] < summary["fair_share"][2]
    assert 0.3 < summary["expected_share"] < 0.7


def test_labels_that_say_nothing_keep_what_is_labelled_on_and_fail_nothing(run_filter, subject, tmp_path):
    """All that belongs is labelled: the rest has nothing for any line to keep."""
    on = write_snapshot({id: "on" for id, label in subject.truth.items() if label == "on"}, tmp_path.parent)
    summary = run_filter(FilterOptions(), labels=on).summary
    assert summary["kept"] >= 30


def test_precision_out_of_reach_is_said(run_filter):
    summary = run_filter(FilterOptions(precision=1.0)).summary
    assert summary["expected_precision"] < 0.995
    assert "precision 1 is out of reach" in summary["notice"]


def test_the_digest_follows_what_is_kept(run_filter):
    base, same, fewer = (run_filter(FilterOptions(threshold=at, unsure=0.0)).outputs["kept"] for at in (0.0, 0.0, 0.6))
    assert base == same
    assert base != fewer


def test_method_none_keeps_all_without_labels(run_filter, subject, tmp_path):
    summary = run_filter(FilterOptions(method="none"), labels=None, classifier=None).summary
    assert kept_ids(tmp_path) == sorted(subject.truth)
    assert summary["threshold"] is None
    assert {score.score for score in read_scores(tmp_path)} == {None}


def test_method_none_still_leaves_out_what_is_labelled_off(run_filter, subject, tmp_path):
    run_filter(FilterOptions(method="none"), classifier=None)
    assert kept_ids(tmp_path) == sorted(id for id in subject.truth if subject.given.get(id) != "off")


def test_nothing_kept_names_the_threshold_and_the_way_out(run_filter, tmp_path):
    none = write_snapshot({}, tmp_path.parent)
    with pytest.raises(UserError, match=r"none reaches 1, .*highest score is 0\.\d+.*lower --filter-threshold"):
        run_filter(FilterOptions(threshold=1.0), labels=none)
    assert not (tmp_path / "scores.jsonl").exists()


def test_all_labelled_off_is_said_too(run_filter, subject, tmp_path):
    off = write_snapshot(dict.fromkeys(subject.truth, "off"), tmp_path.parent)
    with pytest.raises(UserError, match="all 60 pictures are labelled off or unsure"):
        run_filter(FilterOptions(method="none"), labels=off, classifier=None)


def test_a_request_to_stop_is_heard(run_filter, tmp_path):
    with pytest.raises(Stopped):
        run_filter(FilterOptions(), progress=silent, should_stop=lambda: True)
    assert not list(tmp_path.iterdir())
