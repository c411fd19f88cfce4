"""A conditional `Dcgan`: classes of pictures as arrays, samples of a class, saving and resuming."""

import numpy as np
import pytest

from pipeline.errors import DamagedState, UserError
from pipeline.gan import Dcgan
from pipeline.gan.class_names import write_names
from tests.gan.compare_dcgan import assert_same
from tests.gan.conftest import TINY
from tests.gan.drawn_discs import draw_discs

CONDITIONAL = TINY | {"conditional": True}
CLASSES = np.array(["frog", "toad"])[np.arange(40) % 2]


@pytest.fixture(scope="module")
def trained(images) -> Dcgan:
    """A GAN after two epochs. Read only."""
    gan = Dcgan(images, CONDITIONAL, classes=CLASSES, seed=3)
    gan.train(images, classes=CLASSES, epochs=2)
    return gan


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return draw_discs(40)


def test_it_knows_its_classes_and_generates_samples_of_one(trained):
    assert trained.class_names == ("frog", "toad")
    latents = trained.sample_latents(20, 7, class_name="toad")
    assert (latents[:, -2:].argmax(axis=1) == 1).all()
    expected = trained.generate(latents=latents)
    assert np.array_equal(trained.generate(20, seed=7, class_name="toad"), expected)
    assert not np.array_equal(trained.generate(20, seed=7, class_name="frog"), expected)
    assert set(trained.sample_latents(50)[:, -2:].argmax(axis=1)) == {0, 1}
    assert trained.fixed_latents.shape == (64, 10)


@pytest.mark.long
def test_it_is_saved_and_resumed_with_its_classes_bit_identically(images, trained, tmp_path):
    gan = Dcgan(images, CONDITIONAL, classes=CLASSES, seed=3)
    gan.train(images, classes=CLASSES, epochs=1)
    gan.save(tmp_path / "half")
    loaded = Dcgan.load(tmp_path / "half")
    assert loaded.class_names == ("frog", "toad")
    loaded.train(images, classes=CLASSES, epochs=1)
    assert_same(loaded, trained)
    write_names(("frog", "newt"), tmp_path / "half")
    with pytest.raises(DamagedState, match=r"its checkpoint and classes\.json do not belong together"):
        Dcgan.load(tmp_path / "half")


def test_the_discriminator_judges_a_picture_with_its_class(images, trained):
    own, other = trained.discriminate(images, classes=CLASSES), trained.discriminate(images, classes=CLASSES[::-1])
    head, whole = trained.state.class_head, trained.state.discriminator.whole
    logits, features = whole(images / np.float32(127.5) - 1, training=False)
    logits = np.asarray(logits) + np.asarray(head.logit(features, np.eye(2, dtype=np.float32)[np.arange(40) % 2]))
    assert own == pytest.approx(1 / (1 + np.exp(-logits[:, 0])), abs=1e-3)
    assert np.abs(own - other).max() > 0
    assert np.isfinite(trained.evaluate(images, classes=CLASSES).d_loss)
    half = trained.evaluate(images, classes=CLASSES, labels=np.arange(40) < 20)
    assert np.isfinite(half.d_loss)


@pytest.mark.parametrize(
    ("use", "line"),
    [
        (
            lambda gan, images: gan.train(images, epochs=1),
            "the GAN is conditional, and needs the class of each picture",
        ),
        (lambda gan, images: gan.train(images, classes=["frog"] * 39 + ["newt"]), "this GAN has no class 'newt'"),
        (lambda gan, images: gan.discriminate(images), "give classes=…"),
        (lambda gan, images: gan.generate(4, class_name="newt"), "no such class; known are: frog, toad"),
        (lambda gan, images: gan.generate(latents=np.zeros((2, 8))), r"expected \(N, 10\)"),
        (lambda gan, images: Dcgan(images, CONDITIONAL), "give classes=…"),
        (lambda gan, images: Dcgan(images, TINY, classes=CLASSES), "set conditional to true"),
    ],
)
def test_wrong_classes_are_refused_in_one_line(images, trained, use, line):
    with pytest.raises(UserError, match=line):
        use(trained, images)
