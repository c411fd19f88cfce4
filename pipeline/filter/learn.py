"""Train a classifier from squares and labels in memory, and compute a learning curve: would more labels help?"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from pipeline.filter.backbone import convert_backbone
from pipeline.filter.calibration import calibrate
from pipeline.filter.classifier import BATCH, Classifier, Scale, combine, fit_scale
from pipeline.filter.cnn import SIDE as NETWORK_SIDE
from pipeline.filter.cnn import Network, NetworkTrainer, TrainingSet
from pipeline.filter.features import (
    BackboneExtractor,
    FeatureExtractor,
    FeatureViews,
    HistogramPatchExtractor,
    concatenate_views,
    select_rows,
)
from pipeline.filter.kernel import (
    Fit,
    Kernel,
    components,
    fit_kernel,
    fit_machine,
    fit_propagated,
    fit_ridge,
    leave_group_out_scores,
    propagate_labels,
)
from pipeline.filter.patches import learn_dictionary
from pipeline.images.raster import mirrored, squares
from pipeline.labels.snapshot import EXTRA_LABELS
from pipeline.options import ClassifierOptions
from pipeline.pretrained import Weights

MAX_REFERENCE = 1000  # squares for the dictionary, the widths and the components; more cost time and change little
COMPONENTS = 32  # of the kernel that the networks learn to predict
RIDGE = 0.2  # anything from 0.05 to 0.5 is as good
BACKBONE_RIDGE = 0.1  # better features need less regularisation

Advance = Callable[[str], None]  # reports one more unit of work as finished, with a note


@dataclass(frozen=True, kw_only=True)
class TrainingPool:
    """All squares to learn from, in random order; unlabelled ones also show what squares look like."""

    images: np.ndarray  # (N, H, W, C) uint8
    on: np.ndarray  # (N,) bool; valid only for labelled squares
    group: np.ndarray  # (N,) int, equal for near-duplicates; -1 without a label

    @property
    def labelled(self) -> np.ndarray:
        return self.group >= 0


@dataclass(frozen=True, kw_only=True)
class LearnResult:
    """A classifier, and its out-of-fold probabilities of the training squares."""

    classifier: Classifier
    out_of_fold: np.ndarray  # (L,) probabilities, in the order of the pool's labelled squares
    learning_curve: dict[str, Any]  # as `learning_curve` returns it


@dataclass(frozen=True, kw_only=True)
class EnsembleMember:
    """One network of the ensemble with its scores of the pool."""

    network: Network
    scale: Scale
    scores: np.ndarray  # (N,), scaled


def count_advances(count: int, options: ClassifierOptions, weights: Weights | None) -> int:
    """How often `learn` calls `advance` for `count` squares."""
    batches = -(-count // BATCH)
    return 1 + batches + (0 if weights else options.members * (options.steps + batches))


def learn(pool: TrainingPool, options: ClassifierOptions, weights: Weights | None, advance: Advance) -> LearnResult:
    """Train on the labelled squares of `pool`, using the unlabelled ones as well; `advance(note)` is called often.

    Every labelled square also gets an out-of-fold score, from models trained without its label and without those of its
    near-duplicates; the probabilities are calibrated on these scores.
    """
    if weights:
        return _learn_with_backbone(pool, weights, advance)
    return _learn_without_backbone(pool, options, advance)


def _learn_with_backbone(pool: TrainingPool, weights: Weights, advance: Advance) -> LearnResult:
    """Train on features of a pretrained network, with scores propagated to neighbours."""
    advance("converting the backbone")
    extract = BackboneExtractor(backbone=convert_backbone(weights, pool.images))
    views = _extract(extract, pool.images, advance)
    fit = fit_propagated(
        fit_kernel(select_rows(views, np.arange(min(MAX_REFERENCE, len(pool.on)))), extract.coefficients),
        views,
        pool.labelled.nonzero()[0],
        pool.on[pool.labelled],
        pool.group[pool.labelled],
        ridge=BACKBONE_RIDGE,
        propagate=partial(propagate_labels, views[0]),
    )
    scale = fit_scale(fit.machine(views)[:, 0])
    return _calibrated(pool, extract, fit, scale, members=[], network_scores=[])


def _learn_without_backbone(pool: TrainingPool, options: ClassifierOptions, advance: Advance) -> LearnResult:
    """Train on histograms and patches, and train CNNs on the kernel machine's scores of all squares."""
    advance("learning a dictionary of patches")
    extract = HistogramPatchExtractor(dictionary=learn_dictionary(pool.images[:MAX_REFERENCE], options.seed))
    views = _extract(extract, pool.images, advance)
    mirrored_views = extract(mirrored(pool.images[pool.labelled]))
    fit_teacher = partial(
        _fit_teacher,
        fit_kernel(select_rows(views, np.arange(min(MAX_REFERENCE, len(pool.on)))), extract.coefficients),
        views,
        mirrored_views,
    )
    fit = fit_teacher(pool, pool.labelled)
    kernel_components = components(fit.machine.kernel, views, landmarks=MAX_REFERENCE, count=COMPONENTS)
    trainer = NetworkTrainer(kernel_components.shape[1], steps=options.steps)
    members = [
        _train_member(trainer, member, pool, fit_teacher, views, kernel_components, options, advance)
        for member in range(options.members)
    ]
    network_scores = np.array([member.scores for member in members])
    network_scores = network_scores[pool.group[pool.labelled] % options.members, pool.labelled.nonzero()[0]]
    return _calibrated(
        pool, extract, fit, fit_scale(fit.machine(views)[:, 0]), members=members, network_scores=[network_scores]
    )


