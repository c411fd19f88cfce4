"""One training step, compiled by TensorFlow: D learns on a batch of reals and a batch of fakes, then G learns.

The fakes are drawn once and serve both updates. Every random number follows from (seed, step) alone, so a step
repeated from the same state gives the same bits.
"""

from collections.abc import Callable

import numpy as np

from pipeline.gan.augment import DRAWS, augment
from pipeline.gan.definition import Definition, Ema
from pipeline.gan.losses import discriminator_loss, generator_loss
from pipeline.gan.runtime import keras, tf
from pipeline.gan.state import TrainState

# What a step tells of itself, in order. d_real and d_fake: mean probability of "real" that D gives to reals and fakes
METRICS = ("d_loss", "g_loss", "d_real", "d_fake", "d_accuracy")

Step = Callable[[np.ndarray, int], tf.Tensor]


def compile_step(state: TrainState, definition: Definition, *, batch: int, seed: int) -> Step:
    """A function `step(reals, number)` that changes `state` and returns the METRICS, (5,) float32.

    `reals`: (batch, S, S, C) uint8. `number`: how many steps were made before this one.
    """
    key = np.random.SeedSequence(seed).generate_state(2).astype(np.int32)  # any whole number as a key of TensorFlow's
    shape = (batch, *state.generator.output_shape[1:])

    # No XLA: on a CPU it replaces oneDNN's convolutions with slower ones
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8), tf.TensorSpec((), tf.int64)])
    def step(reals: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        latents, draws = _random(key, number, batch, definition.latent)
        with tf.GradientTape() as drawing:
            fakes = state.generator(latents, training=True)
        still = tf.stop_gradient(fakes)
        metrics = _update_discriminator(state, definition, to_unit(reals), still, draws)
        g_loss = _update_generator(state, definition, drawing, fakes, draws[2])
        _follow(state, definition.ema, images_seen=(number + 1) * batch, batch=batch)
        return tf.stack([metrics[0], g_loss, *metrics[1:]])

    traced = step.get_concrete_function()  # now, so that the first step is timed like the others
    return lambda reals, number: traced(tf.constant(reals), tf.constant(number, tf.int64))


def to_unit(images: tf.Tensor) -> tf.Tensor:
    """uint8 pixels as float32 in [-1, 1]."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def _random(key: np.ndarray, number: tf.Tensor, batch: int, latent: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Latents (batch, latent), and draws (3, batch, DRAWS) for D's reals, D's fakes and G's fakes."""
    seed = tf.random.experimental.stateless_fold_in(key, number)
    latents = tf.random.stateless_normal((batch, latent), tf.random.experimental.stateless_fold_in(seed, 0))
    draws = tf.random.stateless_uniform((3, batch, DRAWS), tf.random.experimental.stateless_fold_in(seed, 1))
    return latents, draws


def _update_discriminator(
    state: TrainState, definition: Definition, reals: tf.Tensor, fakes: tf.Tensor, draws: tf.Tensor
) -> list[tf.Tensor]:
    """D learns; its loss, the mean probabilities it gives to reals and fakes, and the share it gets right."""
    network = state.discriminator
    with tf.GradientTape() as tape:
        # Reals and fakes apart: batch norm over both together gives stripes
        on_reals = network(augment(reals, draws[0], definition.augment), training=True)
        on_fakes = network(augment(fakes, draws[1], definition.augment), training=True)
        loss = discriminator_loss(definition.loss, on_reals, on_fakes, definition.smoothing)
    gradients = tape.gradient(loss, network.trainable_variables)
    state.discriminator_optimizer.apply(gradients, network.trainable_variables)
    right = tf.concat([on_reals > 0, on_fakes < 0], axis=0)
    return [
        loss,
        tf.reduce_mean(tf.sigmoid(on_reals)),
        tf.reduce_mean(tf.sigmoid(on_fakes)),
        tf.reduce_mean(tf.cast(right, tf.float32)),
    ]


def _update_generator(
    state: TrainState, definition: Definition, drawing: tf.GradientTape, fakes: tf.Tensor, draws: tf.Tensor
) -> tf.Tensor:
    """G learns through the D that has just learned; its loss. `drawing` is the tape that `fakes` were drawn under."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:  # D's weights stay: no gradients for them
        tape.watch(fakes)
        logits = state.discriminator(augment(fakes, draws, definition.augment), training=True)
        loss = generator_loss(definition.loss, logits)
    gradients = drawing.gradient(fakes, state.generator.trainable_variables, tape.gradient(loss, fakes))
    state.generator_optimizer.apply(gradients, state.generator.trainable_variables)
    return loss


def _follow(state: TrainState, ema: Ema, *, images_seen: tf.Tensor, batch: int) -> None:
    """Move the averaged generator towards the generator (Karras et al. 2020, StyleGAN2-ADA's `G_ema`).

    Batch norm's statistics are averaged alike, so that they fit the averaged weights.
    """
    half_life = tf.minimum(ema.half_life, tf.cast(images_seen, tf.float32) * ema.ramp)
    share = 1.0 - 0.5 ** (batch / tf.maximum(half_life, 1e-8))
    for trailing, leading in zip(state.average.variables, state.generator.variables, strict=True):
        trailing.assign(trailing + (keras.ops.convert_to_tensor(leading) - trailing) * share)
