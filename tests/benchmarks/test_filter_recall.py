"""The benchmark of the recall interval keeps its draws in a file that runs no code when it is read."""

import numpy as np

from benchmarks.filter_recall import Draw, from_json, measure, to_json
from pipeline.filter.threshold import gather_evidence


def test_a_saved_draw_gives_the_same_figures():
    random = np.random.default_rng(0)
    labels = ["on", "off"] * 20
    scores = np.where(np.array(labels) == "on", 0.8, 0.2) + random.normal(0, 0.1, 40)
    evidence = gather_evidence(random.uniform(size=60), 0.5, labels, labels, np.clip(scores, 0.01, 0.99))
    draw = Draw(subject="cats", way="random", evidence=evidence, on=random.uniform(size=60) > 0.5)
    again = from_json(to_json(draw))
    assert (again.subject, again.way) == ("cats", "random")
    assert np.array_equal(again.on, draw.on)
    assert measure(again, 0.9) == measure(draw, 0.9)
