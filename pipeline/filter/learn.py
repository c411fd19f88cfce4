"""From squares and labels to a classifier, in memory; and the learning curve: would more labels help?"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from pipeline.filter.backbone import convert
from pipeline.filter.calibration import calibrate
from pipeline.filter.classifier import BATCH, Classifier, Scale, combine, fit_scale
from pipeline.filter.cnn import SIDE as NETWORK_SIDE
from pipeline.filter.cnn import Network, TrainingSet, train_network
from pipeline.filter.features import BackboneDescriber, Describer, FeatureViews, SmallDescriber, join, pick
from pipeline.filter.kernel import (
    Fit,
    Kernel,
    components,
    fit_carried,
    fit_kernel,
    fit_machine,
    fit_ridge,
    own_scores,
    propagate_labels,
)
from pipeline.filter.patches import learn_dictionary
from pipeline.images.raster import mirrored, squares
from pipeline.options import ClassifierOptions
from pipeline.pretrained import Weights

ENOUGH = 1000  # pictures for the dictionary, the widths and the components; more cost time and change little
COMPONENTS = 32  # of the kernel that the networks learn to tell
RIDGE = 0.2  # anything from 0.05 to 0.5 does as well
BACKBONE_RIDGE = 0.1  # better features may be trusted a little more

Tick = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """All pictures to learn from, in random order. Those without a usable label still say what pictures look like."""

    images: np.ndarray  # (N, H, W, C) uint8
    on: np.ndarray  # (N,) bool; means something only for labelled pictures
    group: np.ndarray  # (N,) int, the same for pictures that are nearly alike; -1 for pictures without a label

    @property
    def labelled(self) -> np.ndarray:
        return self.group >= 0


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A classifier, and what it says of its own training pictures when it does not know their labels."""

    classifier: Classifier
    out_of_fold: np.ndarray  # (L,) probabilities, in the order of the pool's labelled pictures
    gain: dict[str, Any]  # what labels have brought and may bring


@dataclass(frozen=True, kw_only=True)
class Member:
    """One network with what it says of the pool."""

    network: Network
    scale: Scale
    scores: np.ndarray  # (N,), scaled


