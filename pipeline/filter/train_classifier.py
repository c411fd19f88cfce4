"""The classifier stage: split the labels into training and hold-out set, train, and measure."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pipeline.devices import prepare_devices
from pipeline.errors import NextStep
from pipeline.filter.backbone import identify_backbone
from pipeline.filter.classifier import BATCH, Classifier
from pipeline.filter.classifier_io import save_classifier
from pipeline.filter.learn import Advance, TrainingPool, count_advances, learn
from pipeline.filter.scores import HOLDOUT, METRICS_THRESHOLD, OUT_OF_FOLD, VALIDATION, measure, write_unseen
from pipeline.images.dataset import ImageSet, read_images
from pipeline.images.duplicates import group_similar
from pipeline.labels.log import LABEL_NAMES
from pipeline.labels.snapshot import ENOUGH_TO_BEGIN, MIN_LABELS, read_snapshot, read_validation
from pipeline.options import ClassifierOptions
from pipeline.pretrained import Weights
from pipeline.progress import Progress, ShouldStop, StageProgress
from pipeline.result import Result
from pipeline.store.digest import of_bytes


@dataclass(frozen=True, kw_only=True)
class Split:
    """Labels by square id in two parts, which share no square and no group of near-duplicates."""

    train: dict[str, str]
    holdout: dict[str, str]


def is_held_out(name: str, share: float) -> bool:
    """Whether the square or group `name` belongs to the hold-out set.

    It depends on the name alone, so it does not change when labels are added or removed; a larger fraction `share`
    holds out everything that a smaller one does.
    """
    return _uniform("holdout", name) < share


def split_labels(labels: Mapping[str, str], share: float, groups: Mapping[str, str] | None = None) -> Split:
    """Hold out about the fraction `share` of `labels`; squares that `groups` gives the same name stay together."""
    groups = groups or {}
    held = {id for id in labels if is_held_out(groups.get(id, id), share)}
    return Split(
        train={id: label for id, label in labels.items() if id not in held},
        holdout={id: label for id, label in labels.items() if id in held},
    )


def number_groups(labels: Mapping[str, str], groups: Mapping[str, str] | None = None) -> dict[str, int]:
    """Number the groups of squares from 0, such that every n-th number has the same fraction of each label.

    Near-duplicates, which `groups` gives the same name, get the same number, so folds by number do not separate them.
    """
    groups = groups or {}
    members: dict[str, list[str]] = {}
    for id in sorted(labels):
        members.setdefault(groups.get(id, id), []).append(id)
    order = sorted(members, key=lambda name: (labels[members[name][0]], _uniform("fold", name)))
    return {id: number for number, name in enumerate(order) for id in members[name]}


def _uniform(purpose: str, name: str) -> float:
    """A hash of `name` as a number in [0, 1), independent for each purpose."""
    return int(of_bytes(f"{purpose}:{name}".encode())[:13], 16) / 16**13


MIN_TRAINING_LABELS = 4  # of each kind, after the hold-out
LABELLING_HINT = "`make label` in the browser, or `python -m tasks labels export DIR` for folders"


@dataclass(frozen=True, kw_only=True)
class TrainingLabels:
    """The labels of the dataset's squares."""

    split: Split  # labels on target and off target
    unsure: int
    missing: int  # labels of squares that do not exist, or no longer exist
    validation: dict[str, str] = field(default_factory=dict)  # labels that are only measured on, by square id
    near_validation: int = 0  # labels that are not used, of near-duplicates of squares of the validation set

    def count(self, label: str) -> int:
        return sum(value == label for part in (self.split.train, self.split.holdout) for value in part.values())


def read_training_labels(snapshot: Path, groups: Mapping[str, str], holdout: float) -> TrainingLabels:
    """Read a label snapshot and hold out a part of it, and all of the validation set with its near-duplicates.

    Args:
        snapshot: The snapshot file.
        groups: The squares, id to the name of their group of near-duplicates; those of labelled squares must be known.
        holdout: The fraction to hold out; groups stay together.

    Raises:
        NextStep: If there are too few labels; says how many there are and how to label more.
    """
    labels = read_snapshot(snapshot)
    present = {id: label for id, label in labels.items() if id in groups}
    validation = read_validation(snapshot)
    near = {groups[id] for id in validation & groups.keys()}
    others = {id: label for id, label in present.items() if id not in validation}
    certain = {id: label for id, label in others.items() if label != "unsure"}
    usable = {id: label for id, label in certain.items() if groups[id] not in near}
    training_labels = TrainingLabels(
        split=split_labels(usable, holdout, groups),
        unsure=len(others) - len(certain),
        missing=len(labels) - len(present),
        validation={id: label for id, label in present.items() if id in validation and label != "unsure"},
        near_validation=len(certain) - len(usable),
    )
    _check_enough(training_labels, holdout)
    return training_labels


def _check_enough(training_labels: TrainingLabels, holdout: float) -> None:
    if min(training_labels.count("on"), training_labels.count("off")) < MIN_LABELS:
        missing = f" (and {training_labels.missing} of squares that do not exist)" if training_labels.missing else ""
        if training_labels.validation:
            missing += f" beside the {len(training_labels.validation)} for validation, which are never trained on"
        on, off = training_labels.count("on"), training_labels.count("off")
        raise NextStep(
            f"label {_to_label(on, off)}: {LABELLING_HINT}; there are {on} and {off}{missing}, and the classifier needs"
            f" {MIN_LABELS} of each. Or keep every square: --filter-method none"
        )
    trained = _count_by_label(training_labels.split.train)
    if min(trained.values()) < MIN_TRAINING_LABELS:
        raise NextStep(
            f"label more: with holdout = {holdout} only {trained['on']} on target and {trained['off']} off target are"
            f" left for training: {LABELLING_HINT}; or hold out less: --classifier-holdout 0.1"
        )


