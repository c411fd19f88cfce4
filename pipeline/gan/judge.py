"""What a discriminator makes of pictures, while nothing learns."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.gan.losses import feature_distance, find_loss
from pipeline.gan.runtime import keras
from pipeline.gan.state import TrainState
from pipeline.gan.step import Plan

ops = keras.ops
CRITIC = "wasserstein"  # its logits are a scale, and no answer


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How the two networks stand on some pictures: means, of reals and of as many fakes.

    The losses are those of the definition, without penalties and augmentation. The accuracies are None for a
    Wasserstein GAN, whose discriminator takes no side.
    """

    d_loss: float
    g_loss: float
    accuracy: float | None  # of both
    real_accuracy: float | None
    fake_accuracy: float | None
    d_real: float  # the probability that reals are given
    d_fake: float


class Judge:
    """Asks the networks of `state` at the stage of `plan`, by batch norm's stored statistics and without augmentation.

    A discriminator that compares the pictures of a batch sees them in batches as large as those it learnt from.
    """

    def __init__(self, state: TrainState, plan: Plan) -> None:
        self.state, self.batch = state, state.definition.batch
        self.generator = state.average.at(plan.stage, fading=plan.fading)
        self.discriminator = state.discriminator.at(plan.stage, fading=plan.fading)

    def probabilities(self, pictures: np.ndarray) -> np.ndarray:
        """The sigmoid of the logit of each of `pictures` (N, S, S, C) uint8: (N,) float32."""
        return _sigmoid(self._asked(self._seen(pictures))[0])[:, 0]

    def judge(self, pictures: np.ndarray, latents: np.ndarray) -> Judgement:
        """`pictures` (N, S, S, C) uint8 against what the averaged generator makes of `latents` (N, latent)."""
        real, real_mean = self._asked(self._seen(pictures))
        fake, fake_mean = self._asked(self._drawn(latents))
        definition, loss = self.state.definition, find_loss(self.state.definition.loss)
        g_loss = loss.generator(real, fake)
        if weight := definition.feature_matching:
            g_loss += weight * feature_distance(real_mean, fake_mean)
        return Judgement(
            d_loss=float(loss.discriminator(real, fake, definition.smoothing)),
            g_loss=float(g_loss),
            d_real=float(_sigmoid(real).mean()),
            d_fake=float(_sigmoid(fake).mean()),
            **_accuracies(definition.loss, real, fake),
        )

    def _asked(self, parts: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, 1) and the mean of the features (1, F), float32: those of all pictures would fill the memory."""
        logits, total = [], np.float32(0)
        for part in parts:
            logit, features = map(_array, self.discriminator(part, training=False))
            logits.append(logit)
            total += features.sum(axis=0, keepdims=True, dtype=np.float64)
        found = np.concatenate(logits)
        return found, (total / len(found)).astype(np.float32)

    def _seen(self, pictures: np.ndarray) -> Iterator[np.ndarray]:
        """Batches in [-1, 1], at the side that a growing discriminator has come to."""
        side = self.discriminator.input_shape[1]
        times = pictures.shape[1] // side
        for part in self._parts(pictures):
            cells = (part / np.float32(127.5) - 1).reshape(len(part), side, times, side, times, -1)
            yield cells.mean(axis=(2, 4), dtype=np.float32)

    def _drawn(self, latents: np.ndarray) -> Iterator[np.ndarray]:
        for part in self._parts(latents):
            yield _array(self.generator(part, training=False))

    def _parts(self, array: np.ndarray) -> list[np.ndarray]:
        return np.array_split(array, -(-len(array) // self.batch))  # none much smaller than the others


def _accuracies(loss: str, real: np.ndarray, fake: np.ndarray) -> dict[str, float | None]:
    if loss == CRITIC:
        return dict.fromkeys(("accuracy", "real_accuracy", "fake_accuracy"))
    if loss == "relativistic":  # right or wrong on each pair
        return dict.fromkeys(("accuracy", "real_accuracy", "fake_accuracy"), float((real > fake).mean()))
    on_real, on_fake = float((real > 0).mean()), float((fake < 0).mean())
    return {"accuracy": (on_real + on_fake) / 2, "real_accuracy": on_real, "fake_accuracy": on_fake}


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return _array(ops.sigmoid(logits))


def _array(tensor: object) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))
