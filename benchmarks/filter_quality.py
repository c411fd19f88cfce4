"""Measure the quality of the filter: average precision with 30 + 50 random labels, over several draws.

    .venv/bin/python benchmarks/filter_quality.py ON_DIR OFF_DIR [OFF_DIR ...] [--backbone none|FILE] [--peers DIR]

`--peers DIR` is a folder with two scripts, peer_filters.py and features.py, whose `histograms` and `Extractor` compute
features of squares (N, 64, 64, 3): logistic regression on each is measured on the same draws.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from benchmarks.labelled import Subject, predict, read_subject, train
from benchmarks.machine import machine
from pipeline.pretrained import find_backbone

ON, OFF = 30, 50  # labels
ASIDE_ON, ASIDE_OFF = 12, 20  # pictures that others need to know when to stop; nobody is measured on them

Row = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (places of labels, places of tests) to scores of the tests


def main() -> None:
    """Print a line for each kind of filter."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("on", type=Path)
    parser.add_argument("off", type=Path, nargs="+")
    parser.add_argument("--backbone", default="none")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    arguments = parser.parse_args()
    subject = read_subject(arguments.on, arguments.off)
    weights = find_backbone(arguments.backbone)
    rows: dict[str, Row] = {
        f"ganmill, backbone {weights or 'none'}": lambda labels, tests: predict(
            train(subject, labels, weights), subject.images[tests]
        )
    }
    if arguments.peers:
        rows |= peers(arguments.peers, subject)
    print(f"{machine()}; {subject.on.sum()} on, {(~subject.on).sum()} off, {arguments.draws} draws")
    for name, row in rows.items():
        found = [measure(subject, row, draw) for draw in range(arguments.draws)]
        print(f"{name:60s} average precision {np.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})", flush=True)


def measure(subject: Subject, row: Row, draw: int) -> float:
    """The average precision of one kind of filter on one draw of labels."""
    random = np.random.default_rng(draw)
    on, off = random.permutation(subject.on.nonzero()[0]), random.permutation((~subject.on).nonzero()[0])
    tests = np.concatenate([on[ON + ASIDE_ON :], off[OFF + ASIDE_OFF :]])
    return float(average_precision_score(subject.on[tests], row(np.concatenate([on[:ON], off[:OFF]]), tests)))


def peers(folder: Path, subject: Subject) -> dict[str, Row]:
    """Logistic regression on the features of other programs."""
    sys.path.insert(0, str(folder))
    from features import Extractor
    from peer_filters import histograms

    images = list(subject.images)
    return {
        "logistic regression on histograms": regress(histograms(images), subject.on),
        "logistic regression on MobileNet at 224 px": regress(Extractor()(images), subject.on),
    }


def regress(features: np.ndarray, on: np.ndarray) -> Row:
    """Logistic regression on `features` (N, D)."""

    def row(labels: np.ndarray, tests: np.ndarray) -> np.ndarray:
        mean, scale = features[labels].mean(axis=0), features[labels].std() + 1e-6
        model = LogisticRegression(C=0.1, max_iter=3000).fit((features[labels] - mean) / scale, on[labels])
        return model.decision_function((features[tests] - mean) / scale)

    return row


if __name__ == "__main__":
    main()
