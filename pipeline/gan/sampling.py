"""Sampling: latents, samples from a generator, and sample sheets."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.gan.class_names import ClassChoice
from pipeline.gan.classes import Classes
from pipeline.gan.latents import choose_classes, fixed_latents, latent_walk, slerp, truncated
from pipeline.gan.networks.pyramid import sides
from pipeline.gan.sheet_names import REALS, SCALES, SHEETS, sheet_name
from pipeline.images.contact_sheet import GRID, contact_sheet, write_png
from pipeline.images.packed import Images
from pipeline.images.png import decode_png, is_readable
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_bytes, of_value

__all__ = [
    "BATCH",
    "GRID",
    "SHEETS",
    "SampleSheets",
    "as_latents",
    "draw_samples",
    "draw_scales",
    "enlarge",
    "fixed_latents",
    "latent_walk",
    "numbered_samples",
    "sheet_latents",
    "sheet_name",
    "slerp",
    "to_pixels",
    "truncated",
]
BATCH = 64  # always full: rounding depends on the size of a batch


def draw_samples(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    """Samples (N, S, S, C) uint8 of `generator` for `latents` (N, latent), with its stored batch norm statistics.

    Of a multi-scale generator those at full size.
    """
    return draw_scales(generator, latents)[-1]


def draw_scales(generator: keras.Model, latents: np.ndarray) -> list[np.ndarray]:
    """The samples at each side that `generator` gives, the coarsest first: (N, s, s, C) uint8 each."""
    padded = np.concatenate([latents, np.zeros((-len(latents) % BATCH, latents.shape[1]), latents.dtype)])
    batches = [sides(generator(padded[at : at + BATCH], training=False)) for at in range(0, len(padded), BATCH)]
    return [np.concatenate([*map(to_pixels, parts)])[: len(latents)] for parts in zip(*batches, strict=True)]


def sheet_latents(*, size: int, classes: int, seed: int) -> np.ndarray:
    """The latents (64, size + classes) of the sample sheets; with classes a row has one, in turn: of more than 8 a
    sheet shows the first 8."""
    latents = fixed_latents(GRID**2, size=size + classes, seed=seed)
    return choose_classes(latents, np.arange(GRID**2) // GRID % classes, classes) if classes else latents


def enlarge(images: np.ndarray, size: int) -> np.ndarray:
    """`images` (N, s, s, C) enlarged to (N, size, size, C), each pixel to a square of its colour."""
    times = size // images.shape[1]
    return images.repeat(times, axis=1).repeat(times, axis=2)


def numbered_samples(
    generator: keras.Model, seed: int, first: int, count: int, truncation: float, chosen: ClassChoice | None = None
) -> np.ndarray:
    """Samples (count, S, S, C) uint8 of `seed` from the number `first` on, each at the place in its batch that it has
    in the stage generate, so with the same pixels; of the class `chosen`, if given."""
    start, size = first // BATCH * BATCH, generator.input_shape[1]
    latents = fixed_latents(first + count, size=size, seed=seed, truncation=truncation, chosen=chosen)[start:]
    return draw_samples(generator, latents)[first - start :]


def to_pixels(images: object) -> np.ndarray:
    """Convert [-1, 1] to uint8, rounded."""
    return np.clip(np.round((np.asarray(images) + 1.0) * 127.5), 0, 255).astype(np.uint8)


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

    def add_scales(self, scales: Sequence[np.ndarray]) -> None:
        """Write a sheet of the first samples at every side, a row for each side: (N, s, s, C) uint8, the coarsest
        first. It replaces that of an earlier epoch."""
        size = scales[-1].shape[1]
        self._write(SCALES, np.concatenate([enlarge(images[:GRID], size) for images in scales]))

    def add_reals(self, images: Images, classes: Classes | None = None) -> None:
        """Write a sheet of reals, spread evenly over `images` (N, S, S, C); with `classes` a row has one, in turn."""
        shown = _spread(len(images), min(len(images), GRID**2)) if classes is None else _by_class(classes)
        self._write(REALS, images[shown])

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


def _spread(count: int, chosen: int) -> np.ndarray:
    """`chosen` of the numbers below `count`, spread evenly; if there are fewer, some twice."""
    return np.linspace(0, count - 1, chosen).astype(int)


def _by_class(classes: Classes) -> np.ndarray:
    """The places (64,) of the pictures of a sheet whose rows have the same classes as those of `sheet_latents`."""
    rows = np.arange(GRID) % len(classes.names)
    shown = np.empty((GRID, GRID), int)
    for label in np.unique(rows):
        members = classes.indices(label)
        shown[rows == label] = members[_spread(len(members), (rows == label).sum() * GRID)].reshape(-1, GRID)
    return shown.reshape(-1)


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
