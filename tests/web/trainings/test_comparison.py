"""What differs between runs and trainings, and what is said when something was deleted."""

import json
import shutil

import pytest
from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.labels.snapshot import write_snapshot
from pipeline.web.trainings.comparison import (
    UNKNOWN,
    definition_differences,
    find_subjects,
    setting_differences,
)
from pipeline.web.trainings.square_sets import square_sets
from tests.web.fake_trainings import run, training

FIRST, SECOND = "20260101-000000-000000-1", "20260102-000000-000000-1"


def two_runs(fake_dataset):
    """Two runs, each with a filter and a training of its own; returns the keys of the trainings."""
    ids, keys = fake_dataset.ids(6), []
    for name, labels, kept, seed in (
        (FIRST, {ids[0]: "on", ids[1]: "off"}, ids[:4], 0),
        (SECOND, {ids[0]: "on", ids[1]: "on", ids[2]: "off"}, ids[1:6], 5),
    ):
        snapshot = write_snapshot(labels, fake_dataset.data).stem
        scores = {id: 0.9 if id in kept else 0.1 for id in ids}
        filter = fake_dataset.filter(scores, labels=labels, model=name, images=6)
        key = training(fake_dataset, name, seed=seed, run=name, definition="small" if seed else "dcgan")
        keys.append(key)
        run(
            fake_dataset,
            name,
            {"event": "options", "settings": json.dumps({"gan.seed": seed}), "labels": snapshot},
            {"event": "stage", "stage": "filter", "outcome": "ran", "key": filter.manifest.key},
            {"event": "stage", "stage": "gan", "outcome": "ran", "key": key},
            {"event": "end", "outcome": "done", "seconds": 5.0},
        )
    return keys


def subjects(fake_dataset, runs=(), trainings=()):
    return find_subjects(fake_dataset.paths(), list(runs), list(trainings))


def test_settings_and_definition_differ_field_by_field(fake_dataset):
    two_runs(fake_dataset)
    found = subjects(fake_dataset, [FIRST, SECOND])
    different, same = setting_differences(found)
    assert [(row.name, row.values) for row in different] == [("gan.seed", ["0", "5"])]
    assert {"gan.epochs", "download.limit"} <= {row.name for row in same}
    fields, others = definition_differences(found)
    assert [(row.name, row.values) for row in fields] == [("latent", ["100", "64"])]
    assert "generator.optimizer.learning_rate" in {row.name for row in others}


def test_training_is_compared_by_the_run_that_made_it(fake_dataset):
    first, second = two_runs(fake_dataset)
    found = subjects(fake_dataset, trainings=[f"{first[:12]},{second[:12]}"])
    assert [each.run.name for each in found] == [FIRST, SECOND]
    assert [row.name for row in setting_differences(found)[0]] == ["gan.seed"]


def test_labels_and_kept_squares_differ_square_by_square(fake_dataset):
    two_runs(fake_dataset)
    ids = fake_dataset.ids(6)
    first, second = square_sets(fake_dataset.paths(), subjects(fake_dataset, [FIRST, SECOND]))
    assert (first.labels, second.labels) == ("1 on target, 1 off target", "2 on target, 1 off target")
    assert {(each.before, each.after, *each.ids) for each in second.label_changes} == {
        ("off", "on", ids[1]),
        ("", "off", ids[2]),
    }
    assert (first.kept, second.kept) == ("3 of 6", "5 of 6")  # a label overrides a score
    assert (second.kept_before.ids, second.kept_before.count) == ([ids[2]], 1)
    assert (set(second.kept_now.ids), second.kept_now.count) == ({ids[1], ids[4], ids[5]}, 3)


def test_what_was_deleted_is_said_to_be_gone(fake_dataset):
    first, second = two_runs(fake_dataset)
    shutil.rmtree(fake_dataset.store("filter").root)
    shutil.rmtree(fake_dataset.store("gan").root)
    shutil.rmtree(fake_dataset.data / "labels")
    shutil.rmtree(fake_dataset.data / "runs" / SECOND)
    found = subjects(fake_dataset, [FIRST], [second[:12]])
    assert (found[0].training.id, found[1].run, found[1].definition) == (first[:12], None, None)
    sets = square_sets(fake_dataset.paths(), found)
    assert "was deleted" in sets[0].kept
    assert "gone" in sets[0].labels
    assert sets[1].kept_now is None
    assert definition_differences(found) == ([], [])
    assert {row.values[1] for row in setting_differences(found)[1]} == {UNKNOWN}


def test_training_without_a_record_has_the_settings_of_its_manifest(fake_dataset):
    first, second = two_runs(fake_dataset)
    shutil.rmtree(fake_dataset.data / "runs" / SECOND)
    different, same = setting_differences(subjects(fake_dataset, trainings=[first[:12], second[:12]]))
    assert ("gan.seed", ["0", "5"]) in [(row.name, row.values) for row in different]
    assert ("normalize.size", ["64", UNKNOWN]) in [(row.name, row.values) for row in same]


@pytest.mark.parametrize("names", [[], [FIRST], ["a", "b", "c", "d", "e", "f", "g"]])
def test_two_to_six_are_compared(fake_dataset, names):
    two_runs(fake_dataset)
    with pytest.raises(UserError, match="choose 2 to 6"):
        subjects(fake_dataset, names)


def test_unknown_name_is_refused(fake_dataset):
    two_runs(fake_dataset)
    with pytest.raises(HTTPException) as error:
        subjects(fake_dataset, [FIRST, "../../etc"])
    assert error.value.status_code == 404
