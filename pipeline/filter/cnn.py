"""A small CNN that classifies squares: its architecture, its training with augmentation, and its predictions."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.devices import keras
from pipeline.filter.keras_files import load_keras_weights
from pipeline.images.raster import squares

layers = keras.layers

SIDE = 32  # pixels: at 64 a network is no better with so few labels, and takes four times as long
BATCH = 64
LEARNING_RATE, DECAY = 2e-3, 1e-3
DROPOUT = 0.3

Batch = tuple[np.ndarray, dict[str, np.ndarray]]  # images, and the target of each output


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """The data that one network trains on."""

    images: np.ndarray  # (N, 32, 32, 3) uint8
    sampling_probability: np.ndarray  # (N,) float64, sums to 1
    target: np.ndarray  # (N,) float32, the probability that the square is on target
    components: np.ndarray  # (N, D) float32, principal components of the kernel


class Network:
    """A trained network."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Logits (N,) float32 of `images` (N, H, W, C) uint8, a few hundred at once."""
        score = self.model(squares(images, SIDE).astype(np.float32) / 255, training=False)
        return keras.ops.convert_to_numpy(score)[:, 0]


class NetworkTrainer:
    """Trains networks one after the other, each for `steps` batches.

    A network predicts the label, and as an auxiliary task the kernel's principal components. That gives features that
    represent all squares and not only the labelled ones, and slightly better scores.

    All are trained in the layers of one model, as TensorFlow takes seconds to trace the step of another one.
    """

    def __init__(self, components: int, *, steps: int) -> None:
        self.components, self.steps = components, steps
        self._model = build_network(components, seed=0)
        self._model.compile(
            optimizer=keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps), weight_decay=DECAY
            ),
            loss={"score": keras.losses.BinaryCrossentropy(from_logits=True), "components": "mean_squared_error"},
            loss_weights={"score": 1.0, "components": 0.5},
            jit_compile=False,  # XLA compilation takes longer than the training
        )

    def train(self, training_set: TrainingSet, *, seed: int, advance: Callable[[], None]) -> Network:
        """Train a network that depends on `training_set` and `seed` only; `advance` is called before each batch."""
        network = build_network(self.components, seed)
        _copy_variables(network, self._model)  # with the state of its dropout
        for variable in self._model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        for images, targets in _prefetch(_batches(training_set, self.steps, np.random.default_rng(seed))):
            advance()
            self._model.train_on_batch(images, targets)
        _copy_variables(self._model, network)
        return Network(_inference_model(network))


def _copy_variables(source: keras.Model, target: keras.Model) -> None:
    for from_source, into in zip(source.variables, target.variables, strict=True):
        into.assign(from_source)


def read_network(path: Path) -> Network:
    """Load a saved network from `path`; only its weights are read.

    Raises:
        DamagedFile: If the file cannot be read.
        ForeignFile: If it holds the weights of another network.
    """
    model = _inference_model(build_network(1, seed=0))
    load_keras_weights(model, path)
    return Network(model)


def _inference_model(model: keras.Model) -> keras.Model:
    """`model` without its auxiliary output."""
    return keras.Model(model.input, model.output["score"])


def _batches(training_set: TrainingSet, steps: int, random: np.random.Generator) -> Iterator[Batch]:
    for _ in range(steps):
        indices = random.choice(len(training_set.sampling_probability), BATCH, p=training_set.sampling_probability)
        targets = {"score": training_set.target[indices, np.newaxis], "components": training_set.components[indices]}
        yield augment(training_set.images[indices], random), targets


def _prefetch(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the same batches in the same order, each prepared in a thread while the previous one is trained on."""
    with ThreadPoolExecutor(1) as worker:
        pending = worker.submit(next, batches, None)
        while (batch := pending.result()) is not None:
            pending = worker.submit(next, batches, None)
            yield batch


def build_network(components: int, seed: int) -> keras.Model:
    """Build the CNN: (B, 32, 32, 3) in [0, 1] to {"score": (B, 1) logits, "components": (B, components)}; 150,000
    weights."""
    seeds = iter(range(100 * seed, 100 * seed + 100))
    picture = keras.Input((SIDE, SIDE, 3))
    x = _block(layers.Rescaling(2.0, -1.0)(picture), 32, next(seeds))
    x = _block(layers.MaxPooling2D()(x), 64, next(seeds))
    x = _block(layers.MaxPooling2D()(x), 64, next(seeds))
    x = _block(x, 128, next(seeds), strides=2)
    features = layers.GlobalAveragePooling2D(name="features")(x)
    dropped = layers.Dropout(DROPOUT, seed=next(seeds))(features)
    widths = {"score": 1, "components": components}
    return keras.Model(picture, {name: _head(dropped, name, width, next(seeds)) for name, width in widths.items()})


def _block(x: keras.KerasTensor, channels: int, seed: int, strides: int = 1) -> keras.KerasTensor:
    start = keras.initializers.HeNormal(seed)
    x = layers.Conv2D(channels, 3, strides, padding="same", use_bias=False, kernel_initializer=start)(x)
    # Low momentum: the moving averages have to converge within a few hundred steps
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def _head(features: keras.KerasTensor, name: str, width: int, seed: int) -> keras.KerasTensor:
    return layers.Dense(width, kernel_initializer=keras.initializers.GlorotUniform(seed), name=name)(features)


MAX_ROTATION = 12.0  # degrees in either direction
MAX_ZOOM = 0.2  # in either direction, natural logarithm of the factor
MAX_SHIFT = 0.1  # of the side, in either direction
SATURATION, CONTRAST, LIGHT, TINT = 0.5, 0.3, 0.15, 0.05  # in either direction; light and tint as a fraction of white
CUTOUT_SIDE = 0.4  # of the side: a grey area hides part of every second square ("cutout")


def augment(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rotate, zoom, shift, mirror, recolour and partly hide each square at random.

    Args:
        images: (N, S, S, 3) uint8.

    Returns:
        (N, S, S, 3) float32, about [0, 1].
    """
    moved = np.stack([_transform(image, random) for image in images]).astype(np.float32) / 255
    return np.stack([_cutout(image, random) for image in _recolour(moved, random)])


def _transform(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    side = len(image)
    turn, zoom = random.uniform(-MAX_ROTATION, MAX_ROTATION), np.exp(random.uniform(-MAX_ZOOM, MAX_ZOOM))
    matrix = np.asarray(cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), turn, zoom), np.float64)
    matrix[:, 2] += random.uniform(-MAX_SHIFT, MAX_SHIFT, 2) * side
    source = image[:, ::-1] if random.random() < 0.5 else image
    return cv2.warpAffine(np.ascontiguousarray(source), matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)


def _recolour(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    def factor(spread: float, channels: int = 1) -> np.ndarray:
        return random.uniform(-spread, spread, (len(images), 1, 1, channels)).astype(np.float32)

    grey = images.mean(axis=-1, keepdims=True)
    images = grey + (images - grey) * (1 + factor(SATURATION))
    mean = images.mean(axis=(1, 2), keepdims=True)
    return mean + (images - mean) * (1 + factor(CONTRAST)) + factor(LIGHT) + factor(TINT, 3)


def _cutout(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    side = len(image)
    hidden = int(side * CUTOUT_SIDE)
    top, left = random.integers(-hidden // 2, side - hidden // 2, 2)
    if random.random() < 0.5:
        image[max(top, 0) : top + hidden, max(left, 0) : left + hidden] = 0.5
    return image
