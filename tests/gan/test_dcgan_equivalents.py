"""docs/notebooks.md: what the Fashion-MNIST class can do, `Dcgan` can; each line of the table is tried."""

import re
from pathlib import Path

import numpy as np
import pytest

from pipeline.gan import Dcgan
from tests.gan.drawn_discs import draw_discs

PAGE = (Path(__file__).parent.parent.parent / "docs" / "notebooks.md").read_text(encoding="utf-8")
SHAPE, LATENT, BATCH, EPSILON = (28, 28, 1), 20, 8, 0.1
TABLE = PAGE.split("## If you know the Fashion-MNIST class")[1]
ROWS = dict(re.findall(r"^\| `(.+?)` \| `(.+?)` \|.*\|$", TABLE, re.MULTILINE))


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> dict:
    """The names of a notebook in which the lines of the table run."""
    imgs = draw_discs(24, size=28, channels=1)
    return {
        "Dcgan": Dcgan,
        "np": np,
        "name": "clothes",
        "z_dim": LATENT,
        "img_shape": SHAPE,
        "imgs_train": imgs,
        "epochs": 2,
        "batch_size": BATCH,
        "ls_epsilon": EPSILON,
        "sample_img_interval": 1,
        "z": np.random.default_rng(0).normal(0, 1, (5, LATENT)),
        "len_z": 5,
        "folder": tmp_path_factory.mktemp("saved") / "gan",
        "imgs": imgs / 255,
        "labels": np.array([[1.0]] * 12 + [[0.0]] * 12),
        "name_2": "shoes",
    }


def check_constructor(names):
    gan = names["gan"]
    assert (gan.name, gan.definition.latent, gan.image_shape) == ("clothes", LATENT, SHAPE)


def check_train(names):
    history = names["history"]
    assert history.batch.tolist() == [BATCH] * 2
    assert history.smoothing.tolist() == [[EPSILON, EPSILON]] * 2


def check_result(names):
    rows = names["history"].rows
    fields = ("d_loss", "d_accuracy", "g_loss", "d_real", "d_fake")
    expected = [[row[field] / (2 if field == "d_loss" else 1) for row in rows] for field in fields]
    assert [each.tolist() for each in names["_"]] == expected


def check_generate(names):
    assert names["_"].shape == (5, *SHAPE)
    assert 0 <= names["_"].min() < names["_"].max() <= 1


def check_save(names):
    assert {"generator.keras", "discriminator.keras", "final.npz"} <= {path.name for path in names["folder"].iterdir()}


def check_take_over(names):
    """Another object becomes the saved one, in place, and goes on from there bit for bit."""
    other = Dcgan(SHAPE, {"latent": LATENT}, seed=9, name="other")
    generator, discriminator = other.generator, other.discriminator
    exec(ROWS[THERE["take_over"]], names | {"gan": other})
    gan, imgs = names["gan"], names["imgs"]
    assert (other.generator is generator, other.discriminator is discriminator) == (True, True)
    assert (other.name, other.epochs, other.seed) == (gan.name, gan.epochs, gan.seed)
    assert np.array_equal(other.fixed_latents, gan.fixed_latents)
    assert np.array_equal(other.discriminate(imgs), gan.discriminate(imgs))
    again = Dcgan.load(names["folder"])
    assert np.array_equal(again.generate(4), other.generate(4))
    for each in (again, other):
        each.train(names["imgs_train"], epochs=1)
    assert np.array_equal(again.generate(4), other.generate(4))
    assert other.history.batch.tolist() == [BATCH] * 3


def check_discriminate(names):
    assert names["_"].shape == (24, 1)
    assert ((names["_"] > 0) & (names["_"] < 1)).all()


def check_evaluate(names):
    """As binary cross-entropy and accuracy of the labels come out of the probabilities."""
    d_loss, d_accuracy, g_loss = names["_"]
    labels, probabilities = names["labels"][:, 0], names["gan"].discriminate(names["imgs"])
    smooth = np.abs(labels - EPSILON)  # the discriminator is trained with these
    entropy = -(smooth * np.log(probabilities) + (1 - smooth) * np.log(1 - probabilities)).mean()
    assert d_loss == pytest.approx(entropy, rel=1e-3)
    assert d_accuracy == np.mean((probabilities > 0.5) == labels)
    alike = names["gan"].evaluate(names["imgs"], labels=np.ones(24)).d_loss
    reals = -((1 - EPSILON) * np.log(probabilities) + EPSILON * np.log(1 - probabilities)).mean()
    assert alike == pytest.approx(reals, rel=1e-3)
    fakes = names["gan"].discriminate(names["gan"].generate(24))
    assert g_loss == pytest.approx(-np.log(fakes).mean(), rel=2e-2)  # samples are rounded there


def check_latents(names):
    assert names["_"].shape == (5, LATENT)
    assert not np.array_equal(names["_"], names["gan"].sample_latents(5, seed=1))


CHECKS = {
    "gan = DCGAN(name, z_dim, img_shape)": check_constructor,
    "result = gan.train(imgs_train, epochs, batch_size, ls_epsilon, sample_img_interval)": check_train,
    'result["d_loss_epochs"]': check_result,
    "gan.generate(z)": check_generate,
    "gan.save_me(files_dir, g_file_name, d_file_name, val_file_name)": check_save,
    "gan.change_me(files_dir, g_file_name, d_file_name, val_file_name)": check_take_over,
    "gan.discriminate(imgs)": check_discriminate,
    "d_loss, d_accuracy, g_loss = gan.evaluate(imgs, labels)": check_evaluate,
    "gan.generate_z(len_z)": check_latents,
    "gan.img_shape": lambda names: names["_"] == SHAPE,
    "gan.z_dim": lambda names: names["_"] == LATENT,
    "gan.name": lambda names: names["_"] == "clothes",
    "gan.name = name_2": lambda names: names["gan"].name == "shoes",
    "gan.z_fixed_for_sample": lambda names: names["_"].shape == (64, LATENT),
}
THERE = {"take_over": "gan.change_me(files_dir, g_file_name, d_file_name, val_file_name)"}


def test_the_table_has_every_line_that_is_tried():
    assert [*ROWS] == [*CHECKS]


@pytest.mark.long
def test_every_line_of_the_table_does_what_it_says(names):
    for there, here in ROWS.items():
        try:
            names["_"] = eval(here, names)
        except SyntaxError:  # a statement
            exec(here, names)
        assert CHECKS[there](names) is not False, there
