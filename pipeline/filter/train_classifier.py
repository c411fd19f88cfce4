"""The classifier stage: split the labels into training and hold-out, train, and measure."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.devices import prepare_devices
from pipeline.errors import UserError
from pipeline.filter.backbone import identify_backbone
from pipeline.filter.classifier import BATCH, Classifier
from pipeline.filter.classifier_io import save_classifier
from pipeline.filter.learn import Pool, Tick, learn, ticks
from pipeline.filter.scores import HOLDOUT, MIDDLE, OUT_OF_FOLD, measure, write_unseen
from pipeline.images.dataset import ImageSet, read_images
from pipeline.images.duplicates import group_alike
from pipeline.labels.snapshot import read_snapshot
from pipeline.options import ClassifierOptions
from pipeline.pretrained import Weights
from pipeline.progress import Progress, ShouldStop, StageProgress
from pipeline.result import Result
from pipeline.store.digest import of_bytes


@dataclass(frozen=True, kw_only=True)
class Split:
    """Labels by picture id, in two parts that share no picture and no group."""

    train: dict[str, str]
    holdout: dict[str, str]


def is_held_out(name: str, share: float) -> bool:
    """Whether the picture or group `name` is kept aside. It depends on the name alone, so it never changes when labels
    come and go; what a smaller share keeps aside, a larger one does too."""
    return _place("holdout", name) < share


def split_labels(labels: Mapping[str, str], share: float, groups: Mapping[str, str] | None = None) -> Split:
    """Keep about `share` of `labels` aside. Near-duplicates that `groups` gives one name stay on one side together."""
    groups = groups or {}
    held = {id for id in labels if is_held_out(groups.get(id, id), share)}
    return Split(
        train={id: label for id, label in labels.items() if id not in held},
        holdout={id: label for id, label in labels.items() if id in held},
    )


def number_groups(labels: Mapping[str, str], groups: Mapping[str, str] | None = None) -> dict[str, int]:
    """A number from 0 up for the group of each picture, so that every n-th number has its share of each label.

    Near-duplicates that `groups` gives one name get one number: folds made of numbers never part them.
    """
    groups = groups or {}
    members: dict[str, list[str]] = {}
    for id in sorted(labels):
        members.setdefault(groups.get(id, id), []).append(id)
    order = sorted(members, key=lambda name: (labels[members[name][0]], _place("fold", name)))
    return {id: number for number, name in enumerate(order) for id in members[name]}


def _place(purpose: str, name: str) -> float:
    """A number in [0, 1) that follows from `name`, another one for each purpose."""
    return int(of_bytes(f"{purpose}:{name}".encode())[:13], 16) / 16**13


LEAST = 8  # of each label: fewer say nothing that could be measured
LEAST_TRAINED = 4  # of each label after some are held out
HOW = "`python -m tasks web` in the browser, or `python -m tasks labels export DIR` for folders"


@dataclass(frozen=True, kw_only=True)
class TrainingLabels:
    """The labels of the pictures at hand."""

    split: Split  # on and off
    unsure: int
    gone: int  # labels of pictures that are not, or no longer, among the normalised ones

    def count(self, label: str) -> int:
        return sum(value == label for part in (self.split.train, self.split.holdout) for value in part.values())


def read_training_labels(snapshot: Path, groups: Mapping[str, str], holdout: float) -> TrainingLabels:
    """The labels in the file `snapshot` of the pictures that `groups` has, id to the name of its group; the share
    `holdout` of them kept aside, whole groups at a time.

    Errors: `UserError` if there are too few to learn from, saying how many there are and how to give more.
    """
    labels = read_snapshot(snapshot)
    present = {id: label for id, label in labels.items() if id in groups}
    certain = {id: label for id, label in present.items() if label != "unsure"}
    marks = TrainingLabels(
        split=split_labels(certain, holdout, groups),
        unsure=len(present) - len(certain),
        gone=len(labels) - len(present),
    )
    _check_enough(marks, holdout)
    return marks


def _check_enough(marks: TrainingLabels, holdout: float) -> None:
    if min(marks.count("on"), marks.count("off")) < LEAST:
        gone = f" (and {marks.gone} of pictures that are not there)" if marks.gone else ""
        raise UserError(
            f"labels: {marks.count('on')} on, {marks.count('off')} off{gone}; the classifier needs {LEAST} of each and"
            f" is good from 30 and 50. Label more: {HOW}. Or keep every picture: --filter-method none"
        )
    trained = _tally(marks.split.train)
    if min(trained.values()) < LEAST_TRAINED:
        raise UserError(
            f"labels: with holdout = {holdout} only {trained['on']} on and {trained['off']} off are left to learn from;"
            f" label more, or hold out less: --classifier-holdout 0.1"
        )


def _tally(labels: Mapping[str, str]) -> dict[str, int]:
    return {value: list(labels.values()).count(value) for value in ("on", "off")}


# Pictures without a label that are learnt from at most: more add little, and what a backbone's neighbours take grows
# with the square
UNLABELLED = 3000


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
    """Learn from the labels in the snapshot `labels` which pictures are on target; leave the classifier in `folder`.

    `weights` are those of the backbone; None for none. Beside the classifier lie `holdout.jsonl` and
    `out_of_fold.jsonl`: what it says of labelled pictures without knowing their labels. The same pictures, labels,
    weights and options give the same classifier, bit for bit, on the same machine.
    Errors: `UserError` with fewer than 8 labels of either kind, or for weights of no known network; `Stopped`, leaving
    nothing.
    """
    started = time.monotonic()
    # First: a file of the user's may hold no network at all. It is read once; what it holds is known from here on
    known = replace(weights, name=identify_backbone(weights)) if weights else None
    prepare_devices()
    pictures = read_images(normalize)
    groups = group_alike(pictures.ids, pictures.images)
    marks = read_training_labels(labels, groups, options.holdout)
    ids, pool = _pool(pictures, marks, groups)
    watch = StageProgress(progress, should_stop, ticks(len(ids), options, weights) + 1)
    learned = learn(pool, options, known, watch)
    out_of_fold = dict(zip(np.array(ids)[pool.labelled].tolist(), learned.out_of_fold.tolist(), strict=True))
    holdout = _judge(learned.classifier, pictures, list(marks.split.holdout), watch)

    model = save_classifier(learned.classifier, folder)
    write_unseen(marks.split.holdout, holdout, folder / HOLDOUT)
    write_unseen(marks.split.train, out_of_fold, folder / OUT_OF_FOLD)
    figures = {
        "backbone": str(weights) if weights else "none",
        "labels_on": marks.count("on"),
        "labels_off": marks.count("off"),
        "labels_unsure": marks.unsure,
        "labels_gone": marks.gone,
        "trained_on": len(marks.split.train),
        "holdout": len(marks.split.holdout),
        **measure(marks.split.holdout, holdout),
        **{f"out_of_fold_{name}": value for name, value in measure(marks.split.train, out_of_fold).items()},
        **learned.gain,
        "threshold": MIDDLE,
        "seconds": round(time.monotonic() - started, 1),
    }
    return Result(outputs={"model": model}, summary=figures)


def _pool(pictures: ImageSet, marks: TrainingLabels, groups: Mapping[str, str]) -> tuple[list[str], Pool]:
    """The pictures to learn from, in the order of their ids, which is random: they are hashes."""
    train, holdout = marks.split.train, marks.split.holdout
    others = [id for id in pictures.ids if id not in train and id not in holdout]
    wanted = {*train, *holdout, *others[:UNLABELLED]}
    places = [place for place, id in enumerate(pictures.ids) if id in wanted]
    ids, numbers = [pictures.ids[place] for place in places], number_groups(train, groups)
    pool = Pool(
        images=pictures.images[places],
        on=np.array([train.get(id) == "on" for id in ids]),
        group=np.array([numbers.get(id, -1) for id in ids]),
    )
    return ids, pool


def _judge(classifier: Classifier, pictures: ImageSet, ids: list[str], tick: Tick) -> dict[str, float]:
    """The probability of each of `ids`."""
    tick("measuring")
    places = [place for place, id in enumerate(pictures.ids) if id in set(ids)]
    scores: dict[str, float] = {}
    for start in range(0, len(places), BATCH):
        batch = places[start : start + BATCH]
        found = classifier(pictures.images[batch]).probability.tolist()
        scores.update(zip([pictures.ids[place] for place in batch], found, strict=True))
    return scores