def _calibrated(
    pool: TrainingPool,
    extract: FeatureExtractor,
    fit: Fit,
    scale: Scale,
    *,
    members: list[EnsembleMember],
    network_scores: list[np.ndarray],
) -> LearnResult:
    out_of_fold = combine(scale(fit.out_of_fold), network_scores)
    classifier = Classifier(
        extract=extract,
        machine=fit.machine,
        machine_scale=scale,
        networks=tuple(member.network for member in members),
        network_scales=tuple(member.scale for member in members),
        calibration=calibrate(out_of_fold, pool.on[pool.labelled]),
    )
    ridge = RIDGE if members else BACKBONE_RIDGE
    on, groups = pool.on[pool.labelled], pool.group[pool.labelled]
    return LearnResult(
        classifier=classifier,
        out_of_fold=classifier.calibration(out_of_fold),
        learning_curve=learning_curve(fit, on, groups, ridge=ridge, seed=0),
    )


def _extract(extract: FeatureExtractor, images: np.ndarray, advance: Advance) -> FeatureViews:
    parts = []
    for start in range(0, len(images), BATCH):
        advance("extracting features")
        parts.append(extract(images[start : start + BATCH]))
    return concatenate_views(parts)


def _fit_teacher(
    kernel: Kernel, views: FeatureViews, mirrored_views: FeatureViews, pool: TrainingPool, known: np.ndarray
) -> Fit:
    """Train a kernel machine on the `known` ones of the labelled squares, each as it is and mirrored.

    Args:
        kernel: The kernel.
        views: Features of all squares.
        mirrored_views: Features of the mirrored labelled squares. Mirroring here avoids it for every square that is
            scored.
        pool: All squares.
        known: (N,) bool, the labelled squares to train on.
    """
    known_labelled = known[pool.labelled]
    both = concatenate_views([select_rows(views, known), select_rows(mirrored_views, known_labelled)])
    groups = _renumber(pool.group[known])
    fit = fit_machine(kernel, both, np.tile(pool.on[known], 2), np.tile(groups, 2), ridge=RIDGE)
    first = slice(len(groups))
    return Fit(
        machine=fit.machine,
        out_of_fold=fit.out_of_fold[first],
        similarity=fit.similarity[first, first],
        design=fit.design[first, first],
    )


def _renumber(groups: np.ndarray) -> np.ndarray:
    """Renumber groups from 0 without gaps, in the same order."""
    return np.unique(groups, return_inverse=True)[1]


def _train_member(
    trainer: NetworkTrainer,
    member: int,
    pool: TrainingPool,
    fit_teacher: Callable[[TrainingPool, np.ndarray], Fit],
    views: FeatureViews,
    kernel_components: np.ndarray,
    options: ClassifierOptions,
    advance: Advance,
) -> EnsembleMember:
    """Train one network of the ensemble without the labels of fold `member`.

    It learns from the other labels, and from a kernel machine's scores of all squares, also without that fold ("noisy
    student": Q. Xie et al., "Self-training with Noisy Student improves ImageNet classification", 2020).
    """
    known = pool.labelled & (pool.group % options.members != member)
    training_set = _training_set(pool, known, fit_teacher(pool, known), views, kernel_components)
    note = f"network {member + 1} of {options.members}"
    seed = options.seed * options.members + member
    network = trainer.train(training_set, seed=seed, advance=partial(advance, note))
    scores = _predict(network, training_set.images, partial(advance, note))
    scale = fit_scale(scores)
    return EnsembleMember(network=network, scale=scale, scores=scale(scores))


