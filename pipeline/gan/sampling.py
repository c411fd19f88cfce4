"""Sampling: latents, samples from a generator, and sample sheets."""

from pathlib import Path

import numpy as np
from scipy.special import ndtr, ndtri

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.images.contact_sheet import GRID, contact_sheet, write_png
from pipeline.images.png import decode_png, is_readable
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_bytes, of_value

BATCH = 64  # always full: rounding depends on the size of a batch
PARALLEL = 1e-3  # radians; below this angle the interpolation is linear, as slerp divides by the sine


def draw_samples(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    """Samples (N, S, S, C) uint8 of `generator` for `latents` (N, latent), with its stored batch norm statistics."""
    padded = np.concatenate([latents, np.zeros((-len(latents) % BATCH, latents.shape[1]), latents.dtype)])
    parts = [to_pixels(generator(padded[at : at + BATCH], training=False)) for at in range(0, len(padded), BATCH)]
    return np.concatenate(parts)[: len(latents)]


def to_pixels(images: object) -> np.ndarray:
    """Convert [-1, 1] to uint8, rounded."""
    return np.clip(np.round((np.asarray(images) + 1.0) * 127.5), 0, 255).astype(np.uint8)


SHEETS = "samples"  # the folder of the sheets in that of the training


def sheet_name(epoch: int) -> str:
    """The file name of the sample sheet of `epoch`. It does not depend on how many epochs will follow."""
    return f"epoch-{epoch:04d}.png"


class SampleSheets:
    """The folder `samples/` of one training: sample sheets of the same latents, and one sheet of reals.

    All sheets are also copied to `live`, unless that is None: earlier ones from the start, others as they are made.
    Damaged sheets are deleted: the video at the end would fail on them.
    """

    def __init__(self, folder: Path, *, live: Path | None) -> None:
        self.folder, self.live = folder, live
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.png"):
            self._copy_to_live(path) if is_readable(path.read_bytes()) else path.unlink()

    def add(self, epoch: int, pictures: np.ndarray) -> None:
        """Write the sample sheet of `epoch` from `pictures` (N, S, S, C) uint8."""
        self._write(sheet_name(epoch), pictures)

    def add_reals(self, images: np.ndarray) -> None:
        """Write a sheet of reals, spread evenly over `images` (N, S, S, C)."""
        self._write("reals.png", images[np.linspace(0, len(images) - 1, min(len(images), GRID**2)).astype(int)])

    def digest(self) -> str:
        """The hex SHA-256 over the names and pixels of all sheets."""
        sheets = sorted(self.folder.glob("*.png"))
        return of_value({path.name: of_bytes(decode_png(path.read_bytes()).tobytes()) for path in sheets})

    def _write(self, name: str, images: np.ndarray) -> None:
        write_png(self.folder / name, contact_sheet(images, GRID))
        self._copy_to_live(self.folder / name)

    def _copy_to_live(self, path: Path) -> None:
        """Copy a sheet to the live folder."""
        if self.live is not None:
            self.live.mkdir(parents=True, exist_ok=True)
            write_whole(self.live / path.name, path.read_bytes(), sync=False)


def fixed_latents(count: int, *, size: int, seed: int, truncation: float = 0.0) -> np.ndarray:
    """`count` latents (count, size) float32, standard normal. A larger `count` begins with the same latents.

    With a `truncation` above 0 no value is further than that from 0; see `truncated`.
    """
    latents = np.random.default_rng((seed, *b"latents")).standard_normal((count, size))
    return (truncated(latents, truncation) if truncation else latents).astype(np.float32)


def as_latents(values: object, *, size: int) -> np.ndarray:
    """Convert `values` to latents (N, size) float32. Errors: a `UserError` if they are not latents."""
    try:
        latents = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        raise UserError(f"latents are not an array of numbers: give (N, {size}), as sample_latents does") from None
    if latents.ndim != 2 or latents.shape[1] != size or not len(latents):
        raise UserError(f"latents of shape {latents.shape}: expected (N, {size})")
    if not np.isfinite(latents).all():
        raise UserError("latents: some values are NaN or infinite; fix the code that made them")
    return latents


def truncated(latents: np.ndarray, threshold: float) -> np.ndarray:
    """Standard normal values of any shape, mapped to the normal distribution truncated at ±`threshold`.

    The truncation trick of Brock et al. 2019, section 3.1: less varied samples, each likelier. They redraw values
    beyond the threshold. Here each value is mapped to the same quantile of the truncated distribution: the distribution
    is the same, but each result follows from one value, and the n-th sample of a seed stays similar.

    Not every generator works with truncation, as they say: the latents get shorter than any in training, and samples of
    a DCGAN fade to the mean picture at a threshold of 1.
    """
    below = ndtr(-threshold)
    return np.clip(ndtri(below + ndtr(latents) * (1 - 2 * below)), -threshold, threshold)


def latent_walk(keypoints: np.ndarray, frames: int) -> np.ndarray:
    """A walk through `keypoints` (K, ..., size) and back to the first, with `frames` steps from each to the next.

    Returns (K * frames, ..., size), of the keypoints' type; after the last frame comes the first again. Each leg is a
    slerp.
    """
    parts = np.arange(frames) / frames
    following = np.roll(keypoints, -1, axis=0)
    legs = [slerp(start, end, fraction) for start, end in zip(keypoints, following, strict=True) for fraction in parts]
    return np.stack(legs).astype(keypoints.dtype)


def slerp(start: np.ndarray, end: np.ndarray, fraction: float) -> np.ndarray:
    """Spherical interpolation (slerp): the latents (..., size) at `fraction`, 0 to 1, from `start` to `end` along a
    sphere.

    White 2016, section 2.1: a straight line would pass near the origin, where high-dimensional normal latents do not
    lie.
    """
    lengths = np.linalg.norm(start, axis=-1) * np.linalg.norm(end, axis=-1)
    cosine = np.clip((start * end).sum(axis=-1) / np.maximum(lengths, np.finfo(float).tiny), -1, 1)
    angle = np.arccos(cosine)[..., np.newaxis].astype(float)
    straight = (angle < PARALLEL) | (angle > np.pi - PARALLEL)  # between opposite latents no arc is unique
    sine = np.where(straight, 1.0, np.sin(angle))
    near = np.where(straight, 1 - fraction, np.sin((1 - fraction) * angle) / sine)
    far = np.where(straight, fraction, np.sin(fraction * angle) / sine)
    return near * start + far * end
