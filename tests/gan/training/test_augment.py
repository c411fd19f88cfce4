import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.config import POLICIES, Augment
from pipeline.gan.training import augment as module
from pipeline.gan.training.augment import DRAWS, MOST_ASYMMETRY, asymmetry, mirrors

SIZE = 16


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(-1, 1, (6, SIZE, SIZE, 3)).astype(np.float32)


@pytest.fixture
def draws():
    return np.random.default_rng(1).uniform(0, 1, (6, DRAWS)).astype(np.float32)


def rule(*policies, flip="never"):
    return Augment(policies=policies, flip=flip)


def augment(images, draws, rule, probability=1.0):
    return module.augment(images, draws, rule, probability)


def test_translation_shifts_by_whole_pixels_and_fills_with_grey(images, draws):
    draws[:, 4], draws[:, 5] = 0.999, 0.0  # two pixels up, two to the right: an eighth of the side
    moved = np.asarray(augment(images, draws, rule("translation")))
    assert np.array_equal(moved[:, :-2, 2:], images[:, 2:, :-2])
    assert not moved[:, -2:].any()
    assert not moved[:, :, :2].any()


def test_cutout_makes_one_square_hole(images, draws):
    draws[:, 7:9] = 0.5
    holes = np.asarray(augment(images, draws, rule("cutout"))) == 0
    assert (holes.all(axis=3).sum(axis=(1, 2)) == (SIZE // 2) ** 2).all()
    assert holes[0, 4:12, 4:12].all()


def test_colour_keeps_grey_pictures_grey(images, draws):
    grey = np.repeat(images[..., :1], 3, axis=3)
    changed = np.asarray(augment(grey, draws, rule("colour")))
    assert np.allclose(changed[..., 0], changed[..., 2], atol=1e-5)
    each = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(changed, grey, strict=True)]
    assert np.allclose(each, 1, atol=1e-4)
    assert not np.allclose(changed, grey)


def test_flip_mirrors_half_of_the_pictures(images, draws):
    draws[:, 10] = [0.1, 0.9, 0.1, 0.9, 0.1, 0.9]
    flipped = np.asarray(augment(images, draws, rule(flip="always")))
    assert np.array_equal(flipped[::2], images[::2])
    assert np.array_equal(flipped[1::2], images[1::2, :, ::-1])


def test_probability_is_the_share_of_changed_pictures():
    count = 2000
    images = np.ones((count, SIZE, SIZE, 1), np.float32)
    draws = np.random.default_rng(2).uniform(0, 1, (count, DRAWS)).astype(np.float32)
    changed = np.asarray(augment(images, draws, rule("cutout"), 0.3)).min(axis=(1, 2, 3)) == 0
    assert changed.mean() == pytest.approx(0.3, abs=0.04)


def test_nothing_changes_at_probability_zero_or_without_policies(images, draws):
    for quiet, probability in ((rule(*POLICIES), 0.0), (rule(), 1.0)):
        assert np.allclose(np.asarray(augment(images, draws, quiet, probability)), images, atol=1e-6)


def test_all_policies_together_keep_the_shape(images, draws):
    assert np.asarray(augment(images[..., :1], draws, rule(*POLICIES, flip="always"))).shape == (6, SIZE, SIZE, 1)


def test_gradients_flow_to_the_visible_pixels(images, draws):
    tf = pytest.importorskip("tensorflow")
    pixels = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        total = keras.ops.sum(augment(pixels, draws, rule("translation", "cutout")))
    gradient = np.asarray(tape.gradient(total, pixels))
    seen = np.asarray(augment(np.ones_like(images), draws, rule("translation", "cutout"))).sum()
    assert set(np.unique(gradient)) == {0.0, 1.0}
    assert gradient.sum() == seen


def symmetric_set(count, size=SIZE):
    """Pictures of noise, each as likely as its mirror image."""
    return np.random.default_rng(2).integers(0, 256, (count, size, size, 3), np.uint8)


def with_an_edge(pictures, share):
    """`pictures`, of which a share is darker on the left."""
    changed = pictures.copy()
    changed[: int(share * len(pictures)), :, : pictures.shape[2] // 2] //= 2
    return changed


@pytest.mark.parametrize("count", [16, 300, 3000])
def test_pictures_are_mirrored_if_left_and_right_are_alike(count):
    assert mirrors(Augment(), symmetric_set(count))
    assert not mirrors(Augment(), with_an_edge(symmetric_set(count), 1.0))


def test_asymmetry_is_about_one_whatever_the_number_and_the_size():
    for count, size in ((50, 16), (500, 16), (50, 128)):
        assert 0.8 < asymmetry(symmetric_set(count, size)) < 1.2
    both = with_an_edge(symmetric_set(500), 1.0)
    both[::2] = both[::2, :, ::-1]  # each is as likely as its mirror image
    assert asymmetry(both) < MOST_ASYMMETRY


def test_asymmetry_of_a_share_of_the_pictures_is_seen_in_many_of_them():
    assert asymmetry(with_an_edge(symmetric_set(1000), 0.3)) > MOST_ASYMMETRY
    assert asymmetry(with_an_edge(symmetric_set(200, 129), 1.0)) > MOST_ASYMMETRY


def test_pictures_equal_to_their_mirror_images_are_mirrored():
    assert mirrors(Augment(), np.full((20, SIZE, SIZE, 1), 7, np.uint8))


def test_a_definition_can_say_whether_pictures_are_mirrored():
    assert mirrors(Augment(flip="always"), with_an_edge(symmetric_set(300), 1.0))
    assert not mirrors(Augment(flip="never"), symmetric_set(300))
    assert (Augment(flip=True).flip, Augment(flip=False).flip) == ("always", "never")  # as in earlier versions
