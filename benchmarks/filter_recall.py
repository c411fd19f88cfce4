"""Measure how often the interval of the filter's recall contains the true recall, which is known here.

    .venv/bin/python benchmarks/filter_recall.py CLASSES_DIR [CLASSES_DIR ...] [--backbone none|FILE] [--draws 2]

CLASSES_DIR has a folder of pictures for each class, or IDX files with labels (Fashion-MNIST). Each class is on target
once, mixed with pictures of the other classes. Labels are chosen in the three ways that occur: a random sample; 30 on
target and 50 off target, as people sort into folders; and half a random sample, then those that the label page suggests
after a first training. The intervals are 90 % intervals: the true value should be below the lower end in at most 5 of
100 draws, and above the upper end in at most 5. `--save FILE` keeps the scores of all draws, and `--load FILE` computes
the intervals from them again.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import numpy as np

from benchmarks.labelled import OPTIONS, Subject, predict, read_pictures
from benchmarks.machine import machine
from pipeline.crawl.sources.idx import read_idx
from pipeline.filter.calibration import ClassPrior, shift_logits
from pipeline.filter.learn import LearnResult, TrainingPool, learn
from pipeline.filter.recall import estimate_recall
from pipeline.filter.threshold import Evidence, choose_threshold, gather_evidence
from pipeline.filter.train_classifier import number_groups, split_labels
from pipeline.images.crop import fit_to_square
from pipeline.images.duplicates import group_similar
from pipeline.images.raster import resize
from pipeline.labels.suggest import RANDOM, SIDE, random_order, random_slice, suggest
from pipeline.options import ClassifierOptions, FilterOptions
from pipeline.pretrained import Weights, find_backbone

WAYS = "random", "sorted", "suggested"  # how labels are chosen
LABELS, ON, OFF = 80, 30, 50
FIRST = 40  # random labels before the label page suggests others
OTHERS = 1.0, 3.0  # how many more pictures are off target than on target
IDX_PICTURES = 6000  # of an IDX file that are read
PRECISIONS = 0.8, 0.9, 0.95, 0.995
BAND = FilterOptions().unsure
ARRAYS = {"scores": float, "on": bool, "unlabelled": float}  # of the evidence, as it is saved


@dataclass(frozen=True, kw_only=True)
class Draw:
    """One choice of labels: what the filter sees, and the truth about the squares without a label."""

    subject: str
    way: str
    evidence: Evidence
    on: np.ndarray  # (N,) bool


def to_json(draw: Draw) -> str:
    """`draw` as a line of JSON."""
    arrays = {name: getattr(draw.evidence, name).tolist() for name in ARRAYS}
    prior = {name: np.asarray(value).tolist() for name, value in vars(draw.evidence.class_prior).items()}
    row = {"subject": draw.subject, "way": draw.way, "on": draw.on.tolist(), "evidence": arrays, "class_prior": prior}
    return json.dumps(row) + "\n"


def from_json(line: str) -> Draw:
    """The draw that `to_json` wrote."""
    row = json.loads(line)
    arrays = {name: np.array(row["evidence"][name], kind) for name, kind in ARRAYS.items()}
    prior = ClassPrior(**row["class_prior"] | {"probabilities": np.array(row["class_prior"]["probabilities"])})
    evidence = Evidence(class_prior=prior, **arrays)
    return Draw(subject=row["subject"], way=row["way"], evidence=evidence, on=np.array(row["on"], bool))


def main() -> None:
    """Print, for each way to choose labels and each precision, how often the interval contains the true recall."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--backbone", default="none")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=300, help="most pictures on target")
    parser.add_argument("--steps", type=int, default=ClassifierOptions().steps, help="of small CNNs; fewer are faster")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--load", type=Path, nargs="*")
    arguments = parser.parse_args()
    if arguments.load:
        draws = [draw for path in arguments.load for draw in map(from_json, path.open())]
    else:
        draws = []
        how = How(options=ClassifierOptions(steps=arguments.steps), weights=find_backbone(arguments.backbone))
        for draw in make_draws(arguments.folders, how, arguments.draws, arguments.pictures):
            draws.append(draw)
            print(f"{draw.subject} {draw.way}", file=sys.stderr, flush=True)
            if arguments.save:
                arguments.save.write_text("".join(map(to_json, draws)))
    print(f"{machine()}; {len(draws)} draws, each at precision {', '.join(f'{each:g}' for each in PRECISIONS)}")
    print(f"{'labels':12s}{'draws':>6s}{'below':>8s}{'above':>8s}{'width':>8s}{'error':>8s}{'recall':>8s}")
    for way in (*WAYS, "all"):
        chosen = [draw for draw in draws if way in (draw.way, "all")]
        if chosen:
            rows = np.array([measure(draw, precision) for draw in chosen for precision in PRECISIONS])
            print(f"{way:12s}{len(chosen):6d}" + "".join(f"{value:8.3f}" for value in rows.mean(axis=0)))


def measure(draw: Draw, precision: float) -> tuple[float, ...]:
    """Whether the true recall is below or above the interval, the interval's width, the error of the expected recall,
    and the true recall."""
    shifted = shift_logits(draw.evidence.unlabelled, draw.evidence.offset)
    threshold = choose_threshold(shifted, precision, BAND)
    estimate = estimate_recall(threshold, draw.evidence)
    assert estimate is not None
    assert threshold.recall is not None
    recall = draw.on[shifted >= threshold.high].sum() / max(draw.on.sum(), 1)
    return (
        float(recall < estimate.low),
        float(recall > estimate.high),
        estimate.high - estimate.low,
        threshold.recall - recall,
        recall,
    )


