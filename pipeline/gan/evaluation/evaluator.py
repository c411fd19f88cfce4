"""Evaluate samples during a training (KID, diversity, memorisation), and the discriminator on given pictures."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.metrics import pairwise_distances_chunked

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.gan.class_names import places_of
from pipeline.gan.config import Definition
from pipeline.gan.config.rules import LOSS_PROPERTIES
from pipeline.gan.evaluation.features import FeatureExtractor
from pipeline.gan.evaluation.metrics import MIN_IMAGES, Copies, Reference, Scores
from pipeline.gan.networks.pyramid import Pictures, as_judged, map_sides, sides
from pipeline.gan.networks.vision_aid import shared_loss
from pipeline.gan.training.losses import Loss, feature_distance, find_loss
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import StepPlan
from pipeline.images.packed import Images

MAX_REALS = 2000  # more reals make the scores hardly more stable
SAMPLES = 200, 500  # the fewest and the most that are scored if nothing is said: as many as reals between them


@dataclass(frozen=True, kw_only=True)
class SampleScores(Scores):
    """The scores of some samples. All are None if there are too few pictures.

    `diversity` is the mean distance between two samples over that between two reals: about 1 for a good generator, 0
    for one that generates one picture. `memorised` is the share of samples that are copies of reals (see `Copies`).
    """

    diversity: float | None = None
    memorised: float | None = None


@dataclass(frozen=True, kw_only=True)
class DcganScores(SampleScores):
    """The scores of some samples, and the extractor: scores of different extractors cannot be compared."""

    extractor: str


class SampleEvaluator:
    """Scores samples against the reals of one training; the scores of one evaluator can be compared with each other.

    `images` are the reals (N, S, S, C) uint8; of more than MAX_REALS some are chosen by `seed`. `count` is the number
    of samples for one evaluation; more than reals cost time, and the scores are no steadier for it.
    """

    def __init__(self, images: Images, *, extractor: FeatureExtractor, seed: int, count: int | None = None) -> None:
        self.extractor, self.seed = extractor, seed
        self.count = int(np.clip(len(images), *SAMPLES)) if count is None else count
        chosen = np.random.default_rng((seed, *b"monitor")).permutation(len(images))[:MAX_REALS]
        self._images = images[np.sort(chosen)]
        self._known_share = len(chosen) / max(len(images), 1)

    def evaluate(self, samples: np.ndarray) -> SampleScores:
        """The scores of the first `count` of `samples` (M, S, S, C) uint8, none of them selected."""
        samples = samples[: self.count]
        if len(self._images) < 2 * MIN_IMAGES or len(samples) < MIN_IMAGES:
            return SampleScores()
        features = self._features(samples)
        return SampleScores(
            **asdict(self._reference.score(features)),
            diversity=mean_distance(features) / self._mean_distance if self._mean_distance else None,
            memorised=self._copies.share(features, known=self._known_share),
        )

    @cached_property
    def _reals(self) -> np.ndarray:
        return self._features(self._images)

    def _features(self, images: np.ndarray) -> np.ndarray:
        """Features in float64: the metrics compute in it, and would convert them for each score."""
        return self.extractor.features(images).astype(np.float64)

    @cached_property
    def _reference(self) -> Reference:
        return Reference(self._reals, seed=self.seed)

    @cached_property
    def _mean_distance(self) -> float:
        return mean_distance(self._reals)

    @cached_property
    def _copies(self) -> Copies:
        return Copies(self._reals)


def mean_distance(features: np.ndarray) -> float:
    """The mean distance between two of `features` (N, D), N at least 2."""
    if not np.ptp(features, axis=0).any():
        return 0.0  # exactly: rounding would give a tiny divisor
    sums = pairwise_distances_chunked(features, reduce_func=lambda part, _: part.sum(axis=1, dtype=float))
    return float(np.concatenate(list(sums)).sum()) / (len(features) * (len(features) - 1))


ops = keras.ops


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Losses and accuracies of the two networks on some pictures: means over reals and fakes.

    The losses are those of the training, without penalties and augmentation: that of the discriminator is its mean on
    reals plus its mean on fakes. The accuracies are None for a Wasserstein GAN, whose discriminator is a critic; what
    is about reals or fakes is None if there were none.
    """

    d_loss: float
    g_loss: float
    accuracy: float | None  # on reals and fakes
    real_accuracy: float | None
    fake_accuracy: float | None
    d_real: float | None  # mean probability of being real that D gives reals
    d_fake: float | None


