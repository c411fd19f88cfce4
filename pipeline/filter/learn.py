"""From pictures and labels to a classifier, in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.filter.calibration import calibrate
from pipeline.filter.classifier import BATCH, Classifier, Scale, combine, fit_scale
from pipeline.filter.kernel import Fit, Kernel, components, fit_kernel, fit_machine
from pipeline.filter.network import SIDE as NETWORK_SIDE
from pipeline.filter.network import Lesson, Network, train_network
from pipeline.filter.patches import learn_dictionary
from pipeline.filter.squares import squares
from pipeline.filter.views import Describer, Views, join, pick
from pipeline.options import ClassifierOptions

ENOUGH = 1000  # pictures for the dictionary, the widths and the components; more cost time and change little
COMPONENTS = 32  # of the kernel that the networks learn to tell

Tick = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """All pictures to learn from, in random order. Those without a usable label still say what pictures look like."""

    images: np.ndarray  # (N, H, W, C) uint8
    on: np.ndarray  # (N,) bool; means something only for labelled pictures
    fold: np.ndarray  # (N,) int; -1 for pictures without a label

    @property
    def labelled(self) -> np.ndarray:
        return self.fold >= 0


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A classifier, and what it says of its own training pictures when it does not know their labels."""

    classifier: Classifier
    out_of_fold: np.ndarray  # (L,) probabilities, in the order of the pool's labelled pictures


@dataclass(frozen=True, kw_only=True)
class Member:
    """One network with what it says of the pool."""

    network: Network
    scale: Scale
    scores: np.ndarray  # (N,), scaled


def ticks(count: int, options: ClassifierOptions) -> int:
    """How often `learn` calls `tick` for `count` pictures."""
    batches = -(-count // BATCH)
    return 1 + batches + options.members * (options.steps + batches)


def learn(pool: Pool, options: ClassifierOptions, tick: Tick) -> Learned:
    """Train on the labelled pictures of `pool`; the others help without labels. `tick(note)` is called often.

    Each network is trained without one fold, and the kernel machine's left-out scores are exact, so every labelled
    picture gets a score from parts that do not know its label; on these the probabilities are calibrated.
    """
    describe, views = _describe(pool.images, options.seed, tick)
    kernel = fit_kernel(pick(views, np.arange(min(ENOUGH, len(pool.fold)))))
    seen = components(kernel, views, landmarks=ENOUGH, count=COMPONENTS)
    members = [_train_member(member, pool, kernel, views, seen, options, tick) for member in range(options.members)]

    whole = _fit(kernel, views, pool, pool.labelled)
    scale = fit_scale(whole.machine(views))
    own = np.array([member.scores for member in members])[pool.fold[pool.labelled], pool.labelled.nonzero()[0]]
    left_out = combine(scale(whole.left_out), [own])
    classifier = Classifier(
        describe=describe,
        machine=whole.machine,
        machine_scale=scale,
        networks=tuple(member.network for member in members),
        network_scales=tuple(member.scale for member in members),
        calibration=calibrate(left_out, pool.on[pool.labelled]),
    )
    return Learned(classifier=classifier, out_of_fold=classifier.calibration(left_out))


def _describe(images: np.ndarray, seed: int, tick: Tick) -> tuple[Describer, Views]:
    tick("learning a dictionary of patches")
    describe = Describer(dictionary=learn_dictionary(images[:ENOUGH], seed))
    parts = []
    for start in range(0, len(images), BATCH):
        tick("describing the pictures")
        parts.append(describe(images[start : start + BATCH]))
    return describe, join(parts)


def _train_member(
    member: int, pool: Pool, kernel: Kernel, views: Views, seen: np.ndarray, options: ClassifierOptions, tick: Tick
) -> Member:
    """A network that never saw the labels of fold `member`: it learns from the others, and from what a kernel machine
    without that fold makes of all pictures ("Noisy Student", Xie et al., 2020)."""
    known = pool.labelled & (pool.fold != member)
    lesson = _lesson(pool, known, _fit(kernel, views, pool, known), views, seen)
    note = f"network {member + 1} of {options.members}"
    seed = options.seed * options.members + member
    network = train_network(lesson, seed=seed, steps=options.steps, tick=partial(tick, note))
    scores = _ask(network, lesson.images, partial(tick, note))
    scale = fit_scale(scores)
    return Member(network=network, scale=scale, scores=scale(scores))


def _fit(kernel: Kernel, views: Views, pool: Pool, known: np.ndarray) -> Fit:
    return fit_machine(kernel, pick(views, known), pool.on[known])


def _lesson(pool: Pool, known: np.ndarray, teacher: Fit, views: Views, seen: np.ndarray) -> Lesson:
    """Half of the draws are labelled pictures, as many on as off; the other half is any picture."""
    target = calibrate(teacher.left_out, pool.on[known])(teacher.machine(views))
    target[known] = pool.on[known]
    share = np.where(pool.on, (pool.on & known).sum(), (~pool.on & known).sum())
    odds = 0.5 / len(known) + np.where(known, 0.25 / share, 0)
    return Lesson(
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
