import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pipeline.errors import Stopped, UserError
from pipeline.filter import train_classifier as stage
from pipeline.filter.classifier_io import load_classifier
from pipeline.filter.learn import learn
from pipeline.filter.scores import measure
from pipeline.filter.train_classifier import _pool, read_training_labels, split_labels, train_classifier
from pipeline.images.dataset import read_images
from pipeline.images.duplicates import group_similar
from pipeline.images.raster import resize
from pipeline.labels.snapshot import write_snapshot
from pipeline.pretrained import find_backbone
from pipeline.progress import never, silent
from pipeline.store.verified import read_rows

from .conftest import QUICK
from .drawn import draw, write_normalized

PROCESS = """
import sys
from pathlib import Path
from pipeline.progress import never, silent
from pipeline.filter.train_classifier import _pool, train_classifier
from pipeline.options import ClassifierOptions
normalize, labels, folder = map(Path, sys.argv[1:])
options = ClassifierOptions(steps=4, members=2)
result = train_classifier(
    options, normalize=normalize, labels=labels, weights=None, folder=folder, progress=silent, should_stop=never
)
print(result.outputs["model"])
"""


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_summary_counts_labels_and_has_metrics(trained):
    summary = trained.result.summary
    assert (summary["labels_on"], summary["labels_off"], summary["labels_gone"]) == (20, 20, 0)
    assert summary["trained_on"] + summary["holdout"] == 40
    assert summary["out_of_fold_average_precision"] > 0.9


def test_every_labelled_square_has_one_unseen_score(trained, subject):
    split = split_labels(subject.given, QUICK.holdout)
    for name, labels in (("holdout", split.holdout), ("out_of_fold", split.train)):
        found = rows(trained.folder / f"{name}.jsonl")
        assert {row["id"]: row["label"] for row in found} == labels
        assert all(0 <= row["score"] <= 1 for row in found)


def test_near_duplicates_stay_in_one_fold_or_the_holdout(tmp_path):
    """Ten squares, each four times with small changes: near-duplicates stay on one side, and in one group."""
    random = np.random.default_rng(0)
    scenes = [resize(random.integers(0, 255, (8, 8, 3)).astype(np.uint8), 40, 40) for _ in range(40)]
    images = [np.clip(scene * 0.97 + random.normal(0, 4, scene.shape), 0, 255) for scene in scenes for _ in range(4)]
    ids = write_normalized(tmp_path / "normalize", [image.astype(np.uint8) for image in images])
    labels = write_snapshot({id: "on" if place % 8 < 4 else "off" for place, id in enumerate(ids)}, tmp_path)
    pictures = read_images(tmp_path / "normalize")
    groups = group_similar(pictures.ids, pictures.images)
    marks = read_training_labels(labels, groups, 0.3)
    known, pool = _pool(pictures, marks, groups)
    number = dict(zip(known, pool.group.tolist(), strict=True))
    assert 0 < len(marks.split.holdout) < 160
    for first in range(0, 160, 4):
        alike = ids[first : first + 4]
        assert len({id in marks.split.holdout for id in alike}) == 1
        assert len({number[id] for id in alike}) == 1
    assert len(set(number.values()) - {-1}) == len(marks.split.train) / 4


