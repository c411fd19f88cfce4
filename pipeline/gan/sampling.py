"""Latents, samples and sample sheets."""

from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.png import decode_png, is_readable
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_bytes, of_value

BATCH = 64  # always whole batches: the kernels, and so the last bits, depend on a batch's size
GRID = 8


def draw(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    """What `generator` makes of `latents` (N, latent), with its stored batch norm statistics: (N, S, S, C) uint8."""
    padded = np.concatenate([latents, np.zeros((-len(latents) % BATCH, latents.shape[1]), latents.dtype)])
    parts = [to_pixels(generator(padded[at : at + BATCH], training=False)) for at in range(0, len(padded), BATCH)]
    return np.concatenate(parts)[: len(latents)]


def to_pixels(images: object) -> np.ndarray:
    """[-1, 1] as uint8, rounded."""
    return np.clip(np.round((np.asarray(images) + 1.0) * 127.5), 0, 255).astype(np.uint8)


class SampleSheets:
    """The folder `samples/` of one training: a sheet of the same latents now and then, and one of the reals beside.

    All of it is in `live` too, unless that is None: sheets of earlier attempts from the start, others as they are made.
    Those that a disk has damaged go: the film at the end would break on them.
    """

    def __init__(self, folder: Path, *, epochs: int, live: Path | None) -> None:
        self.folder, self.live = folder, live
        self._digits = max(4, len(str(epochs)))
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.png"):
            self._show(path) if is_readable(path.read_bytes()) else path.unlink()

    def add(self, epoch: int, pictures: np.ndarray) -> None:
        """Write the sheet of what the generator draws after `epoch`, (N, S, S, C) uint8."""
        self._write(f"epoch-{epoch:0{self._digits}d}.png", pictures)

    def add_reals(self, images: np.ndarray) -> None:
        """Write a sheet of reals, spread evenly over `images` (N, S, S, C)."""
        self._write("reals.png", images[np.linspace(0, len(images) - 1, min(len(images), GRID**2)).astype(int)])

    def digest(self) -> str:
        """The hex SHA-256 over the pixels of all sheets, their names with them."""
        sheets = sorted(self.folder.glob("*.png"))
        return of_value({path.name: of_bytes(decode_png(path.read_bytes()).tobytes()) for path in sheets})

    def _write(self, name: str, images: np.ndarray) -> None:
        write_png(self.folder / name, contact_sheet(images, GRID))
        self._show(self.folder / name)

    def _show(self, path: Path) -> None:
        """Copy a sheet to those who watch."""
        if self.live is not None:
            self.live.mkdir(parents=True, exist_ok=True)
            write_whole(self.live / path.name, path.read_bytes(), sync=False)


PARALLEL = 1e-3  # radians; two latents no further apart are joined by a line, as the arc's formula divides by its sine


def fixed_latents(count: int, *, size: int, seed: int, truncation: float = 0.0) -> np.ndarray:
    """`count` latents (count, size) float32, standard normal. A larger `count` begins with the same ones.

    With a `truncation` above 0 no value lies further than that from 0; see `truncated`.
    """
    latents = np.random.default_rng((seed, *b"latents")).standard_normal((count, size))
    return (truncated(latents, truncation) if truncation else latents).astype(np.float32)


def as_latents(values: object, *, size: int) -> np.ndarray:
    """`values` as latents (N, size) float32. Errors: a `UserError` for anything that is not."""
    try:
        latents = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        raise UserError(f"latents are no array of numbers: give (N, {size}), as sample_latents does") from None
    if latents.ndim != 2 or latents.shape[1] != size or not len(latents):
        raise UserError(f"latents of shape {latents.shape}: expected (N, {size})")
    if not np.isfinite(latents).all():
        raise UserError("latents: some values are no finite numbers; mend what made them")
    return latents


def truncated(latents: np.ndarray, threshold: float) -> np.ndarray:
    """Standard normal values of any shape as values of the normal distribution cut off at ±`threshold`.

    The truncation trick of Brock et al. 2019, section 3.1: less varied pictures, each likelier. They draw values beyond
    the threshold again. Here each value goes to the same quantile of the cut distribution: the same distribution, but
    every value follows from the one it was alone, and the n-th picture of a seed stays much the same picture.

    Not every generator bears it, as they say: latents get shorter than any it learnt from, and those of a DCGAN fade
    to the mean of all pictures from a threshold of 1 on.
    """
    below = ndtr(-threshold)
    return np.clip(ndtri(below + ndtr(latents) * (1 - 2 * below)), -threshold, threshold)


def loop(keys: np.ndarray, frames: int) -> np.ndarray:
    """A walk through `keys` (K, ..., size) and back to the first, `frames` steps from each to the next.

    Returns (K * frames, ..., size), of the keys' type; the first frame comes after the last. Each leg is an arc.
    """
    parts = np.arange(frames) / frames
    following = np.roll(keys, -1, axis=0)
    legs = [arc(start, end, part) for start, end in zip(keys, following, strict=True) for part in parts]
    return np.stack(legs).astype(keys.dtype)


def arc(start: np.ndarray, end: np.ndarray, part: float) -> np.ndarray:
    """The latents (..., size) that lie `part`, from 0 to 1, of the way from `start` to `end` along a sphere.

    White 2016, section 2.1: a straight line would lead past the middle, where no latents are in so many dimensions.
    """
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = np.clip((start * end).sum(axis=-1) / np.maximum(lengths, np.finfo(float).tiny), -1, 1)
    angle = np.arccos(cosine)[..., np.newaxis].astype(float)
    straight = (angle < PARALLEL) | (angle > np.pi - PARALLEL)  # opposite ones: any arc would do, and none is theirs
    sine = np.where(straight, 1.0, np.sin(angle))
    near = np.where(straight, 1 - part, np.sin((1 - part) * angle) / sine)
    far = np.where(straight, part, np.sin(part * angle) / sine)
    return near * start + far * end
