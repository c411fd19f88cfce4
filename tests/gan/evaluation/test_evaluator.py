import cv2
import numpy as np
import pytest

from pipeline.gan.evaluation.evaluator import SampleEvaluator, SampleScores, mean_distance
from pipeline.gan.evaluation.features import FeatureExtractor
from pipeline.gan.evaluation.metrics import NEIGHBOUR, Copies, Reference

SIZE = 8


def cloud(count, *, seed, shift=0.0):
    """Features of pictures from one source: (count, 24)."""
    return np.random.default_rng(seed).normal(shift, 1.0, (count, 24)).astype(np.float32)


def nearly(features, *, seed=9, by=0.05):
    return features + cloud(len(features), seed=seed) * by


def pictures(count, *, seed, size=SIZE):
    """Random soft shapes: (count, size, size, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3)).astype(np.uint8)
    return np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC) for image in coarse])


class Pixels:
    """An extractor whose features are the pixels; it records how many images it got."""

    def __init__(self):
        self.seen = []

    def __call__(self, images):
        self.seen.append(len(images))
        return images.reshape(len(images), -1).astype(np.float32) / 255

    def make_evaluator(self, images, **options) -> SampleEvaluator:
        return SampleEvaluator(
            images, extractor=FeatureExtractor(name="pixels", features=self), **{"seed": 3} | options
        )


@pytest.mark.parametrize("count", [100, 1000, 3000])
def test_copies_share_is_low_for_new_pictures_and_high_for_copies(count):
    copies = Copies(cloud(count, seed=0))
    assert copies.share(cloud(500, seed=1)) < 0.05
    assert copies.share(nearly(copies.reals[:500])) > 0.95


def test_copies_share_of_half_copies_is_half():
    copies = Copies(cloud(400, seed=0))
    mixed = np.concatenate([nearly(copies.reals[:200]), cloud(200, seed=1)])
    assert copies.share(mixed) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("each", [2, NEIGHBOUR - 1])
def test_near_duplicates_among_the_reals_do_not_change_the_copies_share(each):
    scenes = np.concatenate([cloud(200, seed=0), np.repeat(cloud(30, seed=2), each, axis=0)])
    copies = Copies(nearly(scenes, seed=5))
    assert copies.expected > 0.15
    assert copies.share(cloud(400, seed=1)) < 0.05
    # as many of the same scenes as among the reals, and of new ones
    honest = np.concatenate([cloud(200, seed=7), nearly(np.repeat(cloud(30, seed=2), each, axis=0), seed=8)])
    assert copies.share(honest) < 0.1
    assert copies.share(nearly(copies.reals)) > 0.95


def test_collapsed_samples_count_as_copies_only_if_they_are():
    copies = Copies(cloud(300, seed=0))
    average = np.repeat(copies.reals.mean(axis=0, keepdims=True), 200, axis=0)
    assert copies.share(nearly(average)) == 0
    assert copies.share(nearly(np.repeat(cloud(1, seed=4), 200, axis=0))) == 0
    assert copies.share(nearly(np.repeat(copies.reals[:1], 200, axis=0))) > 0.95


def test_bad_samples_do_not_count_as_copies():
    assert Copies(cloud(300, seed=0)).share(cloud(200, seed=1, shift=5.0)) == 0


def test_identical_reals_give_no_copies():
    assert Copies(np.ones((40, 6), np.float32)).share(np.ones((20, 6), np.float32)) == 0


def test_copies_of_unknown_reals_are_extrapolated():
    learnt = cloud(1000, seed=0)
    copies = Copies(learnt[:400])
    assert copies.share(nearly(learnt), known=0.4) == pytest.approx(1, abs=0.05)
    assert copies.share(cloud(500, seed=1), known=0.4) < 0.1


def test_mean_distance_is_over_all_pairs():
    assert mean_distance(np.array([[0.0], [1.0], [3.0]], np.float32)) == pytest.approx((1 + 3 + 2) / 3)


def test_samples_from_the_same_source_get_good_scores():
    found = Pixels().make_evaluator(pictures(300, seed=0)).evaluate(pictures(200, seed=1))
    assert abs(found.kid) < 5 * found.kid_error
    assert found.diversity == pytest.approx(1, abs=0.1)
    assert found.recall > 0.8
    assert found.memorised < 0.05


def test_one_repeated_sample_has_no_diversity_and_low_recall():
    found = Pixels().make_evaluator(pictures(300, seed=0)).evaluate(np.repeat(pictures(1, seed=1), 200, axis=0))
    assert found.diversity < 0.01
    assert found.recall < 0.1
    assert found.memorised == 0


def test_reals_as_samples_are_memorised():
    reals = pictures(300, seed=0)
    found = Pixels().make_evaluator(reals).evaluate(reals[:200])
    assert found.memorised == 1
    assert found.diversity == pytest.approx(1, abs=0.1)


def test_scores_equal_those_of_reference_on_the_same_features():
    extractor, reals, samples = Pixels(), pictures(60, seed=0), pictures(40, seed=1)
    found, expected = (
        extractor.make_evaluator(reals).evaluate(samples),
        Reference(extractor(reals), seed=3).score(extractor(samples)),
    )
    kids = [(one.kid, one.kid_error, one.kid_floor) for one in (found, expected)]
    assert kids[0] == pytest.approx(kids[1], rel=1e-6)
    assert (found.precision, found.recall) == (expected.precision, expected.recall)


def test_features_of_reals_are_computed_once_and_lazily():
    extractor = Pixels()
    evaluator = extractor.make_evaluator(pictures(50, seed=0), count=30)
    assert extractor.seen == []
    first = evaluator.evaluate(pictures(40, seed=1))
    assert evaluator.evaluate(pictures(40, seed=1)) == first
    assert sorted(extractor.seen) == [30, 30, 50]


@pytest.mark.parametrize(("reals", "scored"), [(50, 200), (256, 256), (700, 500)])
def test_as_many_samples_as_reals_are_scored(reals, scored):
    extractor = Pixels()
    extractor.make_evaluator(pictures(reals, seed=0)).evaluate(pictures(600, seed=1))
    assert sorted(extractor.seen) == sorted([scored, reals])


def test_many_reals_are_subsampled_by_the_seed():
    reals = np.random.default_rng(0).integers(0, 256, (2500, 2, 2, 1)).astype(np.uint8)
    extractor = Pixels()
    scores = [extractor.make_evaluator(reals, seed=seed).evaluate(reals[:64]) for seed in (1, 1, 2)]
    assert scores[0] == scores[1] != scores[2]
    assert max(extractor.seen) == 2000


@pytest.mark.parametrize(("reals", "samples"), [(10, 100), (100, 4), (0, 100), (100, 0)])
def test_too_few_pictures_give_no_scores(reals, samples):
    few = np.zeros((0, SIZE, SIZE, 3), np.uint8)
    found = (
        Pixels()
        .make_evaluator(pictures(reals, seed=0) if reals else few)
        .evaluate(pictures(samples, seed=1) if samples else few)
    )
    assert found == SampleScores()


def test_constant_reals_give_no_diversity():
    flat = np.full((40, SIZE, SIZE, 3), 7, np.uint8)
    assert Pixels().make_evaluator(flat).evaluate(pictures(20, seed=0)).diversity is None
