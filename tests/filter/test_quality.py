import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from pipeline.filter.filter_images import filter_images
from pipeline.filter.scores import read_scores
from pipeline.filter.train_classifier import train_classifier
from pipeline.labels.snapshot import write_snapshot
from pipeline.options import ClassifierOptions, FilterOptions
from pipeline.pretrained import find_backbone
from pipeline.progress import never, silent

from .drawn import write_normalized
from .photos import read_squares

pytestmark = [pytest.mark.slow, pytest.mark.long]


def scores_of_a_real_crawl(shared_data, tmp_path, weights):
    """Train on 30 + 50 random labels and filter; returns for every other square whether it is on target, its score, and
    whether it was kept."""
    on, off = read_squares(shared_data / "pikachu" / "on"), read_squares(shared_data / "pikachu" / "off")
    ids = write_normalized(tmp_path / "normalize", [*on, *off])
    truth = dict(zip(ids, ["on"] * len(on) + ["off"] * len(off), strict=True))
    random = np.random.default_rng(0)
    given = {ids[place]: "on" for place in random.choice(len(on), 30, replace=False)}
    given |= {ids[len(on) + place]: "off" for place in random.choice(len(off), 50, replace=False)}
    inputs = {"normalize": tmp_path / "normalize", "labels": write_snapshot(given, tmp_path)}
    for name in ("classifier", "filter"):
        (tmp_path / name).mkdir()
    calls = {"progress": silent, "should_stop": never}
    train_classifier(ClassifierOptions(), **inputs, weights=weights, folder=tmp_path / "classifier", **calls)
    filter_images(FilterOptions(), **inputs, classifier=tmp_path / "classifier", folder=tmp_path / "filter", **calls)
    free = [score for score in read_scores(tmp_path / "filter") if score.label is None]
    on_target = np.array([truth[score.id] == "on" for score in free])
    return on_target, np.array([score.score for score in free]), np.array([score.outcome == "kept" for score in free])


def test_eighty_labels_reach_the_precision_on_a_real_crawl(shared_data, tmp_path):
    """Histograms alone reach 0.92 to 0.94 here, a network trained on the labels alone less than 0.9."""
    on_target, scores, kept = scores_of_a_real_crawl(shared_data, tmp_path, weights=None)
    assert average_precision_score(on_target, scores) > 0.93
    assert on_target[kept].mean() > 0.88
    assert kept[on_target].mean() > 0.3


def test_eighty_labels_with_pretrained_weights_on_a_real_crawl(shared_data, tmp_path):
    """Logistic regression on features of the same network, at a larger size, reaches 0.963 here on average."""
    weights = find_backbone(str(shared_data / "weights" / "mobilenet_1_0_224_no_top.weights.h5"))
    on_target, scores, kept = scores_of_a_real_crawl(shared_data, tmp_path, weights)
    assert average_precision_score(on_target, scores) > 0.95
    assert on_target[kept].mean() > 0.92
