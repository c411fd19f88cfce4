"""Measure the speed of the filter: training on 80 labels and a pool of 1,000 squares of 64 px, and scoring 10,000.

    .venv/bin/python benchmarks/filter_speed.py [--backbone FILE] [--features DIR]

The squares are drawn. `--features DIR` is a folder with a script features.py, whose `Extractor` computes features of
MobileNet at 224 px: its time is measured in turn with the scoring. Importing TensorFlow is not counted.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import numpy as np

from benchmarks.labelled import Subject, predict, train
from benchmarks.machine import machine
from pipeline.demo.picture import SUBJECTS, draw
from pipeline.images.raster import resize
from pipeline.pretrained import find_backbone

POOL, ON, OFF, SCORED, TURNS = 1000, 30, 50, 10_000, 5


def main() -> None:
    """Print both times, and the ratio to another extractor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="none")
    parser.add_argument("--features", type=Path)
    arguments = parser.parse_args()
    subject, weights = drawn(POOL), find_backbone(arguments.backbone)
    print(f"{machine()}; backbone {weights or 'none'}")
    labels = np.concatenate([subject.on.nonzero()[0][:ON], (~subject.on).nonzero()[0][:OFF]])
    learned, seconds = timed(lambda: train(subject, labels, weights))
    print(f"learning from {ON} + {OFF} labels and a pool of {POOL}: {seconds:.1f} s", flush=True)
    images = np.concatenate([subject.images] * (SCORED // POOL))
    predict(learned, images[:256])
    print(f"scoring {SCORED} pictures: {timed(lambda: predict(learned, images))[1]:.1f} s", flush=True)
    if arguments.features:
        compare(arguments.features, lambda: predict(learned, subject.images), subject)


def compare(folder: Path, score, subject: Subject) -> None:
    """Print the speed of the scoring and of the other extractor, measured in turn."""
    sys.path.insert(0, str(folder))
    from features import Extractor

    extract, images = Extractor(), list(subject.images)
    extract(images[:32])
    ours, theirs = zip(*[(timed(score)[1], timed(lambda: extract(images))[1]) for _ in range(TURNS)], strict=True)
    mine, others = len(images) / np.median(ours), len(images) / np.median(theirs)
    print(f"scored {mine:.0f} pictures/s, features of the other {others:.0f}: {mine / others:.2f} times as fast")


def drawn(count: int) -> Subject:
    """Drawn squares of the kinds in the demo; the first kind is on target."""
    kinds = len(SUBJECTS)
    pictures = (draw(SUBJECTS[number % kinds], np.random.default_rng(number), (96, 96)) for number in range(count))
    return Subject(images=np.array([resize(each, 64, 64) for each in pictures]), on=np.arange(count) % kinds == 0)


def timed(work):
    """Return the result of `work` and its duration in seconds."""
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


if __name__ == "__main__":
    main()
