"""Wrong arguments of the class Dcgan: each is refused by its name."""

import inspect

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan import Dcgan
from tests.gan.conftest import TINY
from tests.gan.drawn_discs import draw_discs


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "count = 0: expected a whole number, from 1 to"),
        ({"count": 2.5}, "count = 2.5: expected a whole number"),
        ({"count": 10**30}, f"count = {10**30}: expected a whole number, from 1 to 1,000,000"),
        ({"seed": -1}, "seed = -1: expected a whole number, at least 0"),
        ({"seed": "7"}, "seed = '7': expected a whole number"),
        ({"truncation": -1}, "truncation = -1: expected a number, at least 0"),
        ({"truncation": float("nan")}, "truncation = nan: expected a number"),
    ],
    ids=str,
)
def test_invalid_argument_error_names_the_argument(undisturbed, given, message):
    with pytest.raises(UserError, match=message):
        undisturbed.generate(**given)


def test_a_sheet_of_more_samples_than_a_screen_can_show_is_refused(undisturbed):
    with pytest.raises(UserError, match="count = 1000000: expected a whole number, from 1 to 10,000"):
        undisturbed.show(10**6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 9}, "count = 9 and latents: give one of them"),
        ({"seed": 0}, "seed = 0 and latents"),
        ({"truncation": 1.5}, "truncation = 1.5 and latents"),
    ],
    ids=str,
)
def test_argument_that_latents_would_leave_without_use_is_refused(undisturbed, given, message):
    with pytest.raises(UserError, match=message):
        undisturbed.generate(**given, latents=undisturbed.sample_latents(2))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"watch": np.zeros((20, 16, 16, 3))}, r"watch = an array of shape \(20, 16, 16, 3\): expected True or False"),
        ({"watch": "no"}, "watch = 'no': expected True or False"),
        ({"progress": 3}, "progress = 3: expected a function of steps done, total steps and a note"),
        ({"progress": 0}, "progress = 0: expected a function"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value),
)
def test_invalid_argument_of_train_is_refused_before_a_step(images, undisturbed, given, message):
    before = undisturbed.epochs
    with pytest.raises(UserError, match=message):
        undisturbed.train(images, epochs=1, **given)
    assert undisturbed.epochs == before


@pytest.mark.parametrize("seed", [-1, 1.5, None])
def test_invalid_seed_is_refused(seed):
    with pytest.raises(UserError, match=f"seed = {seed}: expected a whole number, at least 0"):
        Dcgan((16, 16, 3), TINY, seed=seed)


@pytest.mark.parametrize(
    ("latents", "message"),
    [
        *((np.zeros(shape), r"expected \(N, 8\)") for shape in (8, (2, 9), (0, 8))),
        ("abc", r"not an array of numbers: give \(N, 8\)"),
        ([[0.0] * 8, [0.0]], r"not an array of numbers"),
        (np.full((1, 8), np.nan), r"NaN or infinite"),
    ],
    ids=str,
)
def test_invalid_latents_are_refused(undisturbed, latents, message):
    with pytest.raises(UserError, match=message):
        undisturbed.generate(latents=latents)


def test_invalid_extractor_is_refused(images, undisturbed):
    with pytest.raises(UserError, match=r"extractor = None: expected a name or a file of weights"):
        undisturbed.score(images, extractor=None)


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (
            lambda gan, z: gan.generate(z),
            r"count is an array of shape \(5, 8\): give latents by name, generate\(latents",
        ),
        (lambda gan, z: gan.generate(z.tolist()), "give latents by name"),
        (lambda gan, z: gan.generate(seed=z), r"seed = an array of shape \(5, 8\): expected a whole number"),
        (lambda gan, z: gan.generate(truncation=z), r"truncation = an array of shape \(5, 8\): expected a number"),
        (lambda gan, z: gan.sample_latents(z), r"count = an array of shape \(5, 8\): expected a whole number"),
        (lambda gan, z: gan.discriminate(z), r"images of shape \(5, 8\): give \(N, S, S, C\)"),
        (lambda gan, z: gan.score(z, count=z), r"count = an array of shape \(5, 8\): expected a whole number"),
        (
            lambda gan, z: gan.score(z, extractor=z),
            r"extractor = an array of shape \(5, 8\): expected a name or a file",
        ),
        (lambda gan, z: gan.train(draw_discs(20), folder=z), r"folder = an array of shape \(5, 8\): expected a path"),
        (lambda gan, z: gan.save(z), r"folder = an array of shape \(5, 8\): expected a path"),
        (lambda gan, z: gan.plot(z), r"folder = an array of shape \(5, 8\): expected a path"),
        (lambda gan, z: Dcgan.load(z), r"folder = an array of shape \(5, 8\): expected a path"),
        (lambda gan, z: Dcgan((16, 16, 3), z), r"definition = an array of shape \(5, 8\): .*pictures come before it"),
        (lambda gan, z: Dcgan("dcgan", z), r"'dcgan' where pictures are expected: give them first, .*Dcgan\(\(64, 64"),
    ],
)
def test_misplaced_array_is_refused_with_the_name_of_the_argument(undisturbed, use, says):
    with pytest.raises(UserError, match=says) as caught:
        use(undisturbed, np.zeros((5, 8), np.float32))
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (
            lambda gan, z: gan.generate(5, z),
            r"generate takes only count without a name, and got an array of shape \(5, 8\): name it, generate\(seed=…,"
            r" truncation=…, class_name=…, latents=…\)",
        ),
        (lambda gan, z: gan.generate(latent=z), "generate has no argument 'latent'; did you mean 'latents'?"),
        (
            lambda gan, z: gan.train(z, 5),
            r"train takes only images without a name, and got 5: name it, train\(classes=…, epochs=…",
        ),
        (lambda gan, z: gan.train(z, epoch=5), "train has no argument 'epoch'; did you mean 'epochs'?"),
        (lambda gan, z: gan.train(epochs=5), r"train needs images: train\(images, …\)"),
        (lambda gan, z: gan.discriminate(z, z), "discriminate takes only images without a name, and got an array"),
        (
            lambda gan, z: Dcgan(z, "dcgan", 3),
            r"Dcgan takes only like and definition without a name, and got 3: name it",
        ),
        (lambda gan, z: Dcgan(z, definitoin="r3"), "Dcgan has no argument 'definitoin'; did you mean 'definition'?"),
    ],
)
def test_call_with_wrong_arguments_is_refused_with_the_right_names(undisturbed, use, says):
    with pytest.raises(TypeError, match=says):
        use(undisturbed, np.zeros((5, 8), np.float32))


def test_methods_keep_their_signatures_and_docstrings():
    names = ["self", "count", "seed", "truncation", "class_name", "latents"]
    assert [*inspect.signature(Dcgan.generate).parameters] == names
    assert Dcgan.train.__doc__.startswith("Train on `images`")