def _training_set(
    pool: TrainingPool, known: np.ndarray, teacher: Fit, views: FeatureViews, kernel_components: np.ndarray
) -> TrainingSet:
    """Half of the draws are labelled squares, as many on target as off target; the other half is any square."""
    target = calibrate(teacher.out_of_fold, pool.on[known])(teacher.machine(views)[:, 0])
    target[known] = pool.on[known]
    label_count = np.where(pool.on, (pool.on & known).sum(), (~pool.on & known).sum())
    weights = 0.5 / len(known) + np.where(known, 0.25 / np.maximum(label_count, 1), 0)
    return TrainingSet(
        images=squares(pool.images, NETWORK_SIDE),
        sampling_probability=weights / weights.sum(),
        target=target.astype(np.float32),
        components=kernel_components,
    )


def _predict(network: Network, images: np.ndarray, advance: Callable[[], None]) -> np.ndarray:
    batches = []
    for start in range(0, len(images), BATCH):
        advance()
        batches.append(network(images[start : start + BATCH]))
    return np.concatenate(batches)


FRACTIONS = 0.25, 0.5, 0.75, 1.0  # of the labels
DRAWS = 12  # of each fraction, averaged
MIN_PER_LABEL = 4  # labels of each kind in a draw
POWER_RANGE = 0.1, 2.0  # plausible exponents: the points of a curve are noisy
NEGLIGIBLE_GAIN = 0.005  # of average precision: more labels are not worth it


def learning_curve(fit: Fit, on: np.ndarray, groups: np.ndarray, *, ridge: float, seed: int) -> dict[str, Any]:
    """Compute the learning curve, and predict whether more labels would help.

    Each point is a mean over draws of some labels: the kernel machine is trained on a draw, and its average precision
    is measured on all labelled squares, out of fold for those in the draw.

    Args:
        fit: The kernel machine.
        on: (L,) bool, the labels.
        groups: (L,) int, equal for near-duplicates.
        ridge: The regularisation.
        seed: Seed of the draws.

    Returns:
        `curve`, pairs of labels and average precision; `hint`, a sentence; `enough`, whether more labels hardly help.
    """
    random = np.random.default_rng(seed)
    curve = []
    for fraction in FRACTIONS:
        draws = 1 if fraction == 1 else DRAWS
        values = [_measure(fit, on, groups, _draw(groups, fraction, random), ridge) for _ in range(draws)]
        if values := [value for value in values if value is not None]:
            curve.append([round(fraction * len(on)), round(float(np.mean(values)), 4)])
    return {"curve": curve, **_hint(curve)}


def _draw(groups: np.ndarray, fraction: float, random: np.random.Generator) -> np.ndarray:
    """Indices of the squares of a random fraction of the groups."""
    names = np.unique(groups)
    chosen = random.permutation(names)[: math.ceil(fraction * len(names))]
    return np.isin(groups, chosen).nonzero()[0]


def _measure(fit: Fit, on: np.ndarray, groups: np.ndarray, drawn: np.ndarray, ridge: float) -> float | None:
    if min(on[drawn].sum(), (~on[drawn]).sum()) < MIN_PER_LABEL:
        return None
    trained = fit_ridge(fit.similarity[np.ix_(drawn, drawn)], on[drawn], ridge)
    scores = fit.design[:, drawn] @ trained.weights
    numbers = np.unique(groups[drawn], return_inverse=True)[1]
    scores[drawn] = leave_group_out_scores(fit.design[np.ix_(drawn, drawn)], trained.leave_groups_out(numbers), numbers)
    return float(average_precision_score(on, scores))


def predict_gain(curve: Sequence[Sequence[float]]) -> float | None:
    """The average precision that `EXTRA_LABELS` more labels may add; None if the curve has too few points.

    The error falls as a power of the number of labels (C. Cortes et al., "Learning Curves", 1993).
    """
    if len(curve) < 2:
        return None
    labels, now = curve[-1]
    log_error = np.log([max(1 - value, 1e-3) for _, value in curve])
    power = -float(np.polyfit(np.log([count for count, _ in curve]), log_error, 1)[0])
    return float((1 - now) * (1 - (labels / (labels + EXTRA_LABELS)) ** float(np.clip(power, *POWER_RANGE))))


def _hint(curve: list[list[float]]) -> dict[str, Any]:
    gain = predict_gain(curve)
    if gain is None:
        return {"hint": "", "enough": False}
    (fewer, earlier), (labels, now) = curve[-3] if len(curve) > 2 else curve[0], curve[-1]
    hint = (
        f"average precision {earlier:.3f} from {fewer} labels, {now:.3f} from {labels};"
        f" {EXTRA_LABELS} more may add {gain:.3f}"
    )
    return {"hint": hint + (": hardly worth it" if gain < NEGLIGIBLE_GAIN else ""), "enough": gain < NEGLIGIBLE_GAIN}
