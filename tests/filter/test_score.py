import json
from itertools import pairwise

import pytest

from pipeline.callbacks import silent
from pipeline.errors import Stopped, UserError
from pipeline.filter.kept import kept_ids, read_scores
from pipeline.labels.snapshot import write_snapshot
from pipeline.options import FilterOptions


def test_every_picture_has_a_row_in_the_order_of_ids(run_filter, subject, tmp_path):
    summary = run_filter(FilterOptions()).summary
    scores = read_scores(tmp_path)
    assert [score.id for score in scores] == sorted(subject.truth)
    assert summary["images"] == summary["kept"] + summary["rejected"] == 60
    assert kept_ids(tmp_path) == [score.id for score in scores if score.outcome == "kept"]
    assert len(kept_ids(tmp_path)) == summary["kept"]
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert all(list(row) == ["id", "score", "label", "outcome"] for row in rows)


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
    summary = run_filter(FilterOptions(threshold=0.3)).summary
    assert summary["threshold"] == 0.3
    free = [score for score in read_scores(tmp_path) if score.label is None]
    assert all((score.outcome == "kept") == (score.score >= 0.3) for score in free)


def test_labelled_pictures_show_what_is_said_of_them_unseen(run_filter, trained, tmp_path):
    run_filter(FilterOptions())
    unseen = {}
    for name in ("holdout.jsonl", "out_of_fold.jsonl"):
        found = [json.loads(line) for line in (trained.folder / name).read_text().splitlines()]
        unseen |= {row["id"]: row["score"] for row in found}
    shown = {score.id: score.score for score in read_scores(tmp_path) if score.label}
    # Brought to another share of on-target pictures, which leaves their order
    order = sorted(shown, key=lambda id: (unseen[id], id))
    assert shown.keys() == unseen.keys()
    assert all(shown[low] <= shown[high] for low, high in pairwise(order))


def test_precision_out_of_reach_is_said(run_filter):
    summary = run_filter(FilterOptions(precision=1.0)).summary
    assert summary["expected_precision"] < 0.995
    assert "precision 1 is out of reach" in summary["notice"]


def test_the_digest_follows_what_is_kept(run_filter):
    base, same, fewer = (run_filter(FilterOptions(threshold=at)).outputs["kept"] for at in (0.0, 0.0, 0.6))
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
    with pytest.raises(UserError, match=r"threshold 1 .*highest score is 0\.\d+.*lower --filter-threshold"):
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
