"""The small CNN: its architecture, its training with augmentation, and its predictions."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.devices import keras
from pipeline.filter.keras_files import fill
from pipeline.images.raster import squares

layers = keras.layers

SIDE = 32  # pixels: at 64 a network learns no better from so few labels, in four times the time
BATCH = 64
LEARNING_RATE, DECAY = 2e-3, 1e-3
DROPPED = 0.3

Batch = tuple[np.ndarray, dict[str, np.ndarray]]  # pictures, and what to say of them


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """What one network learns from."""

    images: np.ndarray  # (N, 32, 32, 3) uint8
    odds: np.ndarray  # (N,) float64, how often each is drawn; sums to 1
    target: np.ndarray  # (N,) float32, the probability that it is on target
    components: np.ndarray  # (N, D) float32, what the kernel sees in it


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a network says about pictures."""

    scores: np.ndarray  # (N,) float32 logits
    features: np.ndarray  # (N, 128) float32, the layer before the last


class Network:
    """A trained network."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def __call__(self, images: np.ndarray) -> Answers:
        """`images` (N, H, W, C) uint8, a few hundred at once."""
        found = self.model(squares(images, SIDE).astype(np.float32) / 255, training=False)
        scores = keras.ops.convert_to_numpy(found["score"])[:, 0]
        return Answers(scores=scores, features=keras.ops.convert_to_numpy(found["features"]))


def train_network(lesson: TrainingSet, *, seed: int, steps: int, tick: Callable[[], None]) -> Network:
    """Train a network for `steps` batches; `tick` is called before each.

    It learns to name the label, and to tell how the kernel sees the picture: with that, features that fit the whole
    crawl and not its labelled part alone, and a little better scores.
    """
    model = build_network(lesson.components.shape[1], seed)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=DECAY),
        loss={"score": keras.losses.BinaryCrossentropy(from_logits=True), "components": "mean_squared_error"},
        loss_weights={"score": 1.0, "components": 0.5},
        jit_compile=False,  # compiling takes longer than all the training
    )
    for images, wanted in _ahead(_batches(lesson, steps, np.random.default_rng(seed))):
        tick()
        model.train_on_batch(images, wanted)
    return Network(_answering(model))


def read_network(path: Path) -> Network:
    """The one that was saved at `path`. Of the file only the numbers are read. Errors: `Damaged`, `Foreign`."""
    model = _answering(build_network(1, seed=0))
    fill(model, path)
    return Network(model)


def _answering(model: keras.Model) -> keras.Model:
    """`model` without what it learnt by, and with the layer before the last."""
    features = model.get_layer("features").output
    return keras.Model(model.input, {"score": model.output["score"], "features": features})


def _batches(lesson: TrainingSet, steps: int, random: np.random.Generator) -> Iterator[Batch]:
    for _ in range(steps):
        drawn = random.choice(len(lesson.odds), BATCH, p=lesson.odds)
        wanted = {"score": lesson.target[drawn, np.newaxis], "components": lesson.components[drawn]}
        yield augment(lesson.images[drawn], random), wanted


def _ahead(batches: Iterator[Batch]) -> Iterator[Batch]:
    """The same batches in the same order, each made while the one before it is learnt from."""
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = worker.submit(next, batches, None)
            yield batch


def build_network(components: int, seed: int) -> keras.Model:
    """(B, 32, 32, 3) in [0, 1] to {"score": (B, 1) logits, "components": (B, components)}; 150,000 weights."""
    seeds = iter(range(100 * seed, 100 * seed + 100))
    picture = keras.Input((SIDE, SIDE, 3))
    found = _block(layers.Rescaling(2.0, -1.0)(picture), 32, next(seeds))
    found = _block(layers.MaxPooling2D()(found), 64, next(seeds))
    found = _block(layers.MaxPooling2D()(found), 64, next(seeds))
    found = _block(found, 128, next(seeds), strides=2)
    features = layers.GlobalAveragePooling2D(name="features")(found)
    thinned = layers.Dropout(DROPPED, seed=next(seeds))(features)
    widths = {"score": 1, "components": components}
    return keras.Model(picture, {name: _head(thinned, name, width, next(seeds)) for name, width in widths.items()})


def _block(found: keras.KerasTensor, channels: int, seed: int, strides: int = 1) -> keras.KerasTensor:
    start = keras.initializers.HeNormal(seed)
    found = layers.Conv2D(channels, 3, strides, padding="same", use_bias=False, kernel_initializer=start)(found)
    # A short memory: there are only some hundred steps to settle in
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(found))


def _head(features: keras.KerasTensor, name: str, width: int, seed: int) -> keras.KerasTensor:
    return layers.Dense(width, kernel_initializer=keras.initializers.GlorotUniform(seed), name=name)(features)


TURN = 12.0  # degrees either way
ZOOM = 0.2  # either way, in natural logarithms
MOVE = 0.1  # of the side, either way
SATURATION, CONTRAST, LIGHT, TINT = 0.5, 0.3, 0.15, 0.05  # either way; light and tint of full white
HIDDEN = 0.4  # of the side, a square that hides a part of every other picture ("cutout")


def augment(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """`images` (N, S, S, 3) uint8 turned, moved, mirrored, recoloured and partly hidden, as float32 around [0, 1]."""
    moved = np.stack([_move(image, random) for image in images]).astype(np.float32) / 255
    return np.stack([_hide(image, random) for image in _recolour(moved, random)])


def _move(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    side = len(image)
    turn, zoom = random.uniform(-TURN, TURN), np.exp(random.uniform(-ZOOM, ZOOM))
    matrix = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), turn, zoom)
    matrix[:, 2] += random.uniform(-MOVE, MOVE, 2) * side
    shown = image[:, ::-1] if random.random() < 0.5 else image
    return cv2.warpAffine(np.ascontiguousarray(shown), matrix, (side, side), borderMode=cv2.BORDER_REFLECT_101)


def _recolour(images: np.ndarray, random: np.random.Generator) -> np.ndarray:
    def factor(spread: float, channels: int = 1) -> np.ndarray:
        return random.uniform(-spread, spread, (len(images), 1, 1, channels)).astype(np.float32)

    grey = images.mean(axis=-1, keepdims=True)
    images = grey + (images - grey) * (1 + factor(SATURATION))
    mean = images.mean(axis=(1, 2), keepdims=True)
    return mean + (images - mean) * (1 + factor(CONTRAST)) + factor(LIGHT) + factor(TINT, 3)


def _hide(image: np.ndarray, random: np.random.Generator) -> np.ndarray:
    side = len(image)
    hidden = int(side * HIDDEN)
    top, left = random.integers(-hidden // 2, side - hidden // 2, 2)
    if random.random() < 0.5:
        image[max(top, 0) : top + hidden, max(left, 0) : left + hidden] = 0.5
    return image
