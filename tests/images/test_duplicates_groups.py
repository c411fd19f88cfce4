import numpy as np
import pytest

from pipeline.images.duplicates import group_similar
from pipeline.images.raster import resize


def random_scene(seed: int, side: int = 64) -> np.ndarray:
    """A picture of soft shapes, (side, side, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    return resize(coarse, side, side)


def edited_copy(image: np.ndarray, seed: int) -> np.ndarray:
    """The same scene, a little lighter, shifted and noisy."""
    noise = np.random.default_rng(seed).normal(0, 6, image.shape)
    return np.clip(np.roll(image, 1, axis=1) * 0.9 + 12 + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def pictures():
    others = [random_scene(seed) for seed in range(40)]
    return np.stack([*others, edited_copy(others[3], 1), edited_copy(others[3], 2), edited_copy(others[7][:, ::-1], 3)])


def test_edited_and_mirrored_copies_are_in_one_group(pictures):
    ids = [f"{index:02d}" for index in range(len(pictures))]
    groups = group_similar(ids, pictures)
    assert {id for id in ids if groups[id] == "03"} == {"03", "40", "41"}
    assert {id for id in ids if groups[id] == "07"} == {"07", "42"}
    assert len(set(groups.values())) == 40


def test_group_is_named_by_its_smallest_id_regardless_of_order(pictures):
    ids = [f"{index:02d}" for index in range(len(pictures))]
    order = np.random.default_rng(0).permutation(len(ids))
    assert group_similar([ids[index] for index in order], pictures[order]) == group_similar(ids, pictures)


def test_groups_are_transitive(pictures):
    """In a chain of similar pictures the first and the last are in one group although they are not similar."""
    first = random_scene(100)
    chain = [first]
    for _ in range(6):
        chain.append(np.clip(chain[-1] * 0.94 + 0.06 * random_scene(101), 0, 255).astype(np.uint8))
    groups = group_similar([str(index) for index in range(7)], np.stack(chain))
    assert set(groups.values()) == {"0"}


@pytest.mark.parametrize("chosen", [range(0, 86, 9), range(40, 43), range(1)])
def test_groups_that_are_wanted_are_those_of_all_pictures_and_others_are_alone(pictures, chosen):
    mixed = [np.clip(0.6 * pictures[a] + 0.4 * pictures[a // 4], 0, 255).astype(np.uint8) for a in range(len(pictures))]
    every = np.concatenate([pictures, np.stack(mixed)])
    ids = [f"{number:03d}" for number in np.random.default_rng(0).permutation(len(every))]
    groups = group_similar(ids, every)
    assert 1 < len(set(groups.values())) < len(ids)
    wanted = {ids[index] for index in chosen}
    names = {groups[id] for id in wanted}
    assert group_similar(ids, every, wanted) == {id: name if name in names else id for id, name in groups.items()}


def test_pictures_that_nobody_wants_are_not_compared(pictures, compared):
    ids = [f"{index:02d}" for index in range(len(pictures))]
    assert group_similar(ids, pictures, set()) == dict(zip(ids, ids, strict=True))
    assert not compared


def test_progress_is_told_while_pictures_are_hashed(pictures):
    calls = []
    group_similar(["a", "b"], pictures[:2], progress=lambda *call: calls.append(call))
    assert calls == [(0, 2, "squares compared")]


def test_variations_of_one_picture_are_compared_with_few_others(compared):
    noise = np.random.default_rng(0).integers(-9, 10, (2000, 32, 32, 3))
    variations = np.clip(random_scene(5, 32) + noise, 0, 255).astype(np.uint8)
    ids = [f"{number:04d}" for number in range(len(variations))]
    assert set(group_similar(ids, variations).values()) == {"0000"}
    assert sum(compared) < 50 * len(ids)  # and not with a thousand each


@pytest.mark.parametrize("channels", [1, 3])
def test_blank_pictures_are_grouped_without_error(channels):
    groups = group_similar(["a", "b"], np.full((2, 32, 32, channels), 9, np.uint8))
    assert groups.keys() == {"a", "b"}


def test_single_picture_is_its_own_group():
    assert group_similar(["a"], random_scene(1)[np.newaxis]) == {"a": "a"}


@pytest.mark.parametrize("seed", range(3))
def test_groups_are_the_closure_of_similar_pairs(seed):
    random = np.random.default_rng(seed)
    scenes = [random_scene(number) for number in range(5)]
    mixed = [
        np.clip(0.7 * scenes[a] + 0.3 * scenes[b], 0, 255).astype(np.uint8)[:, :: random.choice([1, -1])]
        for a, b in random.integers(0, 5, (24, 2))
    ]
    ids = [f"{number:02d}" for number in random.permutation(len(mixed))]
    expected = {id: {id} for id in ids}
    for later in range(len(ids)):
        for earlier in range(later):
            if len(set(group_similar(["a", "b"], np.stack([mixed[earlier], mixed[later]])).values())) == 1:
                joined = expected[ids[earlier]] | expected[ids[later]]
                expected |= dict.fromkeys(joined, joined)
    found = group_similar(ids, np.stack(mixed))
    assert found == {id: min(expected[id]) for id in ids}
    assert list(found) == ids
    assert 1 < len(set(found.values())) < len(ids)
