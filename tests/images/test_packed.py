"""Squares in a file are indexed like an array, and memory holds little of them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.images import packed as module
from pipeline.images.packed import PackedImages

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)


@pytest.fixture
def packed(images, tmp_path):
    np.save(tmp_path / "squares.npy", images)
    return PackedImages(tmp_path / "squares.npy")


@pytest.mark.parametrize(
    "index",
    [0, -1, np.int64(3), slice(2, 9), slice(None, None, 3), slice(5, 5), [4, 1, 1], np.array([[3, 2], [0, 19]])],
)
def test_an_index_gives_what_an_array_gives(images, packed, index):
    found = packed[index]
    assert type(found) is np.ndarray
    assert np.array_equal(found, images[index])
    assert found.shape == images[index].shape


def test_shape_length_and_size_are_those_of_the_array(images, packed):
    assert (packed.shape, len(packed), packed.nbytes) == (images.shape, len(images), images.nbytes)
    assert np.array_equal(np.stack(list(packed)), images)


def test_a_choice_has_its_own_indices(images, packed):
    some = packed.select(np.array([7, 3, 12]))
    assert np.array_equal(some[:], images[[7, 3, 12]])
    assert np.array_equal(some.select(np.array([2, 0]))[1], images[7])
    assert (some.shape, len(some)) == ((3, 8, 8, 3), 3)


def test_what_is_given_is_a_copy(images, packed):
    packed[0][:] = 0
    assert np.array_equal(packed[0], images[0])


def test_letting_go_of_what_is_mapped_changes_nothing(images, packed, monkeypatch):
    monkeypatch.setattr(module, "MAPPED", 1)
    assert np.array_equal(packed[:], images)
    assert np.array_equal(packed[5:9], images[5:9])


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the memory of a process is measured on Linux")
def test_reading_all_squares_of_a_large_file_takes_little_memory(tmp_path):
    stored = np.lib.format.open_memmap(tmp_path / "squares.npy", mode="w+", dtype=np.uint8, shape=(120_000, 64, 64, 3))
    del stored
    code = f"""if True:
        import numpy as np
        from pathlib import Path
        from pipeline.images.packed import PackedImages
        from tests.memory import peak_mib
        packed, random = PackedImages(Path({str(tmp_path / "squares.npy")!r})), np.random.default_rng(0)
        for _ in range(2000):
            packed[random.integers(0, len(packed), 64)]
        print(peak_mib())"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 500  # of 1,400 that are in the file
