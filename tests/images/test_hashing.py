import numpy as np
import pytest
from PIL import Image

from pipeline.images.hashing import phash, phash_both_ways
from pipeline.images.raster import mirrored, resize


def hamming_distance(one: np.ndarray, other: np.ndarray) -> int:
    return (phash(one) ^ phash(other)).bit_count()


def test_hash_has_64_bits_of_which_about_half_are_set(draw):
    for seed in range(20):
        assert 0 < phash(draw(seed)) < 1 << 64
        assert 20 <= phash(draw(seed)).bit_count() <= 36


@pytest.mark.parametrize("seed", range(5))
def test_copies_have_near_hashes_and_other_pictures_do_not(draw, seed):
    picture = draw(seed, 96, 96)
    noise = np.random.default_rng(seed).integers(-6, 7, picture.shape)
    assert hamming_distance(picture, resize(picture, 64, 64)) <= 2
    assert hamming_distance(picture, np.clip(picture + noise, 0, 255).astype(np.uint8)) <= 4
    assert hamming_distance(picture, np.asarray(Image.fromarray(picture).convert("L"))[..., np.newaxis]) <= 2
    assert all(hamming_distance(picture, draw(other, 96, 96)) > 16 for other in range(100, 120))


def test_mirror_image_has_another_hash(draw):
    picture = draw(7)
    assert hamming_distance(picture, mirrored(picture)) > 16
    assert np.array_equal(mirrored(picture)[:, 0], picture[:, -1])
    assert phash(mirrored(mirrored(picture))) == phash(picture)


def test_hash_of_a_symmetric_picture_is_stable_under_noise(draw):
    half = draw(8, 48, 96)
    picture = np.concatenate([half, mirrored(half)], axis=1)
    for seed in range(20):
        noise = np.random.default_rng(seed).integers(-3, 4, picture.shape)
        assert hamming_distance(picture, np.clip(picture + noise, 0, 255).astype(np.uint8)) <= 4


def test_phash_both_ways_hashes_the_picture_and_its_mirror_image(draw):
    for seed in range(20):
        picture = draw(seed)
        ahead, mirror = phash_both_ways(picture)
        assert ahead == phash(picture)
        assert bits_that_differ(mirror, phash(mirrored(picture))) <= 1


def bits_that_differ(one: int, other: int) -> int:
    return (one ^ other).bit_count()