class DiscriminatorEvaluator:
    """Evaluates the networks of `state` at the stage of `plan`, without augmentation.

    Batch norm uses its stored statistics. A discriminator with minibatch layers sees batches as large as in training.
    A conditional one judges pictures with their classes: `labels` (N,) of given ones, those of the latents of samples.
    """

    def __init__(self, state: TrainState, plan: StepPlan) -> None:
        self.state, self.batch = state, state.definition.batch
        self.generator = state.average.at(plan.stage, fading=plan.fading)
        self.discriminator = state.discriminator.at(plan.stage, fading=plan.fading)

    def probabilities(self, pictures: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """The sigmoid of the logit of each of `pictures` (N, S, S, C) uint8: (N,) float32; a vision-aided discriminator
        has several logits, and gives their mean.
        """
        return _sigmoid(self._judge(pictures, labels)[0]).mean(axis=1)

    def evaluate(
        self,
        pictures: np.ndarray,
        latents: np.ndarray,
        *,
        labels: np.ndarray | None = None,
        is_real: np.ndarray | None = None,
    ) -> Evaluation:
        """Evaluate `pictures` (N, S, S, C) uint8 against the averaged generator's samples for `latents` (N, latent).

        With `is_real` (N,) bool the fakes are those of the `pictures` for which it is False, and the samples only give
        the generator's loss. Errors: a `UserError` if a loss compares reals with fakes and does not have both.
        """
        loss = find_loss(self.state.definition.loss)
        chosen = places_of(latents, self.state.classes) if self.state.classes else None
        drawn, drawn_mean = self._predict(self._sample_batches(latents), chosen)
        if is_real is None:
            real, real_mean = self._judge(pictures, labels)
            fake = drawn
        else:
            _check_sides(self.state.definition, is_real)
            of_reals, of_fakes = (None, None) if labels is None else (labels[is_real], labels[~is_real])
            real, real_mean = self._judge(pictures[is_real], of_reals)
            fake = self._judge(pictures[~is_real], of_fakes)[0]
        g_loss = shared_loss(loss.generator, real, drawn[: len(real)] if loss.is_paired else drawn)
        if weight := self.state.definition.feature_matching:
            g_loss += weight * feature_distance(real_mean, drawn_mean)
        return Evaluation(
            d_loss=self._discriminator_loss(loss, real, fake),
            g_loss=float(g_loss),
            d_real=float(_sigmoid(real).mean()) if len(real) else None,
            d_fake=float(_sigmoid(fake).mean()) if len(fake) else None,
            **_accuracies(loss, real, fake),
        )

    def _discriminator_loss(self, loss: Loss, real: np.ndarray, fake: np.ndarray) -> float:
        """D's loss on logits (N, K) and (M, K), of which one may be empty, unless they are paired."""
        smoothing = self.state.definition.smoothing
        if not (loss.on_reals and loss.on_fakes):
            return float(shared_loss(lambda real, fake: loss.discriminator(real, fake, smoothing), real, fake))
        on_reals, on_fakes = (
            shared_loss(lambda logits, term=term: term(logits, smoothing), found) if len(found) else 0.0
            for term, found in ((loss.on_reals, real), (loss.on_fakes, fake))
        )
        return float(on_reals + on_fakes)

    def _judge(self, pictures: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        return self._predict(self._image_batches(pictures), labels)

    def _predict(self, parts: Iterator[Pictures], labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, K), of D and of its aid, and the mean of the features (1, F): all might not fit into memory."""
        logits: list[np.ndarray] = []
        total: Any = np.float32(0)
        done = 0
        for part in parts:
            logit, features = map(_array, self.discriminator(part, training=False)[:2])
            if self.state.class_head and labels is not None:
                one_hot = np.eye(self.state.classes, dtype=np.float32)[labels[done : done + len(logit)]]
                logit = logit + _array(self.state.class_head.logit(features, one_hot))
            if aid := self.state.vision_aid:
                logit = np.concatenate([logit, _array(aid.logits(sides(part)[-1], training=False))], axis=1)
            logits.append(logit)
            done += len(logit)
            total += features.sum(axis=0, keepdims=True, dtype=np.float64)
        judges = 1 + (len(self.state.vision_aid.heads) if self.state.vision_aid else 0)
        found = np.concatenate([np.zeros((0, judges), np.float32), *logits])
        return found, np.asarray(total / max(len(found), 1), np.float32)

    def _image_batches(self, pictures: np.ndarray) -> Iterator[Pictures]:
        """Batches in [-1, 1], at the current side of a growing discriminator, or at all sides of a multi-scale one."""
        side = self.discriminator.inputs[-1].shape[1]
        times = pictures.shape[1] // side
        for part in self._split(pictures):
            cells = (part / np.float32(127.5) - 1).reshape(len(part), side, times, side, times, -1)
            yield as_judged(self.discriminator, cells.mean(axis=(2, 4), dtype=np.float32))

    def _sample_batches(self, latents: np.ndarray) -> Iterator[Pictures]:
        for part in self._split(latents):
            yield map_sides(_array, self.generator(part, training=False))

    def _split(self, array: np.ndarray) -> list[np.ndarray]:
        parts = -(-len(array) // self.batch)
        return np.array_split(array, parts) if parts else []  # none much smaller than the others


def _accuracies(loss: Loss, real: np.ndarray, fake: np.ndarray) -> dict[str, float | None]:
    if loss.is_critic:  # a logit is a score, and no answer
        return dict.fromkeys(("accuracy", "real_accuracy", "fake_accuracy"))
    if loss.is_paired:  # right or wrong on each pair
        return dict.fromkeys(("accuracy", "real_accuracy", "fake_accuracy"), float((real > fake).mean()))
    on_real, on_fake = real > 0, fake < 0
    correct = {"accuracy": np.concatenate([on_real, on_fake]), "real_accuracy": on_real, "fake_accuracy": on_fake}
    return {name: float(found.mean()) if len(found) else None for name, found in correct.items()}


def _check_sides(definition: Definition, is_real: np.ndarray) -> None:
    """Raise a `UserError` if the loss of `definition` needs reals, or pairs, that `is_real` does not have."""
    reals, fakes = int(is_real.sum()), int((~is_real).sum())
    if LOSS_PROPERTIES[definition.loss].is_paired and reals != fakes:
        raise UserError(
            f"labels: {reals} reals and {fakes} fakes, and the loss {definition.loss} compares pairs: give as many of"
            " both"
        )
    if definition.feature_matching and not reals:
        raise UserError("labels: no reals, and feature matching compares the samples with them: give some")


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return _array(ops.sigmoid(logits))


def _array(tensor: object) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))
