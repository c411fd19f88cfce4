"""Measure the learning curve of the filter: average precision on held-out squares, with labels in the order that the
label page suggests, and in random order.

    .venv/bin/python benchmarks/label_curve.py ON_DIR OFF_DIR [OFF_DIR ...] [--backbone none|FILE] [--plot FILE.png]

A third of the squares is held out. Labels are added in rounds, and after each round the filter is trained again, like a
person who labels a page, updates the filter, and labels the next page.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot
from sklearn.metrics import average_precision_score

from benchmarks.labelled import Subject, predict, read_subject, train
from benchmarks.machine import machine
from pipeline.filter.classifier import BATCH
from pipeline.filter.kernel import principal_components
from pipeline.filter.learn import LearnResult
from pipeline.images.raster import resize
from pipeline.labels.suggest import SIDE, suggest
from pipeline.pretrained import Weights, find_backbone

FIRST = 40  # labels, before there is a filter that could suggest any


def main() -> None:
    """Print and plot both curves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("on", type=Path)
    parser.add_argument("off", type=Path, nargs="+")
    parser.add_argument("--backbone", default="none")
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--round", type=int, default=20)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    subject, weights = read_subject(arguments.on, arguments.off), find_backbone(arguments.backbone)
    counts = list(range(FIRST, arguments.labels + 1, arguments.round))
    print(f"{machine()}; {subject.on.sum()} on, {(~subject.on).sum()} off, {arguments.draws} draws")
    print(f"{'labels':10s}" + "".join(f"{count:>8d}" for count in counts))
    for order in ("random", "suggested"):
        precisions = [curve(subject, weights, order, counts, draw) for draw in range(arguments.draws)]
        mean = np.nanmean(precisions, axis=0)
        print(f"{order:10s}" + "".join(f"{value:8.3f}" for value in mean), flush=True)
        pyplot.plot(counts, mean, "o-", label=order)
    if arguments.plot:
        pyplot.xlabel("labels")
        pyplot.ylabel("average precision")
        pyplot.legend()
        pyplot.savefig(arguments.plot)


def curve(subject: Subject, weights: Weights | None, order: str, counts: list[int], draw: int) -> list[float]:
    """Average precision at each number of labels; NaN if there are too few of one kind."""
    random = np.random.default_rng(draw)
    order_of_squares = random.permutation(len(subject.on))
    test_squares, train_squares = (
        order_of_squares[: len(order_of_squares) // 3],
        order_of_squares[len(order_of_squares) // 3 :],
    )
    names = {f"{index:064x}": int(index) for index in train_squares}  # random, as hashes are: `train_squares` is
    labels_by_name: dict[str, str] = {}
    scores, precisions = None, []
    features = np.array([resize(image, SIDE, SIDE).ravel() for image in subject.images[train_squares]])  # at a glance
    for count in counts:
        more = count - len(labels_by_name)
        if order == "random":
            chosen = [name for name in names if name not in labels_by_name][:more]
        else:
            ids = list(names)
            picks = suggest(ids, labels=labels_by_name, scores=scores, features=features, count=more)
            chosen = [pick.id for pick in picks]
        labels_by_name |= {name: "on" if subject.on[names[name]] else "off" for name in chosen}
        labels = np.array([names[name] for name in labels_by_name])
        if min(subject.on[labels].sum(), (~subject.on[labels]).sum()) < 4:
            precisions.append(np.nan)
            continue
        learned = train(subject, labels, weights)
        precisions.append(
            float(average_precision_score(subject.on[test_squares], predict(learned, subject.images[test_squares])))
        )
        if order == "suggested":
            pool = subject.images[list(names.values())]
            scores = dict(zip(names, predict(learned, pool).tolist(), strict=True))
            features = filter_features(learned, pool)
    return precisions


def filter_features(learned: LearnResult, images: np.ndarray) -> np.ndarray:
    """The features that the filter writes for the label page."""
    starts = range(0, len(images), BATCH)
    similarity = np.concatenate([learned.classifier(images[start : start + BATCH]).similarity for start in starts])
    return principal_components(similarity, learned.classifier.landmarks(), 32)


if __name__ == "__main__":
    main()
