"""One training step, the same code for every backend: D learns `k` times, then G once, then the average follows.

G draws once a turn. Its own turn uses what D saw last, so the samples are drawn once and judged twice. `compile_step`
compiles it for the backend that Keras runs on.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.devices import keras
from pipeline.gan.networks.builder import GrowingNetwork
from pipeline.gan.training.augment import augment
from pipeline.gan.training.losses import (
    between,
    feature_distance,
    find_loss,
    one_centred,
    zero_centred,
)
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import StepInputs, StepPlan

Tensor = Any  # the backend's own
Variables = list[keras.Variable]
Objective = Callable[[], tuple[Tensor, Any]]  # a loss, and what else is worth knowing


class Autodiff(Protocol):
    """Derivatives of functions that call Keras models, which may change batch norm statistics on the way."""

    def by_variables(self, objective: Objective, variables: Variables) -> tuple[Any, list[Tensor]]:
        """The second value of `objective()`, and the gradients of the first by `variables`; 0 where unused."""

    def by_input(self, objective: Callable[[Tensor], tuple[Tensor, Any]], x: Tensor) -> tuple[Any, Tensor]:
        """The second value of `objective(x)`, and the gradient of the first by `x`."""

    def pull(self, draw: Callable[[], Tensor], variables: Variables) -> tuple[Tensor, Callable[[Tensor], list[Tensor]]]:
        """`draw()`, and what turns a gradient by it into gradients by `variables`."""

    def slopes(self, function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The gradient of each of `function(x)` (B, 1) by its own x; may itself be differentiated."""


METRICS = ("d_loss", "g_loss", "d_accuracy", "d_real", "d_fake", "d_sureness", "d_penalty", "d_gradient", "g_gradient",
           "augment")  # fmt: skip
ops = keras.ops


# What D made of a batch of reals and one of fakes: its logits on both (B, 1), its losses; and the reals as it saw them
Judged = dict[str, Tensor]


def train_step(state: TrainState, plan: StepPlan, arrays: dict[str, Tensor], calculus: Autodiff) -> Tensor:
    """Move `state` by one step of `plan` on `arrays` (see `Inputs`); METRICS, float32."""
    return _Update(state, plan, calculus).run(arrays)


