import dataclasses
from types import SimpleNamespace

import pytest

from pipeline.store.manifest import Manifest
from tasks import console


def made(stage: str, **summary) -> Manifest:
    return Manifest(stage=stage, version=1, dataset="demo", key="k", options={}, inputs={}, summary=summary)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.21, "3.2 s"), (59.94, "59.9 s"), (245, "4 min 05 s"), (7800, "2 h 10 min")]
)
def test_duration_is_in_the_units_that_a_person_uses(seconds, text):
    assert console.duration(seconds) == text


def test_stage_line_says_that_samples_were_not_measured():
    summary = {"count": 3, "kid": None, "kid_floor": None, "precision": None, "recall": None}
    assert console.stage_line(made("generate", **summary)) == "made 3 samples; too few pictures to score them"


def test_stage_line_calls_squares_of_the_band_borderline():
    found = {"kept": 8, "images": 12, "unsure": 3, "band": [0.4, 0.6], "threshold": 0.5, "expected_precision": None}
    line = console.stage_line(made("filter", proof=None, **found))
    assert line == "kept 8 of 12 at a score of 0.600 or above, 3 borderline from 0.400"


def test_notices_has_the_notices_of_the_manifest():
    assert console.notices(made("filter", notice="precision 0.95 is out of reach")) == [
        "precision 0.95 is out of reach"
    ]
    assert console.notices(made("download", notices=["bing gave nothing"])) == ["bing gave nothing"]
    assert console.notices(made("filter", notice="")) == []
    assert console.notices(made("gan", notices=["alarm since epoch 3"], recovered=["recovered at epoch 2"])) == [
        "alarm since epoch 3",
        "recovered at epoch 2",
    ]


def test_stage_line_of_a_training_counts_steps_without_the_discriminator_if_there_were_any():
    found = {"epochs": 4, "images": 32, "size": 16, "images_per_second": 7.0, "steps": 8}
    assert console.stage_line(made("gan", **found)) == "4 epochs of 32 squares at 16 px, 7 squares/s"
    assert console.stage_line(made("gan", skipped_steps=0, **found)).endswith(" 7 squares/s")
    assert console.stage_line(made("gan", skipped_steps=3, **found)).endswith(", 3 steps without the discriminator")


def test_stage_line_of_a_training_says_of_which_epoch_the_generator_is():
    found = {"epochs": 4, "images": 32, "size": 16, "images_per_second": 7.0, "drawn_from": "epoch 4, the last"}
    assert console.stage_line(made("gan", **found)).endswith("; the generator is of epoch 4, the last")


def test_stage_line_shows_precision_and_recall_of_the_filter_with_intervals():
    found = {"kept": 8, "images": 500, "unsure": 0, "band": [0.4, 0.6], "threshold": 0.5}
    proof = {"low": 0.9, "high": 0.98, "labels": 31, "more": 0}
    recall = {"low": 0.25, "high": 0.45, "labels": 80, "missed": 200, "borderline": 0}
    shown = {"expected_precision": 0.95, "proof": proof, "expected_recall": 0.33, "recall": recall}
    assert console.stage_line(made("filter", **found, **shown)) == (
        "kept 8 of 500 at a score of 0.600 or above; filter precision about 0.950 (0.900 to 0.980 by 31 labels);"
        " filter recall about 0.330 (0.250 to 0.450 by 80 labels): about 200 on-target squares are rejected"
    )


def test_sample_precision_and_recall_are_told_apart_from_those_of_the_filter():
    summary = {"count": 3, "kid": 0.1, "kid_floor": 0.01, "precision": 0.9, "recall": 0.8, "extractor": "eyes"}
    line = console.stage_line(made("generate", **summary))
    assert "sample precision 0.900, sample recall 0.800" in line


@pytest.mark.parametrize(
    ("validation", "words"),
    [({}, " held out"), ({"validation": 32, "validation_average_precision": 0.8}, "0.800 on 32 for validation")],
)
def test_classifier_line_shows_the_validation_set_beside_the_hold_out(validation, words):
    summary = {"labels_on": 30, "labels_off": 50, "holdout": 16, "average_precision": 0.9, "backbone": "none"}
    line = console.stage_line(made("classifier", out_of_fold_average_precision=0.85, **summary, **validation))
    assert line.endswith(words)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ({"too small": 12, "corrupt": 1}, ", 12 below normalize.min_side = 64: lower it to keep them)"),
        ({"corrupt": 13}, "13 rejected)"),
    ],
)
def test_squares_line_names_the_setting_that_rejects_small_pictures(reasons, words):
    found = {"kept": 8, "images": 21, "size": 64, "duplicate": 0, "rejected": 13, "reasons": reasons}
    manifest = dataclasses.replace(made("normalize", **found), options={"min_side": 64})
    assert console.stage_line(manifest).endswith(words)


@pytest.mark.parametrize(("latest", "names"), [(True, ("latest", "latest")), (False, ("b2", "a1"))])
def test_last_line_leads_to_what_the_run_made_and_a_trial_does_not_become_the_latest(
    tmp_path, monkeypatch, latest, names
):
    for stage in ("download", "filter", "generate"):
        monkeypatch.setattr(console, f"_{stage}", lambda found: "")
    manifest = SimpleNamespace(summary={}, unfinished="")
    folders = {"report": tmp_path / "report" / "b2", "generate": tmp_path / "generate" / "a1"}
    published = {
        stage: SimpleNamespace(folder=folders.get(stage), manifest=manifest)
        for stage in ("download", "filter", "gan", *folders)
    }
    report, grid = (tmp_path / stage / name for stage, name in zip(folders, names, strict=True))
    assert console.six_lines(published, 1.0, latest=latest)[-1] == (
        f"look at    {report / 'index.html'} and {grid / 'grid.png'}; all trainings: {tmp_path / 'index.html'}"
    )