@dataclass(frozen=True, kw_only=True)
class How:
    """How a classifier is trained."""

    options: ClassifierOptions
    weights: Weights | None


def make_draws(folders: Sequence[Path], how: How, count: int, pictures: int) -> Iterator[Draw]:
    """Yield the draws: `count` for each class and each way to choose labels."""
    classes = {name: images for folder in folders for name, images in read_classes(folder).items()}
    for seed in range(count):
        for name in classes:
            folder = name.rpartition("/")[0]
            others = [images for other, images in classes.items() if other != name and other.startswith(f"{folder}/")]
            for way in WAYS:
                if draw := make_draw(name, classes[name], np.concatenate(others), way, how, [seed, pictures]):
                    yield draw


def read_classes(folder: Path) -> dict[str, np.ndarray]:
    """The squares of each class in `folder`, by its name."""
    for path in sorted(folder.glob("*images*ubyte*")):
        if (found := read_idx(path, IDX_PICTURES)) and found.classes:
            numbers = np.array(found.classes)
            grey = {number: found.pixels[numbers == number] for number in sorted(set(found.classes))}
            return {f"{folder.name}/{number}": _squares(images) for number, images in grey.items()}
    return {f"{folder.name}/{path.name}": np.array(read_pictures(path)) for path in sorted(folder.iterdir())}


def _squares(grey: np.ndarray) -> np.ndarray:
    return np.array([fit_to_square(np.repeat(image[..., np.newaxis], 3, -1), OPTIONS) for image in grey])


def make_draw(
    name: str, images: np.ndarray, others: np.ndarray, way: str, how: How, seed: Sequence[int]
) -> Draw | None:
    """Train on one choice of labels; None if there are too few of one kind."""
    random = np.random.default_rng([*seed, *name.encode()])
    images = images[random.permutation(len(images))[: seed[1]]]
    others = others[random.permutation(len(others))[: round(random.uniform(*OTHERS) * len(images))]]
    on = np.arange(len(images) + len(others)) < len(images)
    order = random.permutation(len(on))
    subject = Subject(images=np.concatenate([images, others])[order], on=on[order])
    ids = [f"{index:064x}" for index in random.permutation(1 << 20)[: len(on)]]
    truth = dict(zip(ids, np.where(subject.on, "on", "off").tolist(), strict=True))
    labels = choose_labels(ids, truth, way, subject, how)
    if min(list(labels.values()).count("on"), list(labels.values()).count("off")) < 8:
        return None
    unseen, learned = train_and_hold_out(ids, subject.images, labels, how)
    rest = [index for index, id in enumerate(ids) if id not in labels]
    random_labels = [] if way == "sorted" else [labels[id] for id in random_slice(ids, labels)]
    evidence = gather_evidence(
        predict(learned, subject.images[rest]),
        learned.classifier.calibration.prior,
        random_labels,
        [labels[id] for id in unseen],
        np.array(list(unseen.values())),
    )
    return Draw(subject=name, way=way, evidence=evidence, on=subject.on[rest])


def choose_labels(ids: Sequence[str], truth: dict[str, str], way: str, subject: Subject, how: How) -> dict[str, str]:
    """The labels of the squares that a person labels."""
    if way == "sorted":
        chosen = [[id for id in ids if truth[id] == label][:count] for label, count in (("on", ON), ("off", OFF))]
        return {id: truth[id] for part in chosen for id in part}
    first = {id: truth[id] for id in random_order(ids)[: LABELS if way == "random" else FIRST]}
    if way == "random":
        return first
    known = list(first.values())
    if min(known.count("on"), known.count("off")) < 6:
        return {}
    _, learned = train_and_hold_out(ids, subject.images, first, how)
    scores = dict(zip(ids, predict(learned, subject.images).tolist(), strict=True))
    features = np.array([resize(image, SIDE, SIDE).ravel() for image in subject.images])
    picks = suggest(ids, labels=first, scores=scores, features=features, count=LABELS - FIRST)
    assert any(pick.why == RANDOM for pick in picks)
    return first | {pick.id: truth[pick.id] for pick in picks}


def train_and_hold_out(
    ids: Sequence[str], images: np.ndarray, labels: dict[str, str], how: How
) -> tuple[dict[str, float], LearnResult]:
    """Train as the classifier stage does; also the probability of each labelled square from a model that did not learn
    from its label."""
    groups = group_similar(ids, images)
    split = split_labels(labels, how.options.holdout, groups)
    numbers = number_groups(split.train, groups)
    pool = TrainingPool(
        images=images,
        on=np.array([labels.get(id) == "on" for id in ids]),
        group=np.array([numbers.get(id, -1) for id in ids]),
    )
    learned = learn(pool, how.options, how.weights, lambda note: None)
    unseen = dict(zip((id for id in ids if id in split.train), learned.out_of_fold.tolist(), strict=True))
    held = [index for index, id in enumerate(ids) if id in split.holdout]
    if held:
        unseen |= dict(zip([ids[index] for index in held], predict(learned, images[held]).tolist(), strict=True))
    return unseen, learned


if __name__ == "__main__":
    main()
