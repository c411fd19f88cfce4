"""One training step, the same code for every backend: D learns `k` times, then G once, then the average is updated.

G generates once per turn. Its own turn uses the fakes of D's last turn, so these are generated once and seen twice.
`compile_step` compiles the step for the Keras backend in use.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.devices import keras
from pipeline.gan.networks.builder import GrowingNetwork
from pipeline.gan.networks.pyramid import Pictures, as_judged, map_sides, sides
from pipeline.gan.networks.vision_aid import shared_loss
from pipeline.gan.training.augment import augment
from pipeline.gan.training.losses import (
    between,
    feature_distance,
    find_loss,
    lecam,
    one_centred,
    zero_centred,
)
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import StepInputs, StepPlan

Tensor = Any  # a tensor of the backend
Variables = list[keras.Variable]
Objective = Callable[[], tuple[Tensor, Any]]  # gives a loss and auxiliary values
Backward = Callable[[Pictures], list[Tensor]]  # from a gradient by the pictures to gradients by variables


class Autodiff(Protocol):
    """Derivatives of functions that call Keras models, which may change batch norm statistics."""

    def variable_gradients(self, objective: Objective, variables: Variables) -> tuple[Any, list[Tensor]]:
        """The second value of `objective()`, and the gradients of the first by `variables`; 0 where unused."""

    def input_gradient(self, objective: Callable[[Pictures], tuple[Tensor, Any]], x: Pictures) -> tuple[Any, Pictures]:
        """The second value of `objective(x)`, and the gradient of the first by `x`."""

    def vjp(self, draw: Callable[[], Pictures], variables: Variables) -> tuple[Pictures, Backward]:
        """The value of `function()`, and a function from a gradient by that value to gradients by `variables`."""

    def per_example_gradients(self, function: Callable[[Pictures], Tensor], x: Pictures) -> Pictures:
        """The gradient of each of `function(x)` (B, 1) by its own `x`; it can be differentiated again."""


METRICS = ("d_loss", "g_loss", "d_accuracy", "d_real", "d_fake", "d_sureness", "d_penalty", "d_gradient", "g_gradient",
           "augment")  # fmt: skip
SKIPPED = np.float32(-0.0)  # D's gradient in a step in which D did not learn: 0 in every mean, and can be told from it
D_GRADIENT = METRICS.index("d_gradient")
ops = keras.ops


def stack_metrics(steps: Sequence[np.ndarray]) -> np.ndarray:
    """The METRICS of `steps` as one array (steps, len(METRICS)) float32."""
    return np.array(steps, np.float32).reshape(-1, len(METRICS))


def mark_skipped(metrics: np.ndarray) -> np.ndarray:
    """The METRICS of one step in which D did not learn, marked for `count_skipped`; a checkpoint keeps the mark."""
    marked = np.array(metrics)
    marked[D_GRADIENT] = SKIPPED
    return marked


def count_skipped(metrics: np.ndarray) -> int:
    """The number of steps in which D did not learn; `metrics` are (steps, METRICS)."""
    return int(np.signbit(metrics[:, D_GRADIENT]).sum())


# Logits (B, K) on reals and fakes, of D and of the heads of its aid; D's loss and penalty, and the augmented reals
DiscriminatorOutput = dict[str, Any]


def train_step(state: TrainState, plan: StepPlan, arrays: dict[str, Tensor], autodiff: Autodiff) -> Tensor:
    """Update `state` by one step of `plan` on `arrays` (see `StepInputs`); returns METRICS, float32."""
    return _Update(state, plan, autodiff).run(arrays)


class _Update:
    """One step while it is traced."""

    def __init__(self, state: TrainState, plan: StepPlan, autodiff: Autodiff) -> None:
        self.state, self.plan, self.autodiff, self.definition = state, plan, autodiff, state.definition
        self.generator = state.generator.at(plan.stage, fading=plan.fading)
        self.discriminator = state.discriminator.at(plan.stage, fading=plan.fading)
        self.loss = find_loss(self.definition.loss)
        network = self.definition.discriminator
        # Batch norm over reals and fakes together gives stripes, and minibatch layers must not mix the two
        self.separate_batches = network.norm == "batch" or network.minibatch != "none"
        self.classes: Tensor | None = None  # of the reals of the turn, and of its fakes; one-hot (B, K)
        # G's loss then depends on the reals, as seen by the updated D
        self.needs_reals = self.loss.is_paired or self.definition.feature_matching > 0

    def run(self, arrays: dict[str, Tensor]) -> Tensor:
        state, turns = self.state, arrays["reals"].shape[0]
        self._set(arrays)
        for turn in range(turns):
            reals = self._at_stage(to_unit(arrays["reals"][turn]), arrays["fade"])
            fakes, backward = self._generate(arrays["latents"][turn], keep=turn == turns - 1)
            draws = arrays["draws"][2 * turn : 2 * turn + 2]
            fixed, mix = map_sides(ops.stop_gradient, fakes), arrays["mix"][turn]
            if "classes" in arrays:
                self.classes = ops.one_hot(arrays["classes"][turn], self.state.classes)
            d_output, d_gradient = self._train_discriminator(reals, fixed, draws, mix)
            self._follow_logits(d_output)
        g_loss, fake_gradient = self.autodiff.input_gradient(
            lambda x: self._generator_loss(x, arrays["draws"][-1], d_output), fakes
        )
        gradients = backward(fake_gradient)
        state.generator_optimizer.apply(gradients, state.generator.trainable_variables)
        self._adapt_augmentation(d_output, batch=turns * arrays["latents"].shape[1])
        update_average(state.average, state.generator, arrays["share"])
        state.average.power_iteration()  # the mean of singular vectors is not a singular vector
        return self._metrics(d_output, g_loss, d_gradient, _global_norm(gradients))

    def _set(self, arrays: dict[str, Tensor]) -> None:
        state = self.state
        state.generator_optimizer.learning_rate.assign(arrays["rates"][0])
        state.discriminator_optimizer.learning_rate.assign(arrays["rates"][1])
        for network in (state.generator, state.discriminator, state.average):
            network.set_fade(arrays["fade"])

    def _at_stage(self, reals: Tensor, fade: Tensor) -> Pictures:
        """Reals at the side of the stage; while that fades in, mixed with the reals of the side before.

        For a multi-scale D reals at all its sides.
        """
        side = self.discriminator.inputs[-1].shape[1]
        if (times := reals.shape[1] // side) > 1:
            reals = ops.average_pool(reals, times, strides=times)
        if self.plan.fading:
            coarse = ops.average_pool(reals, 2, strides=2)
            old = ops.repeat(ops.repeat(coarse, 2, axis=1), 2, axis=2)
            reals = old + (reals - old) * fade
        return as_judged(self.discriminator, reals)

    def _generate(self, latents: Tensor, *, keep: bool) -> tuple[Pictures, Any]:
        """Fakes; with `keep` also the function that turns a gradient by them into gradients of G."""
        self.state.generator.power_iteration()
        if not keep:
            return self.generator(latents, training=True), None
        variables = self.state.generator.trainable_variables
        return self.autodiff.vjp(lambda: self.generator(latents, training=True), variables)

    def _train_discriminator(
        self, reals: Pictures, fakes: Pictures, draws: Tensor, mix: Tensor
    ) -> tuple[DiscriminatorOutput, Tensor]:
        """D's turn: its output before the update, and the norm of its gradient."""
        state, network = self.state, self.state.discriminator
        network.power_iteration()
        for others in (state.decoders, state.class_head, state.vision_aid):
            if others:
                others.power_iteration()
        # Outside the tape: no gradients by the pictures are needed
        reals, fakes = self._augmented(reals, draws[0]), self._augmented(fakes, draws[1])
        if not self.plan.learn:
            return self._discriminator_loss(reals, fakes, mix)[1] | {"reals": reals}, ops.zeros(())
        d_output, gradients = self.autodiff.variable_gradients(
            lambda: self._discriminator_loss(reals, fakes, mix), state.trained_with_discriminator
        )
        state.discriminator_optimizer.apply(gradients, state.trained_with_discriminator)
        self._clip()
        return d_output | {"reals": reals}, _global_norm(gradients)

    def _discriminator_loss(self, reals: Pictures, fakes: Pictures, mix: Tensor) -> tuple[Tensor, Any]:
        """D's loss with penalties, and its output on reals and fakes."""
        if self.separate_batches:
            (real, _, *maps), (fake, *_) = (self._answers(x) for x in (reals, fakes))
        else:
            both = map_sides(lambda *pair: ops.concatenate(pair), reals, fakes)
            logits, _, *maps = self._answers(both, twice=True)
            real, fake = ops.split(logits, 2)
            maps = [ops.split(each, 2)[0] for each in maps]
        smoothing = self.definition.smoothing
        loss = shared_loss(lambda real, fake: self.loss.discriminator(real, fake, smoothing), real, fake)
        penalty = self._penalty(reals, fakes, mix) + self._lecam(real, fake)
        penalty += self._reconstruction(reals, maps, mix)
        d_output = {"real": real, "fake": fake, "loss": loss, "penalty": penalty}
        return loss + penalty, {name: ops.stop_gradient(value) for name, value in d_output.items()}

    def _judge(self, pictures: Pictures, *, twice: bool = False) -> list[Tensor]:
        """D's logits, features and maps; with `twice` of reals and fakes, which have the same classes."""
        logits, features, *maps = self.discriminator(pictures, training=True)
        if self.classes is not None and self.state.class_head:
            classes = ops.concatenate([self.classes, self.classes]) if twice else self.classes
            logits += self.state.class_head.logit(features, classes)
        return [logits, features, *maps]

    def _answers(self, pictures: Pictures, *, twice: bool = False) -> list[Tensor]:
        """As `_judge`, with the logits (B, K) of D itself and of the heads of its aid, if any."""
        logits, *others = self._judge(pictures, twice=twice)
        if aid := self.state.vision_aid:
            logits = ops.concatenate([logits, aid.logits(sides(pictures)[-1], training=True)], axis=1)
        return [logits, *others]

    def _penalty(self, reals: Pictures, fakes: Pictures, mix: Tensor) -> Tensor:
        """The penalties that are due, each weighted for all the steps until it is due again."""
        rules, plan, total = self.definition.penalties, self.plan, ops.zeros(())
        if plan.r1:
            total += rules.r1.weight * rules.r1.every * zero_centred(self._slopes(reals))
        if plan.r2:
            total += rules.r2.weight * rules.r2.every * zero_centred(self._slopes(fakes))
        if plan.gradient:
            slopes = self._slopes(between(reals, fakes, mix))
            total += rules.gradient.weight * rules.gradient.every * one_centred(slopes)
        return total

    def _lecam(self, real: Tensor, fake: Tensor) -> Tensor:
        means = self.state.logit_means
        if means is None:
            return ops.zeros(())
        weight, means = self.definition.penalties.lecam.weight, ops.convert_to_tensor(means)
        return weight * lecam(real[:, :1], fake[:, :1], means)  # the heads of an aid have logits of another size

    def _reconstruction(self, reals: Pictures, maps: list[Tensor], mix: Tensor) -> Tensor:
        if self.state.decoders is None:
            return ops.zeros(())
        error = self.state.decoders.error(sides(reals)[-1], maps, mix[0])
        return self.definition.discriminator.reconstruction * error

    def _follow_logits(self, d_output: DiscriminatorOutput) -> None:
        """Move the means of D's logits, with which LeCam compares."""
        if (means := self.state.logit_means) is not None:
            now = ops.stack([ops.mean(d_output[name][:, :1]) for name in ("real", "fake")])
            means.assign(now + (means - now) * self.definition.penalties.lecam.decay)

    def _slopes(self, pictures: Pictures) -> Pictures:
        return self.autodiff.per_example_gradients(lambda x: self._judge(x)[0], pictures)

    def _clip(self) -> None:
        """Clip every weight that makes logits to the bounds of the first WGAN (Arjovsky et al. 2017, algorithm 1)."""
        if bound := self.definition.penalties.clip:
            for part in (self.state.discriminator, self.state.class_head):
                for variable in part.trainable_variables if part else ():
                    variable.assign(ops.clip(variable, -bound, bound))

    def _generator_loss(self, fakes: Pictures, draws: Tensor, d_output: DiscriminatorOutput) -> tuple[Tensor, Tensor]:
        """G's loss by the D that has just learned."""
        fake, features, *_ = self._answers(self._augmented(fakes, draws))
        real, real_features = d_output["real"], None
        if self.needs_reals:
            real, real_features = map(ops.stop_gradient, self._answers(d_output["reals"])[:2])
        loss = shared_loss(self.loss.generator, real, fake)
        if weight := self.definition.feature_matching:
            loss += weight * feature_distance(real_features, features)
        return loss, ops.stop_gradient(loss)

    def _augmented(self, pictures: Pictures, draws: Tensor) -> Pictures:
        return augment(pictures, draws, self.definition.augment, ops.convert_to_tensor(self.state.strength))

    def _adapt_augmentation(self, d_output: DiscriminatorOutput, *, batch: int) -> None:
        """Augment more while D is too sure of the reals, and less otherwise (Karras et al. 2020, section 3)."""
        rule, strength = self.definition.augment, self.state.strength
        if rule.target:
            moved = strength + ops.sign(self._sureness(d_output) - rule.target) * (batch / rule.ramp)
            strength.assign(ops.clip(moved, 0.0, rule.probability))

    def _sureness(self, d_output: DiscriminatorOutput) -> Tensor:
        """Of D itself: the heads of an aid are always surer, and strong augmentation leaves its traces in samples."""
        return self.loss.sureness(d_output["real"][:, :1], d_output["fake"][:, :1])

    def _metrics(self, d_output: DiscriminatorOutput, g_loss: Tensor, d_gradient: Tensor, g_gradient: Tensor) -> Tensor:
        real, fake = d_output["real"], d_output["fake"]
        found = {
            "d_loss": d_output["loss"],
            "g_loss": g_loss,
            "d_accuracy": ops.mean(self.loss.is_correct(real, fake)),
            "d_real": ops.mean(ops.sigmoid(real)),
            "d_fake": ops.mean(ops.sigmoid(fake)),
            "d_sureness": self._sureness(d_output),
            "d_penalty": d_output["penalty"],
            "d_gradient": d_gradient,
            "g_gradient": g_gradient,
            # Without a policy nothing is augmented, although the probability adapts
            "augment": ops.convert_to_tensor(self.state.strength)
            if self.definition.augment.policies
            else ops.zeros(()),
        }
        return ops.stack([ops.cast(found[name], "float32") for name in METRICS])