class _Update:
    """One step while it is being traced."""

    def __init__(self, state: TrainState, plan: StepPlan, calculus: Autodiff) -> None:
        self.state, self.plan, self.calculus, self.definition = state, plan, calculus, state.definition
        self.generator = state.generator.at(plan.stage, fading=plan.fading)
        self.discriminator = state.discriminator.at(plan.stage, fading=plan.fading)
        self.loss = find_loss(self.definition.loss)
        network = self.definition.discriminator
        # Batch norm over both together gives stripes, and pictures of a batch are compared with their like alone
        self.apart = network.norm == "batch" or network.minibatch != "none"
        # What G wants then hangs on how the D that has just learned sees reals
        self.beside_reals = self.loss.is_paired or self.definition.feature_matching > 0

    def run(self, arrays: dict[str, Tensor]) -> Tensor:
        state, turns = self.state, arrays["reals"].shape[0]
        self._set(arrays)
        for turn in range(turns):
            reals = self._seen(to_unit(arrays["reals"][turn]), arrays["fade"])
            fakes, back = self._drawn(arrays["latents"][turn], keep=turn == turns - 1)
            draws = arrays["draws"][2 * turn : 2 * turn + 2]
            judged, d_gradient = self._discriminator_learns(reals, ops.stop_gradient(fakes), draws, arrays["mix"][turn])
        g_loss, by_fakes = self.calculus.by_input(lambda x: self._deceived(x, arrays["draws"][-1], judged), fakes)
        gradients = back(by_fakes)
        state.generator_optimizer.apply(gradients, state.generator.trainable_variables)
        self._adapt(judged, batch=turns * fakes.shape[0])
        follow(state.average, state.generator, arrays["share"])
        state.average.turn()  # a mean of singular vectors is none
        return self._metrics(judged, g_loss, d_gradient, _length(gradients))

    def _set(self, arrays: dict[str, Tensor]) -> None:
        state = self.state
        state.generator_optimizer.learning_rate.assign(arrays["rates"][0])
        state.discriminator_optimizer.learning_rate.assign(arrays["rates"][1])
        for network in (state.generator, state.discriminator, state.average):
            network.set_fade(arrays["fade"])

    def _seen(self, reals: Tensor, fade: Tensor) -> Tensor:
        """Reals at the side of the stage; while it fades in, mixed with how they looked before."""
        side = self.discriminator.input_shape[1]
        if (times := reals.shape[1] // side) > 1:
            reals = ops.average_pool(reals, times, strides=times)
        if self.plan.fading:
            coarse = ops.average_pool(reals, 2, strides=2)
            old = ops.repeat(ops.repeat(coarse, 2, axis=1), 2, axis=2)
            reals = old + (reals - old) * fade
        return reals

    def _drawn(self, latents: Tensor, *, keep: bool) -> tuple[Tensor, Any]:
        """Fakes, and for G's own turn the way back from a gradient by them."""
        self.state.generator.turn()
        if not keep:
            return self.generator(latents, training=True), None
        variables = self.state.generator.trainable_variables
        return self.calculus.pull(lambda: self.generator(latents, training=True), variables)

    def _discriminator_learns(self, reals: Tensor, fakes: Tensor, draws: Tensor, mix: Tensor) -> tuple[Judged, Tensor]:
        """D's turn; what it made of the pictures before it learned, and the length of the gradient."""
        state, network = self.state, self.state.discriminator
        network.turn()
        # Before the tape: no gradient goes into the pictures
        reals, fakes = self._distorted(reals, draws[0]), self._distorted(fakes, draws[1])
        if not self.plan.learn:
            return self._told_apart(reals, fakes, mix)[1] | {"reals": reals}, ops.zeros(())
        judged, gradients = self.calculus.by_variables(
            lambda: self._told_apart(reals, fakes, mix), network.trainable_variables
        )
        state.discriminator_optimizer.apply(gradients, network.trainable_variables)
        self._clip(network)
        return judged | {"reals": reals}, _length(gradients)

    def _told_apart(self, reals: Tensor, fakes: Tensor, mix: Tensor) -> tuple[Tensor, Any]:
        """What D wants small, and what it made of the pictures."""
        if self.apart:
            real, fake = (self.discriminator(x, training=True)[0] for x in (reals, fakes))
        else:
            real, fake = ops.split(self.discriminator(ops.concatenate([reals, fakes]), training=True)[0], 2)
        loss = self.loss.discriminator(real, fake, self.definition.smoothing)
        penalty = self._penalty(reals, fakes, mix)
        judged = {"real": real, "fake": fake, "loss": loss, "penalty": penalty}
        return loss + penalty, {name: ops.stop_gradient(value) for name, value in judged.items()}

    def _penalty(self, reals: Tensor, fakes: Tensor, mix: Tensor) -> Tensor:
        """The penalties that are due, each for all the steps until its next turn."""
        rules, plan, total = self.definition.penalties, self.plan, ops.zeros(())
        if plan.r1:
            total += rules.r1.weight * rules.r1.every * zero_centred(self._slopes(reals))
        if plan.r2:
            total += rules.r2.weight * rules.r2.every * zero_centred(self._slopes(fakes))
        if plan.gradient:
            slopes = self._slopes(between(reals, fakes, mix))
            total += rules.gradient.weight * rules.gradient.every * one_centred(slopes)
        return total

    def _slopes(self, pictures: Tensor) -> Tensor:
        return self.calculus.slopes(lambda x: self.discriminator(x, training=True)[0], pictures)

    def _clip(self, network: GrowingNetwork) -> None:
        """Every weight into the first WGAN's bounds (Arjovsky et al. 2017, algorithm 1)."""
        if bound := self.definition.penalties.clip:
            for variable in network.trainable_variables:
                variable.assign(ops.clip(variable, -bound, bound))

    def _deceived(self, fakes: Tensor, draws: Tensor, judged: Judged) -> tuple[Tensor, Tensor]:
        """What G wants small, through the D that has just learned."""
        fake, features = self.discriminator(self._distorted(fakes, draws), training=True)
        real, real_features = judged["real"], None
        if self.beside_reals:
            real, real_features = map(ops.stop_gradient, self.discriminator(judged["reals"], training=True))
        loss = self.loss.generator(real, fake)
        if weight := self.definition.feature_matching:
            loss += weight * feature_distance(real_features, features)
        return loss, ops.stop_gradient(loss)

    def _distorted(self, pictures: Tensor, draws: Tensor) -> Tensor:
        return augment(pictures, draws, self.definition.augment, ops.convert_to_tensor(self.state.strength))

    def _adapt(self, judged: Judged, *, batch: int) -> None:
        """Augment more while D is too sure of the reals, and less otherwise (Karras et al. 2020, section 3)."""
        rule, strength = self.definition.augment, self.state.strength
        if rule.target:
            sure = self.loss.sureness(judged["real"], judged["fake"])
            moved = strength + ops.sign(sure - rule.target) * (batch / rule.ramp)
            strength.assign(ops.clip(moved, 0.0, rule.probability))

    def _metrics(self, judged: Judged, g_loss: Tensor, d_gradient: Tensor, g_gradient: Tensor) -> Tensor:
        real, fake = judged["real"], judged["fake"]
        found = {
            "d_loss": judged["loss"],
            "g_loss": g_loss,
            "d_accuracy": ops.mean(self.loss.right(real, fake)),
            "d_real": ops.mean(ops.sigmoid(real)),
            "d_fake": ops.mean(ops.sigmoid(fake)),
            "d_sureness": self.loss.sureness(real, fake),
            "d_penalty": judged["penalty"],
            "d_gradient": d_gradient,
            "g_gradient": g_gradient,
            "augment": ops.convert_to_tensor(self.state.strength),
        }
        return ops.stack([ops.cast(found[name], "float32") for name in METRICS])


def to_unit(pictures: Tensor) -> Tensor:
    """uint8 pixels as float32 in [-1, 1]."""
    return ops.cast(pictures, "float32") / 127.5 - 1.0


def follow(average: GrowingNetwork, generator: GrowingNetwork, share: Tensor) -> None:
    """Move the averaged generator towards the generator (Karras et al. 2020, StyleGAN2-ADA's `G_ema`).

    Batch norm's statistics are averaged alike, so that they fit the averaged weights.
    """
    for trailing, leading in zip(average.variables, generator.variables, strict=True):
        trailing.assign(trailing + (ops.convert_to_tensor(leading) - trailing) * share)


def _length(gradients: list[Tensor]) -> Tensor:
    """The length of all gradients as one vector."""
    return ops.sqrt(sum(ops.sum(ops.square(ops.cast(gradient, "float32"))) for gradient in gradients))


@dataclass(frozen=True)
class Step:
    """Moves one `TrainState`. `compiled` gives the function of a plan."""

    compiled: Callable[[StepPlan], Callable]

    def __call__(self, plan: StepPlan, inputs: StepInputs) -> np.ndarray:
        """Take one step, and wait for its METRICS, float32."""
        return np.asarray(self.start(plan, inputs))

    def start(self, plan: StepPlan, inputs: StepInputs) -> Tensor:
        """Take one step without waiting until the device has done it: its METRICS as a tensor of the backend."""
        return self.compiled(plan)(inputs.arrays())


def compile_step(state: TrainState, *, xla: bool = False) -> Step:
    """What moves `state` by one step. Each plan is compiled when it first comes up."""
    if keras.backend.backend() == "jax":
        from pipeline.gan.training import backend_jax as backend

        calculus = backend.PureAutodiff(state)
    else:
        from pipeline.gan.training import backend_tensorflow as backend

        calculus = backend.TapeAutodiff()

    @functools.cache
    def compiled(plan: StepPlan) -> Callable:
        return backend.compile_with(functools.partial(_update, plan), state, xla=xla)

    def _update(plan: StepPlan, arrays: dict) -> object:
        return train_step(state, plan, arrays, calculus)

    return Step(compiled)
