import numpy as np
import pytest

from pipeline.images import hashing
from pipeline.images.hashing import near_hashes


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


def near_by_brute_force(hashes: np.ndarray, queries: np.ndarray, distance: int) -> list[list[int]]:
    return [
        [earlier for earlier in range(index) if int(hashes[earlier] ^ query).bit_count() <= distance]
        for index, query in enumerate(queries)
    ]


def listed(hashes: np.ndarray, queries: np.ndarray, distance: int) -> list[list[int]]:
    found = near_hashes(hashes, queries, distance)
    assert not found.crowded.any()
    return [found.of(index).tolist() for index in range(len(queries))]


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 4, 5, 7, 8, 9, 12])
def test_near_hashes_equal_brute_force(distance):
    for seed in range(6):
        hashes, others = clustered_hashes(150, seed, distance + 3), clustered_hashes(150, seed, distance + 3)
        for queries in (hashes, others):
            assert listed(hashes, queries, distance) == near_by_brute_force(hashes, queries, distance)


def test_each_number_of_differing_bits_is_found():
    random = np.random.default_rng(0)
    for distance in (8, 10):
        for differing in range(13):
            flips = [random.choice(64, differing, replace=False) for _ in range(20)]
            pairs = np.array([np.uint64(0), np.uint64(sum(1 << int(index) for index in flips.pop()))])
            assert listed(pairs, pairs, distance) == [[], [0] * (differing <= distance)]


def test_small_chunks_and_parts_give_the_same(monkeypatch):
    hashes = clustered_hashes(100, 1, 9)
    whole = listed(hashes, hashes, 8)
    monkeypatch.setattr(hashing, "_CHUNK", 7)
    monkeypatch.setattr(hashing, "_MAX_PAIRS", 5)
    assert listed(hashes, hashes, 8) == whole


@pytest.mark.parametrize(("limit", "value"), [("_MIN_BUCKET", 2), ("_MAX_NEAR", 1)])
def test_crowded_queries_are_marked_and_all_others_are_exact(monkeypatch, limit, value):
    monkeypatch.setattr(hashing, limit, value)
    crowded = 0
    for seed in range(6):
        hashes = clustered_hashes(100, seed, 12)
        found, true = near_hashes(hashes, hashes, 8), near_by_brute_force(hashes, hashes, 8)
        for index, near in enumerate(true):
            assert found.of(index).tolist() == ([] if found.crowded[index] else near)
        crowded += int(found.crowded.sum())
        assert limit != "_MAX_NEAR" or found.crowded.tolist() == [len(near) > value for near in true]
    assert 0 < crowded < 600


def test_many_equal_hashes_are_crowded_and_take_little_memory():
    found = near_hashes(np.zeros(3000, np.uint64), np.zeros(3000, np.uint64), 8)
    assert found.crowded[hashing._MAX_NEAR + 1 :].all()
    assert len(found.indices) < 3000


def test_unrelated_hashes_have_no_near_ones():
    hashes = np.random.default_rng(1).integers(0, 1 << 63, 5000, dtype=np.uint64)
    assert len(near_hashes(hashes, hashes, 8).indices) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_near_hashes_of_zero_or_one_hash(count):
    hashes = np.zeros(count, np.uint64)
    assert listed(hashes, hashes, 8) == [[]] * count
