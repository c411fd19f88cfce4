"""How long the filter takes: learning from 80 labels and a pool of 1,000 pictures at 64 px, and scoring 10,000.

    .venv/bin/python benchmarks/filter_speed.py [--backbone FILE] [--features DIR]

The pictures are drawn. `--features DIR` names a folder with a script features.py, whose `Extractor` gives the features
of MobileNet at 224 px: it is timed in turn with the scoring. Importing TensorFlow is not counted.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import numpy as np

from benchmarks.labelled import Subject, ask, train
from benchmarks.machine import machine
from pipeline.demo.picture import SUBJECTS, draw
from pipeline.images.raster import resize
from pipeline.pretrained import find

POOL, ON, OFF, SCORED, TURNS = 1000, 30, 50, 10_000, 5


def main() -> None:
    """Print both times, and the ratio to another extractor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="none")
    parser.add_argument("--features", type=Path)
    given = parser.parse_args()
    subject, weights = drawn(POOL), find(given.backbone)
    print(f"{machine()}; backbone {weights or 'none'}")
    labels = np.concatenate([subject.on.nonzero()[0][:ON], (~subject.on).nonzero()[0][:OFF]])
    learned, seconds = timed(lambda: train(subject, labels, weights))
    print(f"learning from {ON} + {OFF} labels and a pool of {POOL}: {seconds:.1f} s", flush=True)
    images = np.concatenate([subject.images] * (SCORED // POOL))
    ask(learned, images[:256])
    print(f"scoring {SCORED} pictures: {timed(lambda: ask(learned, images))[1]:.1f} s", flush=True)
    if given.features:
        compare(given.features, lambda: ask(learned, subject.images), subject)


def compare(folder: Path, score, subject: Subject) -> None:
    """Print how fast the scoring is beside the other extractor, each in its turn."""
    sys.path.insert(0, str(folder))
    from features import Extractor

    extract, images = Extractor(), list(subject.images)
    extract(images[:32])
    ours, theirs = zip(*[(timed(score)[1], timed(lambda: extract(images))[1]) for _ in range(TURNS)], strict=True)
    mine, others = len(images) / np.median(ours), len(images) / np.median(theirs)
    print(f"scored {mine:.0f} pictures/s, features of the other {others:.0f}: {mine / others:.2f} times as fast")


def drawn(count: int) -> Subject:
    """Pictures of the embedded subject's kinds; the first kind is on target."""
    kinds = len(SUBJECTS)
    pictures = (draw(SUBJECTS[number % kinds], np.random.default_rng(number), (96, 96)) for number in range(count))
    return Subject(images=np.array([resize(each, 64, 64) for each in pictures]), on=np.arange(count) % kinds == 0)


def timed(work):
    """What `work` gives, and the seconds it took."""
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


if __name__ == "__main__":
    main()
