import numpy as np
import pytest

from pipeline.images import hashing
from pipeline.images.hashing import may_have_near


def clustered_hashes(count: int, seed: int, flips: int) -> np.ndarray:
    """Hashes around some centres, each with up to `flips` bits changed, many of them in one quarter."""
    random = np.random.default_rng(seed)
    centres = random.integers(0, 1 << 63, max(1, count // 8), dtype=np.uint64)
    hashes = random.choice(centres, count)
    for number in range(count):
        indices = random.integers(0, random.choice([16, 64]), random.integers(0, flips + 1))
        for index in indices:
            hashes[number] ^= np.uint64(1) << np.uint64(index)
    return hashes


def near_by_brute_force(hashes: np.ndarray, wanted: np.ndarray, distance: int) -> list[bool]:
    return [
        any(int(one ^ other).bit_count() <= distance for one in hashes[:index]) for index, other in enumerate(wanted)
    ]


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 4, 5, 7, 8, 9])
def test_may_have_near_equals_brute_force(distance):
    for seed in range(6):
        hashes, others = clustered_hashes(150, seed, distance + 3), clustered_hashes(150, seed, distance + 3)
        for wanted in (hashes, others):
            assert may_have_near(hashes, wanted, distance).tolist() == near_by_brute_force(hashes, wanted, distance)


def test_may_have_near_finds_each_number_of_differing_bits():
    random = np.random.default_rng(0)
    for distance in (8, 10):
        for differing in range(13):
            flips = [random.choice(64, differing, replace=False) for _ in range(20)]
            pairs = [np.uint64(0), np.uint64(sum(1 << int(index) for index in flips.pop()))]
            expected = [False, differing <= distance]
            assert may_have_near(np.array(pairs), np.array(pairs), distance).tolist() == expected


def test_full_buckets_give_no_false_negatives(monkeypatch):
    monkeypatch.setattr(hashing, "_MAX_BUCKET", 2)
    monkeypatch.setattr(hashing, "_CHUNK", 7)
    for seed in range(6):
        hashes = clustered_hashes(100, seed, 12)
        found, true = may_have_near(hashes, hashes, 8), near_by_brute_force(hashes, hashes, 8)
        assert all(found[np.array(true)])


def test_unrelated_hashes_have_no_near_ones():
    hashes = np.random.default_rng(1).integers(0, 1 << 63, 5000, dtype=np.uint64)
    assert may_have_near(hashes, hashes, 8).sum() == 0


@pytest.mark.parametrize("count", [0, 1])
def test_may_have_near_of_zero_or_one_hash(count):
    hashes = np.zeros(count, np.uint64)
    assert may_have_near(hashes, hashes, 8).tolist() == [False] * count