def ticks(count: int, options: ClassifierOptions, weights: Weights | None) -> int:
    """How often `learn` calls `tick` for `count` pictures."""
    batches = -(-count // BATCH)
    return 1 + batches + (0 if weights else options.members * (options.steps + batches))


def learn(pool: Pool, options: ClassifierOptions, weights: Weights | None, tick: Tick) -> Learned:
    """Train on the labelled pictures of `pool`; the others help without labels. `tick(note)` is called often.

    Every labelled picture also gets a score from parts that knew neither its label nor that of a picture nearly like
    it; on these the probabilities are calibrated.
    """
    if weights:
        return _learn_with_backbone(pool, weights, tick)
    return _learn_alone(pool, options, tick)


def _learn_with_backbone(pool: Pool, weights: Weights, tick: Tick) -> Learned:
    """Features of a pretrained network, and what lies near what among all pictures."""
    tick("converting the backbone")
    describe = BackboneDescriber(backbone=convert(weights, pool.images))
    views = _describe(describe, pool.images, tick)
    fit = fit_carried(
        fit_kernel(pick(views, np.arange(min(ENOUGH, len(pool.on)))), describe.shares),
        views,
        pool.labelled.nonzero()[0],
        pool.on[pool.labelled],
        pool.group[pool.labelled],
        ridge=BACKBONE_RIDGE,
        carry=partial(propagate_labels, views[0]),
    )
    scale = fit_scale(fit.machine(views)[:, 0])
    return _calibrated(pool, describe, fit, scale, members=[], own=[])


def _learn_alone(pool: Pool, options: ClassifierOptions, tick: Tick) -> Learned:
    """Features learnt here, and networks that learn from what a machine on these makes of all pictures."""
    tick("learning a dictionary of patches")
    describe = SmallDescriber(dictionary=learn_dictionary(pool.images[:ENOUGH], options.seed))
    views = _describe(describe, pool.images, tick)
    other = describe(mirrored(pool.images[pool.labelled]))
    teach = partial(
        _teach, fit_kernel(pick(views, np.arange(min(ENOUGH, len(pool.on)))), describe.shares), views, other
    )
    whole = teach(pool, pool.labelled)
    seen = components(whole.machine.kernel, views, landmarks=ENOUGH, count=COMPONENTS)
    members = [_train_member(member, pool, teach, views, seen, options, tick) for member in range(options.members)]
    own = np.array([member.scores for member in members])
    own = own[pool.group[pool.labelled] % options.members, pool.labelled.nonzero()[0]]
    return _calibrated(pool, describe, whole, fit_scale(whole.machine(views)[:, 0]), members=members, own=[own])


def _calibrated(
    pool: Pool, describe: Describer, fit: Fit, scale: Scale, *, members: list[Member], own: list[np.ndarray]
) -> Learned:
    left_out = combine(scale(fit.left_out), own)
    classifier = Classifier(
        describe=describe,
        machine=fit.machine,
        machine_scale=scale,
        networks=tuple(member.network for member in members),
        network_scales=tuple(member.scale for member in members),
        calibration=calibrate(left_out, pool.on[pool.labelled]),
    )
    ridge = RIDGE if members else BACKBONE_RIDGE
    on, groups = pool.on[pool.labelled], pool.group[pool.labelled]
    return Learned(
        classifier=classifier,
        out_of_fold=classifier.calibration(left_out),
        gain=learning_curve(fit, on, groups, ridge=ridge, seed=0),
    )


def _describe(describe: Describer, images: np.ndarray, tick: Tick) -> FeatureViews:
    parts = []
    for start in range(0, len(images), BATCH):
        tick("describing the pictures")
        parts.append(describe(images[start : start + BATCH]))
    return join(parts)


def _teach(kernel: Kernel, views: FeatureViews, other: FeatureViews, pool: Pool, known: np.ndarray) -> Fit:
    """A machine trained on the `known` of the labelled pictures, each as it is and mirrored: `other` has the views of
    all the labelled ones' mirror images. To mirror here what is known saves doing so with all that is scored."""
    among = known[pool.labelled]
    both = join([pick(views, known), pick(other, among)])
    groups = _numbered(pool.group[known])
    fit = fit_machine(kernel, both, np.tile(pool.on[known], 2), np.tile(groups, 2), ridge=RIDGE)
    first = slice(len(groups))
    return Fit(
        machine=fit.machine,
        left_out=fit.left_out[first],
        likeness=fit.likeness[first, first],
        reach=fit.reach[first, first],
    )


def _numbered(groups: np.ndarray) -> np.ndarray:
    """The same groups, numbered from 0 without gaps, in the same order."""
    return np.unique(groups, return_inverse=True)[1]


def _train_member(
    member: int,
    pool: Pool,
    teach: Callable[[Pool, np.ndarray], Fit],
    views: FeatureViews,
    seen: np.ndarray,
    options: ClassifierOptions,
    tick: Tick,
) -> Member:
    """A network that never saw the labels of part `member` of the groups: it learns from the others, and from what a
    kernel machine without that part makes of all pictures ("Noisy Student", Xie et al., 2020)."""
    known = pool.labelled & (pool.group % options.members != member)
    lesson = _lesson(pool, known, teach(pool, known), views, seen)
    note = f"network {member + 1} of {options.members}"
    seed = options.seed * options.members + member
    network = train_network(lesson, seed=seed, steps=options.steps, tick=partial(tick, note))
    scores = _ask(network, lesson.images, partial(tick, note))
    scale = fit_scale(scores)
    return Member(network=network, scale=scale, scores=scale(scores))


def _lesson(pool: Pool, known: np.ndarray, teacher: Fit, views: FeatureViews, seen: np.ndarray) -> TrainingSet:
    """Half of the draws are labelled pictures, as many on as off; the other half is any picture."""
    target = calibrate(teacher.left_out, pool.on[known])(teacher.machine(views)[:, 0])
    target[known] = pool.on[known]
    share = np.where(pool.on, (pool.on & known).sum(), (~pool.on & known).sum())
    odds = 0.5 / len(known) + np.where(known, 0.25 / share, 0)
    return TrainingSet(
        images=squares(pool.images, NETWORK_SIDE),
        odds=odds / odds.sum(),
        target=target.astype(np.float32),
        components=seen,
    )


def _ask(network: Network, images: np.ndarray, tick: Callable[[], None]) -> np.ndarray:
    parts = []
    for start in range(0, len(images), BATCH):
        tick()
        parts.append(network(images[start : start + BATCH]).scores)
    return np.concatenate(parts)


SHARES = 0.25, 0.5, 0.75, 1.0  # of the labels
DRAWS = 12  # of each share, averaged
LEAST = 4  # labels of each kind in a draw
MORE = 40  # labels: what a person gives in two minutes
POWERS = 0.1, 2.0  # that are believed: the points of a curve are uncertain, and it has not come to rest at .8
LITTLE = 0.005  # of average precision, not worth them


def learning_curve(fit: Fit, on: np.ndarray, groups: np.ndarray, *, ridge: float, seed: int) -> dict[str, Any]:
    """`curve`, pairs of labels and average precision; `hint`, a sentence on it; `enough`, whether more hardly help.

    Each point is the mean over some draws of so many of the labels `on` (L,) bool, in `groups` (L,): the machine alone
    is trained on a draw, and what it says of all labelled pictures, of those in the draw without their groups, is
    measured.
    """
    random = np.random.default_rng(seed)
    curve = []
    for share in SHARES:
        draws = 1 if share == 1 else DRAWS
        found = [_measure(fit, on, groups, _draw(groups, share, random), ridge) for _ in range(draws)]
        if found := [value for value in found if value is not None]:
            curve.append([round(share * len(on)), round(float(np.mean(found)), 4)])
    return {"curve": curve, **_words(curve)}


def _draw(groups: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """The places of the pictures of that share of the groups."""
    names = np.unique(groups)
    chosen = random.permutation(names)[: math.ceil(share * len(names))]
    return np.isin(groups, chosen).nonzero()[0]


def _measure(fit: Fit, on: np.ndarray, groups: np.ndarray, drawn: np.ndarray, ridge: float) -> float | None:
    if min(on[drawn].sum(), (~on[drawn]).sum()) < LEAST:
        return None
    trained = fit_ridge(fit.likeness[np.ix_(drawn, drawn)], on[drawn], ridge)
    scores = fit.reach[:, drawn] @ trained.weights
    numbers = np.unique(groups[drawn], return_inverse=True)[1]
    scores[drawn] = own_scores(fit.reach[np.ix_(drawn, drawn)], trained.leave_out(numbers), numbers)
    return float(average_precision_score(on, scores))


def _words(curve: list[list[float]]) -> dict[str, Any]:
    """What falls short of 1 is thought to fall like a power of the number of labels (C. Cortes et al., "Learning
    Curves", 1993)."""
    if len(curve) < 2:
        return {"hint": "", "enough": False}
    (fewer, before), (labels, now) = curve[-3] if len(curve) > 2 else curve[0], curve[-1]
    missing = np.log([max(1 - value, 1e-3) for _, value in curve])
    power = -float(np.polyfit(np.log([count for count, _ in curve]), missing, 1)[0])
    more = (1 - now) * (1 - (labels / (labels + MORE)) ** float(np.clip(power, *POWERS)))
    hint = (
        f"average precision {before:.3f} from {fewer} labels, {now:.3f} from {labels}; {MORE} more may add {more:.3f}"
    )
    return {"hint": hint + (": hardly worth it" if more < LITTLE else ""), "enough": more < LITTLE}
