"""Measure ways to store squares on the disk: a file for each, shards (tar files as of WebDataset), one file of pixels.

    .venv/bin/python benchmarks/square_storage.py --squares 1000 20000 200000 [--side 64] [--work DIR] [--cold]

Each way writes the same squares and waits for the disk, reads all of them in order, reads batches of 64 at random as a
training does, opens one square, and is deleted. PNG files are verified by their SHA-256 and decoded. It prints
microseconds a square, and bytes on the disk. The system's cache holds what was written; `--cold` empties it before each
reading, which needs root on Linux.
"""

import argparse
import io
import os
import shutil
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from benchmarks.varied_pictures import make_squares
from pipeline.images.packed import PackedImages
from pipeline.images.png import decode_png, encode_png
from pipeline.store import digest

DIFFERENT = 500  # squares; the others repeat them
SHARD = 2000  # squares in a tar file
BATCH, BATCHES = 64, 200
CACHES = Path("/proc/sys/vm/drop_caches")


class Stored(NamedTuple):
    """A stored PNG file: the file that holds it, where it begins there, its bytes, and its SHA-256."""

    path: Path
    start: int
    size: int
    sha256: str

    def read(self) -> np.ndarray:
        """Read, verify and decode it."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            data = file.read(self.size)
        assert digest.of_bytes(data) == self.sha256
        return decode_png(data)


class Files:
    """One PNG file a square, in one folder."""

    def write(self, folder: Path, squares: Iterable[np.ndarray]) -> None:
        """Write `squares`."""
        self.stored = list(self._write(folder, squares))

    def read(self, indices: Iterable[int]) -> None:
        """Read the squares at `indices`."""
        for index in indices:
            self.stored[index].read()

    def _write(self, folder: Path, squares: Iterable[np.ndarray]) -> Iterator[Stored]:
        for number, square in enumerate(squares):
            data, path = encode_png(square), folder / f"{number:064d}.png"
            path.write_bytes(data)
            yield Stored(path, 0, len(data), digest.of_bytes(data))


class Shards(Files):
    """PNG files in tar files of SHARD squares each; where each begins is known."""

    def _write(self, folder: Path, squares: Iterable[np.ndarray]) -> Iterator[Stored]:
        numbered = iter(enumerate(squares))
        while part := list(islice(numbered, SHARD)):
            path = folder / f"{part[0][0] // SHARD:05d}.tar"
            with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
                for number, square in part:
                    data, about = encode_png(square), tarfile.TarInfo(f"{number:064d}.png")
                    about.size = len(data)
                    yield Stored(path, tar.offset + tarfile.BLOCKSIZE, len(data), digest.of_bytes(data))
                    tar.addfile(about, io.BytesIO(data))


class Pixels:
    """One file with the pixels of all squares, read by index."""

    def __init__(self, count: int, side: int) -> None:
        self.shape = (count, side, side, 3)

    def write(self, folder: Path, squares: Iterable[np.ndarray]) -> None:
        """Write `squares`."""
        path = folder / "squares.npy"
        out = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=self.shape)
        for number, square in enumerate(squares):
            out[number] = square
        out.flush()
        self.packed = PackedImages(path)

    def read(self, indices: Iterable[int]) -> None:
        """Read the squares at `indices`, a batch at a time."""
        waiting = iter(indices)
        while batch := list(islice(waiting, BATCH)):
            _ = self.packed[batch]


def measure(folder: Path, count: int, side: int, *, cold: bool) -> None:
    """Print a line for each way to store `count` squares."""
    squares = list(make_squares(min(count, DIFFERENT), side))
    random = np.random.default_rng(0).integers(0, count, BATCHES * BATCH).tolist()
    print(f"\n{count:,} squares of {side} px, microseconds each")
    print(f"{'':<10}{'write':>9}{'all':>9}{'batches':>9}{'one':>9}{'delete':>9}{'bytes':>9}")
    for name, way in {"files": Files(), "shards": Shards(), "pixels": Pixels(count, side)}.items():
        with ExitStack() as stack:
            target = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            written = _timed(way.write, target, (squares[number % len(squares)] for number in range(count)))
            every, some, one = (_timed_read(way, indices, cold) for indices in (range(count), random, [count // 2]))
            size = sum(path.stat().st_blocks * 512 for path in target.iterdir())
            deleted = _timed(shutil.rmtree, target)
            target.mkdir()
        each = written / count, every / count, some / len(random), one, deleted / count
        print(f"{name:<10}{''.join(f'{1e6 * seconds:9.1f}' for seconds in each)}{size / count:9.0f}", flush=True)


def _timed(work: Callable[..., object], *arguments: object) -> float:
    """Seconds that `work` takes until all is on the disk."""
    began = time.perf_counter()
    work(*arguments)
    os.sync()
    return time.perf_counter() - began


def _timed_read(way: Files | Pixels, indices: Iterable[int], cold: bool) -> float:
    if cold:
        CACHES.write_text("3")
    return _timed(way.read, indices)


def main() -> None:
    """Measure each number of squares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squares", type=int, nargs="*", default=[1000, 20_000, 200_000])
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--cold", action="store_true")
    given = parser.parse_args()
    print(machine())
    for count in given.squares:
        with tempfile.TemporaryDirectory(dir=given.work) as name:
            measure(Path(name), count, given.side, cold=given.cold)


if __name__ == "__main__":
    main()
