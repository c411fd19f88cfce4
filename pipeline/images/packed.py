"""Squares in a file of pixels, read by index: for more of them than memory should hold."""

import mmap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

# Bytes that are read before the process lets go of what is mapped: with its surroundings, four times as much
MAPPED = 1 << 26


class PackedImages:
    """Squares (N, S, S, C) uint8 in a NumPy file; indexed like an array, it gives arrays.

    A square is read when it is asked for. The file is mapped into memory, and let go of again and again, so that the
    process never holds much of it, while the system keeps in its own cache what fits. `rows` are the places in the file
    of a choice of squares.
    """

    def __init__(self, path: Path, rows: np.ndarray | None = None) -> None:
        self.path = path
        self._stored = np.load(path, mmap_mode="r")
        self._rows = np.arange(len(self._stored)) if rows is None else rows
        self._read, self._lock = 0, threading.Lock()
        if hasattr(mmap, "MADV_RANDOM"):
            self._advise(mmap.MADV_RANDOM)

    @property
    def shape(self) -> tuple[Any, ...]:
        """As of an array: (N, S, S, C)."""
        return (len(self._rows), *self._stored.shape[1:])

    @property
    def nbytes(self) -> int:
        """Bytes of all squares."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: Any) -> np.ndarray:
        found = np.array(self._stored[self._rows[index]], np.uint8)
        with self._lock:
            self._read += found.nbytes
            if self._read > MAPPED and hasattr(mmap, "MADV_DONTNEED"):
                self._read = 0
                self._advise(mmap.MADV_DONTNEED)
        return found

    def select(self, rows: np.ndarray) -> "PackedImages":
        """The squares at the indices `rows` (M,)."""
        return PackedImages(self.path, self._rows[rows])

    def _advise(self, advice: int) -> None:
        self._stored._mmap.madvise(advice)  # NumPy's own name for it


Images: TypeAlias = np.ndarray | PackedImages  # (N, S, S, C) uint8
