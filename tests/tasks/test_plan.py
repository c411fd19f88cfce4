"""The plan: what a run would do to each stage, and why."""

import json
from types import SimpleNamespace

import pytest

from pipeline.options import GanOptions, GenerateOptions
from pipeline.store.manifest import Manifest
from tasks.cli import main
from tasks.plan import PlanStep, changes


def planned(capsys, *words: str) -> list[dict[str, str]]:
    assert main(["plan", "--json", "--dataset", "cats", "--query", "cat", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_plan_json_has_stage_state_and_reason(working_folder, capsys):
    steps = planned(capsys)
    assert steps[0] == {"stage": "download", "state": "will run", "reason": "never ran", "remark": ""}
    assert [step["stage"] for step in steps][-1] == "report"


def test_plan_until_filter_lists_only_needed_stages(working_folder, capsys):
    stages = [step["stage"] for step in planned(capsys, "--until", "filter")]
    assert stages == ["download", "normalize", "classifier", "filter"]


def test_plan_until_filter_without_a_classifier_needs_only_squares(working_folder, capsys):
    stages = [step["stage"] for step in planned(capsys, "--until", "filter", "--filter-method", "none")]
    assert stages == ["download", "normalize", "filter"]


def test_plan_json_of_wrong_settings_is_an_error_object(working_folder, capsys):
    assert main(["plan", "--json", "--dataset", "cats", "--normalize-size", "7"]) == 2
    printed = capsys.readouterr()
    (reason,) = json.loads(printed.out).values()
    assert printed.err == f"error: {reason}\n"
    assert "normalize.size = 7" in reason


def before(**facts) -> Manifest:
    """The manifest of the newest artifact of a stage."""
    known = {"options": {"size": 64}, "inputs": {"labels": "a", "filter.kept": "b"}, "notes": {"labels": 83}}
    return Manifest(stage="x", version=2, dataset="cats", key="k", **(known | facts))


def a_task(*, version=2, size: int | None = 64, labels="a", kept="b", count=83):
    """A stage with its present settings and inputs."""
    return SimpleNamespace(
        version=version,
        options=SimpleNamespace(significant=lambda: {} if size is None else {"size": size}, left_out=lambda name: None),
        known_inputs=lambda: {"labels": labels, "filter.kept": kept},
        notes=lambda: {"labels": count},
    )


@pytest.mark.parametrize(
    ("now", "reasons"),
    [
        ({}, []),
        ({"version": 3}, ["code version 2 → 3"]),
        ({"size": 128}, ["size 64 → 128"]),
        ({"size": None}, ["size 64 → auto"]),
        ({"labels": "c", "count": 91}, ["labels changed: 83 → 91"]),
        ({"labels": "c"}, ["labels changed"]),
        ({"kept": "c"}, ["filter made other kept"]),
        ({"size": 128, "kept": "c"}, ["size 64 → 128", "filter made other kept"]),
    ],
)
def test_changes_names_each_setting_and_input_that_differs(now, reasons):
    assert changes(a_task(**now), before()) == reasons


@pytest.mark.parametrize(("minutes", "reason"), [((9.0, 0.0), "9.0 → 0.0"), ((0.0, 9.0), "0.0 → 9.0")])
def test_an_option_that_keys_leave_out_is_named_with_its_value(minutes, reason):
    """Its default is not in the manifest, lest it change the keys of what was made before it was there."""
    old, new = (GanOptions(total_minutes=each) for each in minutes)
    task = SimpleNamespace(version=2, options=new, known_inputs=dict, notes=dict)
    assert changes(task, before(options=old.significant())) == [f"total_minutes {reason}"]


def test_an_input_that_is_no_longer_given_is_named():
    task = SimpleNamespace(version=2, options=GanOptions(), known_inputs=lambda: {"extractor": "a"}, notes=dict)
    earlier = {"inputs": {"extractor": "a", "start": "b"}, "notes": {"start": "models/cats/gan/latest"}}
    found = changes(task, before(options=GanOptions().significant(), **earlier))
    assert found == ["start changed: models/cats/gan/latest → none"]


def test_a_value_is_shown_as_one_short_plain_line():
    odd = GenerateOptions(class_name="a\x1b[31m\nred" + 1000 * "x")
    task = SimpleNamespace(version=2, options=odd, known_inputs=dict, notes=dict)
    (found,) = changes(task, before(options=GenerateOptions().significant()))
    assert found.startswith("class_name none → a [31m redxxx")
    assert found.isprintable()
    assert len(found) < 300


def test_line_of_a_step_has_reason_and_remark():
    step = PlanStep(stage="gan", state="will run", reason="never ran", remark="1 field is ignored")
    assert step.line() == "gan        will run   never ran; 1 field is ignored"
    assert PlanStep(stage="gan", state="up to date").line() == "gan        up to date"
