"""The list of runs: outcome, what changed since the run before, what it trained; filtered and ordered."""

import json
import os
import platform

import pytest

from pipeline.labels.snapshot import write_snapshot
from pipeline.run_record import process_start
from pipeline.web.trainings import runs_view
from pipeline.web.trainings.notes import RUN, change_note
from pipeline.web.trainings.runs_view import RunsView, Wanted
from tests.web.fake_trainings import run, samples, training

DONE = {"event": "end", "outcome": "done", "seconds": 60.0}


def options(*, labels="", once=False, **settings):
    given = {name.replace("__", "."): value for name, value in settings.items()}
    return {"event": "options", "settings": json.dumps(given), "labels": labels, "forced": "", "once": once}


def name(day):
    return f"2026010{day}-000000-000000-1"


def listed(fake_dataset, **wanted):
    total, found = RunsView(fake_dataset.paths()).page(Wanted(**wanted), start=0, count=50)
    assert total == len(found)
    return found


def changes(run):
    return [(change.name, change.before, change.after) for change in run.changes]


def test_change_of_a_setting_is_told_with_its_default(fake_dataset):
    run(fake_dataset, name(1), options(gan__seed=1), DONE)
    run(fake_dataset, name(2), options(gan__epochs=40, gan__seed=1), DONE)
    run(fake_dataset, name(3), options(gan__epochs=40), DONE)
    third, second, first = listed(fake_dataset)
    assert changes(third) == [("gan.seed", "1", "0")]
    assert changes(second) == [("gan.epochs", "auto", "40")]
    assert (first.before, first.changes, second.before) == ("", [], name(1))


def test_trials_are_compared_with_the_run_before_and_no_run_with_a_trial(fake_dataset):
    run(fake_dataset, name(1), options(), DONE)
    run(fake_dataset, name(2), options(gan__epochs=3, once=True), DONE)
    run(fake_dataset, name(3), options(), DONE)
    third, trial, _ = listed(fake_dataset)
    assert (changes(trial), trial.trial) == ([("gan.epochs", "auto", "3")], True)
    assert (changes(third), third.before) == ([], name(1))


def test_change_of_labels_is_told_in_counts(fake_dataset):
    one = dict.fromkeys(fake_dataset.ids(3), "on")
    before, after = (
        write_snapshot(labels, fake_dataset.data).stem
        for labels in (one, one | dict.fromkeys(fake_dataset.ids(2), "off"))
    )
    run(fake_dataset, name(1), options(labels=before), DONE)
    run(fake_dataset, name(2), options(labels=after), DONE)
    run(fake_dataset, name(3), options(labels="0" * 64), DONE)
    third, second, _ = listed(fake_dataset)
    assert changes(second) == [("labels", "3 on target", "1 on target, 2 off target")]
    assert changes(third) == [("labels", "1 on target, 2 off target", "a snapshot that is gone")]


def test_first_labels_of_the_demo_are_those_that_its_filter_read(fake_dataset):
    labels = dict.fromkeys(fake_dataset.ids(4), "on")
    digest = write_snapshot(labels, fake_dataset.data).stem
    read = fake_dataset.filter(dict.fromkeys(fake_dataset.ids(4), 0.9), labels=labels).manifest
    assert read.inputs["labels"] == digest
    filtered = {"event": "stage", "stage": "filter", "outcome": "ran", "key": read.key}
    run(fake_dataset, name(1), options(labels="seed"), filtered, DONE)
    run(fake_dataset, name(2), options(labels=digest), filtered, DONE)
    assert changes(listed(fake_dataset)[0]) == []


def test_run_shows_its_training_with_scores_and_kept_squares(fake_dataset):
    key = training(fake_dataset, run=name(1))
    samples(fake_dataset, key)
    kept = {"event": "stage", "stage": "filter", "outcome": "ran", "summary": {"kept": 20, "images": 1030}, "key": "f"}
    trained = {"event": "stage", "stage": "gan", "outcome": "ran", "key": key}
    run(fake_dataset, name(1), options(), kept, trained, DONE)
    run(fake_dataset, name(2), options(), trained | {"outcome": "reused"}, DONE)
    second, first = listed(fake_dataset)
    assert (first.kept, first.trained, second.trained) == ("20 of 1,030", True, False)
    assert (first.training.id, first.training.score.extractor) == (key[:12], "textures-64")
    assert (first.training.score.verdict, second.training.id) == ("worse than reals", key[:12])


def test_run_without_an_end_is_running_or_was_killed(fake_dataset):
    alive = {"pid": os.getpid(), "born": process_start(os.getpid()), "host": platform.node()}
    run(fake_dataset, name(1), {"event": "start", **alive, "born": 0.5}, options())
    run(
        fake_dataset,
        name(2),
        {"event": "start", **alive},
        {"event": "stage_start", "stage": "gan", "key": "k"},
        {"event": "progress", "stage": "gan", "done": 3, "total": 12, "note": "epoch"},
    )
    running, killed = listed(fake_dataset)
    assert (running.outcome, "3 of 12" in running.reason) == ("running", True)
    assert (killed.outcome, killed.reason) == ("killed", runs_view.KILLED_REASON)


@pytest.mark.parametrize(
    ("wanted", "days"),
    [
        ({"show": "starred"}, [2]),
        ({"show": "failed"}, [3]),
        ({"show": "trials"}, [1]),
        ({"text": "BRIGHT"}, [2]),
        ({"text": "gan.seed"}, [2]),
        ({"text": "out of memory"}, [3]),
        ({"sort": "oldest"}, [1, 2, 3]),
        ({"sort": "longest"}, [2, 1, 3]),
    ],
)
def test_runs_are_filtered_and_ordered(fake_dataset, wanted, days):
    run(fake_dataset, name(0), options(), {"event": "end", "outcome": "stopped", "seconds": 1.0})
    run(fake_dataset, name(1), options(once=True), DONE)
    run(fake_dataset, name(2), options(gan__seed=5), DONE | {"seconds": 100.0})
    run(fake_dataset, name(3), options(gan__seed=5), {"event": "end", "outcome": "failed", "error": "out of memory"})
    change_note(fake_dataset.data, RUN, name(2), star=True, name="bright")
    found = [int(each.name[7]) for each in listed(fake_dataset, **wanted) if each.name != name(0)]
    assert found == days


def test_order_by_kid_keeps_extractors_apart(fake_dataset):
    for day, (extractor, kid) in enumerate([("b", 0.2), ("a", 0.9), ("b", 0.1), ("a", 0.3)], start=1):
        key = training(fake_dataset, f"t{day}")
        samples(fake_dataset, key, kid=kid, extractor=extractor)
        run(fake_dataset, name(day), {"event": "stage", "stage": "gan", "outcome": "ran", "key": key}, DONE)
    found = [(each.training.score.extractor, each.training.score.kid) for each in listed(fake_dataset, sort="kid")]
    assert found == [("a", 0.3), ("a", 0.9), ("b", 0.1), ("b", 0.2)]


def test_pages_hold_their_part(fake_dataset):
    for day in range(1, 6):
        run(fake_dataset, name(day), DONE)
    total, found = RunsView(fake_dataset.paths()).page(Wanted(), start=2, count=2)
    assert (total, [each.name for each in found]) == (5, [name(3), name(2)])
