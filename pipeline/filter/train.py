"""The stage classifier: from normalised pictures and labels to something that tells on target from off."""

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.callbacks import Progress, ShouldStop
from pipeline.filter.backbone import identify_backbone
from pipeline.filter.classifier import BATCH, Classifier
from pipeline.filter.devices import prepare_devices
from pipeline.filter.holdout import number_groups
from pipeline.filter.learn import Pool, Tick, learn, ticks
from pipeline.filter.marks import Marks, read_marks
from pipeline.filter.saved import save_classifier
from pipeline.filter.unseen import HOLDOUT, MIDDLE, OUT_OF_FOLD, measure, write_unseen
from pipeline.filter.watch import Watch
from pipeline.filter.weights import Weights
from pipeline.images.groups import group_alike
from pipeline.images.image_set import ImageSet, read_images
from pipeline.options import ClassifierOptions
from pipeline.result import Result

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
    if weights:
        identify_backbone(weights)  # first: it may be of no network at all
    prepare_devices()
    pictures = read_images(normalize)
    groups = group_alike(pictures.ids, pictures.images)
    marks = read_marks(labels, groups, options.holdout)
    ids, pool = _pool(pictures, marks, groups)
    watch = Watch(progress, should_stop, ticks(len(ids), options, weights) + 1)
    learned = learn(pool, options, weights, watch)
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


def _pool(pictures: ImageSet, marks: Marks, groups: Mapping[str, str]) -> tuple[list[str], Pool]:
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