def _to_label(on: int, off: int) -> str:
    """How many labels to add to those that there are: '30 on target and 50 off target'."""
    missing = {LABEL_NAMES[kind]: (good, {"on": on, "off": off}[kind]) for kind, good in ENOUGH_TO_BEGIN.items()}
    return " and ".join(
        f"{good - present}{' more' * (present > 0)} {name}"
        for name, (good, present) in missing.items()
        if present < good
    )


def _count_by_label(labels: Mapping[str, str]) -> dict[str, int]:
    return {value: list(labels.values()).count(value) for value in ("on", "off")}


# Unlabelled squares to learn from: more add little, and the memory of a backbone's neighbours grows quadratically
MAX_UNLABELLED = 3000


def train_classifier(
    options: ClassifierOptions,
    *,
    normalize: Path,
    labels: Path,
    weights: Weights | None,
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Result:
    """Train a classifier of on-target squares from labels and write it to `folder`.

    `holdout.jsonl` and `out_of_fold.jsonl` beside it hold the probabilities of labelled squares from models that did
    not train on their labels. The result is bit-identical for the same squares, labels, weights and options on one
    machine.

    Args:
        options: Options of the stage.
        normalize: The finished folder of squares.
        labels: The label snapshot.
        weights: Weights of the backbone; None for no backbone.
        folder: Where to write.
        progress: Called often.
        should_stop: Asked often.

    Raises:
        NextStep: With fewer than 8 labels of either kind.
        UserError: For weights of an unknown network.
        Stopped: If the run was asked to stop.
    """
    started = time.monotonic()
    # First, so that a wrong file fails early. The file is read once: its network's name is known from here on
    known = replace(weights, name=identify_backbone(weights)) if weights else None
    prepare_devices()
    report = StageProgress(progress, should_stop).report
    pictures = read_images(normalize, progress=report)
    labelled = {*read_snapshot(labels), *read_validation(labels)}
    groups = group_similar(pictures.ids, pictures.images, labelled, progress=report)
    training_labels = read_training_labels(labels, groups, options.holdout)
    ids, pool = _pool(pictures, training_labels, groups)
    advance = StageProgress(progress, should_stop, count_advances(len(ids), options, weights) + 2)
    learned = learn(pool, options, known, advance)
    out_of_fold = dict(zip(np.array(ids)[pool.labelled].tolist(), learned.out_of_fold.tolist(), strict=True))
    holdout = _predict(learned.classifier, pictures, list(training_labels.split.holdout), advance)
    validation = _predict(learned.classifier, pictures, list(training_labels.validation), advance)

    model = save_classifier(learned.classifier, folder)
    write_unseen(training_labels.split.holdout, holdout, folder / HOLDOUT)
    write_unseen(training_labels.split.train, out_of_fold, folder / OUT_OF_FOLD)
    if validation:
        write_unseen(training_labels.validation, validation, folder / VALIDATION)
    figures = {
        "backbone": str(weights) if weights else "none",
        "labels_on": training_labels.count("on"),
        "labels_off": training_labels.count("off"),
        "labels_unsure": training_labels.unsure,
        "labels_gone": training_labels.missing,
        "trained_on": len(training_labels.split.train),
        "holdout": len(training_labels.split.holdout),
        **measure(training_labels.split.holdout, holdout),
        **{f"out_of_fold_{name}": value for name, value in measure(training_labels.split.train, out_of_fold).items()},
        "validation": len(validation),
        "near_validation": training_labels.near_validation,
        **{f"validation_{name}": value for name, value in measure(training_labels.validation, validation).items()},
        **learned.learning_curve,
        "threshold": METRICS_THRESHOLD,
        "seconds": round(time.monotonic() - started, 1),
    }
    return Result(outputs={"model": model}, summary=figures)


def _pool(
    pictures: ImageSet, training_labels: TrainingLabels, groups: Mapping[str, str]
) -> tuple[list[str], TrainingPool]:
    """The squares to learn from, sorted by id. Ids are hashes, so the order is random.

    Nothing is learned from squares of the validation set and their near-duplicates, with or without labels.
    """
    train, holdout = training_labels.split.train, training_labels.split.holdout
    validation = {groups[id] for id in training_labels.validation}
    others = [id for id in pictures.ids if id not in train and id not in holdout and groups[id] not in validation]
    chosen = {*train, *holdout, *others[:MAX_UNLABELLED]}
    indices = [index for index, id in enumerate(pictures.ids) if id in chosen]
    ids, group_numbers = [pictures.ids[index] for index in indices], number_groups(train, groups)
    pool = TrainingPool(
        images=pictures.images[indices],
        on=np.array([train.get(id) == "on" for id in ids]),
        group=np.array([group_numbers.get(id, -1) for id in ids]),
    )
    return ids, pool


def _predict(classifier: Classifier, pictures: ImageSet, ids: list[str], advance: Advance) -> dict[str, float]:
    """The probability of each of `ids`."""
    advance("measuring")
    chosen = set(ids)
    indices = [index for index, id in enumerate(pictures.ids) if id in chosen]
    scores: dict[str, float] = {}
    for start in range(0, len(indices), BATCH):
        batch = indices[start : start + BATCH]
        found = classifier(pictures.images[batch]).probability.tolist()
        scores.update(zip([pictures.ids[index] for index in batch], found, strict=True))
    return scores
