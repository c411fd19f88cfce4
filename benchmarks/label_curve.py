"""How many labels it takes: average precision on pictures kept aside, as labels come in the order that the label page
suggests them, and in random order.

    .venv/bin/python benchmarks/label_curve.py ON_DIR OFF_DIR [OFF_DIR ...] [--backbone none|FILE] [--plot FILE.png]

A third of the pictures is kept aside. Labels come in rounds, and after each the filter is trained anew, as by a person
who labels a page, updates the filter, and labels the next.
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

from benchmarks.labelled import Subject, ask, read_subject, train
from benchmarks.machine import machine
from pipeline.filter.classifier import BATCH
from pipeline.filter.kernel import principal_components
from pipeline.filter.learn import Learned
from pipeline.images.raster import resize
from pipeline.labels.suggest import SIDE, suggest
from pipeline.pretrained import Weights, find

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
    given = parser.parse_args()
    subject, weights = read_subject(given.on, given.off), find(given.backbone)
    counts = list(range(FIRST, given.labels + 1, given.round))
    print(f"{machine()}; {subject.on.sum()} on, {(~subject.on).sum()} off, {given.draws} draws")
    print(f"{'labels':10s}" + "".join(f"{count:>8d}" for count in counts))
    for order in ("random", "suggested"):
        found = [curve(subject, weights, order, counts, draw) for draw in range(given.draws)]
        mean = np.nanmean(found, axis=0)
        print(f"{order:10s}" + "".join(f"{value:8.3f}" for value in mean), flush=True)
        pyplot.plot(counts, mean, "o-", label=order)
    if given.plot:
        pyplot.xlabel("labels")
        pyplot.ylabel("average precision")
        pyplot.legend()
        pyplot.savefig(given.plot)


def curve(subject: Subject, weights: Weights | None, order: str, counts: list[int], draw: int) -> list[float]:
    """Average precision at each number of labels; NaN where there are too few of a kind."""
    random = np.random.default_rng(draw)
    places = random.permutation(len(subject.on))
    tests, free = places[: len(places) // 3], places[len(places) // 3 :]
    names = {f"{place:064x}": int(place) for place in free}  # random, as hashes are: `free` is
    given: dict[str, str] = {}
    scores, found = None, []
    features = np.array([resize(image, SIDE, SIDE).ravel() for image in subject.images[free]])  # at a glance
    for count in counts:
        more = count - len(given)
        if order == "random":
            chosen = [name for name in names if name not in given][:more]
        else:
            ids = list(names)
            picks = suggest(ids, labels=given, scores=scores, features=features, count=more)
            chosen = [pick.id for pick in picks]
        given |= {name: "on" if subject.on[names[name]] else "off" for name in chosen}
        labels = np.array([names[name] for name in given])
        if min(subject.on[labels].sum(), (~subject.on[labels]).sum()) < 4:
            found.append(np.nan)
            continue
        learned = train(subject, labels, weights)
        found.append(float(average_precision_score(subject.on[tests], ask(learned, subject.images[tests]))))
        if order == "suggested":
            pool = subject.images[list(names.values())]
            scores = dict(zip(names, ask(learned, pool).tolist(), strict=True))
            features = seen(learned, pool)
    return found


def seen(learned: Learned, images: np.ndarray) -> np.ndarray:
    """What the filter leaves for the label page: features by which pictures are compared."""
    starts = range(0, len(images), BATCH)
    likeness = np.concatenate([learned.classifier(images[start : start + BATCH]).likeness for start in starts])
    return principal_components(likeness, learned.classifier.landmarks(), 32)


if __name__ == "__main__":
    main()