@pytest.mark.long  # end_to_end/test_reruns.py compares two runs
def test_training_is_bit_identical_in_two_processes(subject, tmp_path):
    """Not this one: another test may have told its TensorFlow to share the cores otherwise."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    running = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        command = [sys.executable, "-c", PROCESS, subject.normalize, subject.labels, tmp_path / name]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True))
    digests = {process.communicate()[0].split()[-1] for process in running}
    assert len(digests) == 1


@pytest.mark.long
def test_another_seed_gives_other_weights(trained, subject, tmp_path):
    options = type(QUICK)(steps=1, members=2, seed=1)
    result = train_classifier(
        options,
        normalize=subject.normalize,
        labels=subject.labels,
        weights=None,
        folder=tmp_path,
        progress=silent,
        should_stop=never,
    )
    assert result.outputs != trained.result.outputs


def test_progress_reaches_the_total(trained):
    assert trained.calls[0][2] == "squares compared"
    training = [call for call in trained.calls if call[2] != "squares compared"]
    done = [call[0] for call in training]
    assert done == list(range(len(done)))
    assert {call[1] for call in training} == {len(done)}
    assert "network 2 of 2" in {call[2] for call in trained.calls}


@pytest.mark.parametrize("after", [0, *(pytest.param(after, marks=pytest.mark.long) for after in (3, 9))])
def test_training_stops_on_request_and_leaves_nothing(subject, tmp_path, after):
    asked = iter(range(1000))
    with pytest.raises(Stopped):
        train_classifier(
            QUICK,
            normalize=subject.normalize,
            labels=subject.labels,
            weights=None,
            folder=tmp_path,
            progress=silent,
            should_stop=lambda: next(asked) >= after,
        )
    assert not list(tmp_path.iterdir())


def test_loaded_classifier_scores_new_squares(trained):
    on, off = (np.stack([draw(number, on=on) for number in range(500, 520)]) for on in (True, False))
    classifier = load_classifier(trained.folder)
    assert np.median(classifier(on).probability) > 0.6
    assert np.median(classifier(off).probability) < 0.4


def test_saved_classifier_contains_no_pickle(trained):
    with np.load(trained.folder / "kernel.npz", allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_metrics_are_none_with_too_few_labels():
    labels = {"a": "on", "b": "on", "c": "off", "d": "off"}
    assert measure(labels, dict.fromkeys(labels, 0.7))["average_precision"] is None


def test_precision_and_recall_are_measured_at_one_half():
    labels = dict(zip("abcdefgh", ["on"] * 4 + ["off"] * 4, strict=True))
    scores = dict(zip("abcdefgh", [0.9, 0.8, 0.5, 0.1, 0.6, 0.2, 0.2, 0.0], strict=True))
    found = measure(labels, scores)
    assert (found["precision"], found["recall"]) == (0.75, 0.75)
    assert found["average_precision"] == pytest.approx((1 + 1 + 3 / 4 + 4 / 7) / 4, abs=0.03)


def test_wrong_weights_file_raises_before_squares_are_read(tmp_path):
    (tmp_path / "some.h5").write_bytes(b"no weights at all")
    nowhere = dict.fromkeys(("normalize", "labels", "folder"), tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"classifier\.backbone = .*some\.h5: these are no weights of MobileNet or "):
        train_classifier(
            QUICK, **nowhere, weights=find_backbone(str(tmp_path / "some.h5")), progress=silent, should_stop=never
        )


@pytest.mark.long
def test_validation_set_is_measured_and_never_seen_in_training(subject, tmp_path, monkeypatch):
    """Neither its labels nor its squares reach the training, also not as squares without a label."""
    held = sorted(subject.given)[:8]
    labels = write_snapshot(subject.given, tmp_path, held)
    pools = []
    monkeypatch.setattr(stage, "learn", lambda pool, *rest: pools.append(pool) or learn(pool, *rest))
    folder = tmp_path / "classifier"
    folder.mkdir()
    result = train_classifier(
        QUICK,
        normalize=subject.normalize,
        labels=labels,
        weights=None,
        folder=folder,
        progress=silent,
        should_stop=never,
    )
    (pool,) = pools
    assert len(pool.images) <= 60 - 8
    squares = read_images(subject.normalize, held).images
    assert not any((pool.images == square).all(axis=(1, 2, 3)).any() for square in squares)
    rows = [json.loads(line) for line in (folder / "validation.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == held
    unseen = {row["id"] for name in ("holdout", "out_of_fold") for row in read_rows(folder, f"{name}.jsonl")}
    assert not unseen & set(held)
    assert result.summary["validation"] == 8
    assert 0 < result.summary["validation_average_precision"] <= 1