def to_unit(pictures: Tensor) -> Tensor:
    """Convert uint8 pixels to float32 in [-1, 1]."""
    return ops.cast(pictures, "float32") / 127.5 - 1.0


def update_average(average: GrowingNetwork, generator: GrowingNetwork, share: Tensor) -> None:
    """Move the averaged generator towards the generator (Karras et al. 2020, StyleGAN2-ADA's `G_ema`).

    Batch norm's statistics are averaged too, so that they fit the averaged weights.
    """
    for averaged, current in zip(average.variables, generator.variables, strict=True):
        averaged.assign(averaged + (ops.convert_to_tensor(current) - averaged) * share)


def _global_norm(gradients: list[Tensor]) -> Tensor:
    """The norm of all gradients as one vector."""
    return ops.sqrt(sum(ops.sum(ops.square(ops.cast(gradient, "float32"))) for gradient in gradients))


@dataclass(frozen=True)
class Step:
    """Runs steps on one `TrainState`. `compiled` gives the compiled function of a plan."""

    compiled: Callable[[StepPlan], Callable]

    def __call__(self, plan: StepPlan, inputs: StepInputs) -> np.ndarray:
        """Run one step, and wait for its METRICS, float32."""
        return np.asarray(self.start(plan, inputs))

    def start(self, plan: StepPlan, inputs: StepInputs) -> Tensor:
        """Start one step without waiting for the device: its METRICS as a tensor of the backend."""
        return self.compiled(plan)(inputs.arrays())


def compile_step(state: TrainState, *, xla: bool = False) -> Step:
    """The step that updates `state`. Each plan is compiled when it first occurs."""
    autodiff: Autodiff
    if keras.backend.backend() == "jax":
        from pipeline.gan.training import backend_jax

        compile_with, autodiff = backend_jax.compile_with, backend_jax.PureAutodiff(state)
    else:
        from pipeline.gan.training import backend_tensorflow

        compile_with, autodiff = backend_tensorflow.compile_with, backend_tensorflow.TapeAutodiff()

    @functools.cache
    def compiled(plan: StepPlan) -> Callable:
        return compile_with(functools.partial(_update, plan), state, xla=xla)

    def _update(plan: StepPlan, arrays: dict) -> object:
        return train_step(state, plan, arrays, autodiff)

    return Step(compiled)
