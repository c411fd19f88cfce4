"""Pictures out of a generator, and the sheets that show how it learns."""

from pathlib import Path

import numpy as np

from pipeline.gan.runtime import keras
from pipeline.images.png import decode_png, is_readable, write_whole
from pipeline.images.sheet import contact_sheet, write_png
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


class Sheets:
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
