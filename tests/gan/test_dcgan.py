import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan import Dcgan
from pipeline.gan.config import Definition
from pipeline.progress import ProgressBar
from tests.gan.compare_dcgan import checkpoint_arrays
from tests.gan.conftest import TINY
from tests.gan.drawn_discs import draw_discs

REPOSITORY = Path(__file__).parent.parent.parent
COUNT = 40  # pictures


def test_importing_definitions_does_not_load_tensorflow():
    code = "import sys, pipeline.gan, pipeline.gan.config.loading; print({'tensorflow', 'keras'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_float_and_integer_pictures_are_equivalent(images, undisturbed):
    expected = undisturbed.discriminate(images)
    assert np.array_equal(undisturbed.discriminate(images.astype(np.int64)), expected)
    assert np.array_equal(undisturbed.discriminate(images / 255), expected)
    assert np.array_equal(undisturbed.discriminate((images / 255).astype(np.float32)), expected)


def test_grey_pictures_need_no_channel_axis():
    grey = draw_discs(20, size=28, channels=1)
    gan = Dcgan(grey[..., 0], TINY)
    gan.train(grey[..., 0], epochs=1)
    assert gan.generate(3).shape == (3, 28, 28, 1)
    assert Dcgan((28, 28), TINY).image_shape == Dcgan((28, 28, 1), TINY).image_shape == (28, 28, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((20, 18, 18, 3), np.uint8), r"18 pixels: resize them to 16 or 20"),
        (np.zeros((20, 16, 20, 3), np.uint8), r"20 x 16 pixels: crop them or pad them"),
        (np.zeros((20, 3, 16, 16), np.uint8), r"channels come last"),
        (np.zeros((20, 16, 16, 4), np.uint8), r"leave the transparency out"),
        (np.zeros((16, 16), np.uint8), r"shape \(16, 16\): give \(N, S, S, C\)"),
        (np.full((20, 16, 16, 3), -0.5), r"floats from -0.5 to -0.5.*add 1 and halve"),
        (np.full((20, 16, 16, 3), 200.0), r"floats from 200 to 200.*astype\('uint8'\)"),
        (np.full((20, 16, 16, 3), np.nan), r"floats from nan"),
        (np.full((20, 16, 16, 3), 256), r"whole numbers from 256 to 256"),
        (np.full((20, 16, 16, 3), True), r"of type bool"),
        (np.full((20, 16, 16, 3), "red"), r"of type <U3"),
        ([np.zeros((16, 16, 3)), np.zeros((20, 20, 3))], r"not all of one shape"),
        (np.zeros((15, 16, 16, 3), np.uint8), r"15 pictures were given, and at least 16 are needed"),
        (np.zeros((20, 20, 20, 3), np.uint8), r"this GAN is for \(16, 16, 3\)"),
    ],
)
def test_invalid_pictures_error_says_how_to_convert_them(undisturbed, given, message):
    with pytest.raises(UserError, match=message):
        undisturbed.train(given)
    assert undisturbed.epochs == 4


def test_definition_can_be_a_name_path_dict_or_object(tmp_path):
    (tmp_path / "mine.json").write_text('{"latent": 7}')
    definition = Definition(latent=9)
    assert Dcgan((16, 16, 3), tmp_path / "mine.json").definition.latent == 7
    assert Dcgan((16, 16, 3), str(tmp_path / "mine.json")).definition.latent == 7
    assert Dcgan((16, 16, 3), {"latent": 8}).definition.latent == 8
    assert Dcgan((16, 16, 3), definition).definition is definition
    assert Dcgan((16, 16, 3), "wide").definition.generator.width == 64
    assert Dcgan((16, 16, 3)).definition == Dcgan((16, 16, 3), "dcgan").definition


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("wid", r"definition = 'wid': there is no models/wid\.json; did you mean 'wide'"),
        ({"bach": 3}, r"did you mean 'batch'"),
        ({"latent": {1}}, r"cannot be written as JSON"),
        ("missing/mine.json", r"missing/mine\.json: cannot be read"),
        (42, r"definition = 42: expected a name, a path, a dict"),
    ],
)
def test_invalid_definition_is_a_user_error(given, message):
    with pytest.raises(UserError, match=message):
        Dcgan((16, 16, 3), given)


def test_samples_depend_on_seed_and_number_only(undisturbed):
    few, many = undisturbed.generate(5, seed=7), undisturbed.generate(70, seed=7)
    assert (few.shape, few.dtype) == ((5, 16, 16, 3), np.uint8)
    assert np.array_equal(few, many[:5])
    assert not np.array_equal(few, undisturbed.generate(5, seed=8))
    assert np.array_equal(few, undisturbed.generate(latents=undisturbed.sample_latents(5, 7)))
    assert np.array_equal(undisturbed.generate(), undisturbed.generate(latents=undisturbed.fixed_latents))
    assert np.abs(undisturbed.sample_latents(50, 7, truncation=0.5)).max() <= 0.5


def test_generate_equals_the_keras_generator(undisturbed):
    latents = undisturbed.sample_latents(64)
    drawn = (np.asarray(undisturbed.generator(latents, training=False)) + 1) * 127.5
    assert np.abs(undisturbed.generate(latents=latents) - drawn).max() <= 0.51


def test_attention_at_missing_sides_gives_a_warning():
    with pytest.warns(UserWarning, match=r"attention = \[32\]: feature maps of 16 px pictures are 8, 4 wide"):
        Dcgan((16, 16, 3), TINY | {"generator": {"width": 8, "attention": [32]}})


def test_excitation_without_maps_for_it_gives_a_warning():
    with pytest.warns(UserWarning, match=r"generator\.skip_excitation: pictures of 16 px have no feature maps"):
        Dcgan((16, 16, 3), TINY | {"generator": {"width": 8, "skip_excitation": True}})


def test_definition_name_may_have_a_dot(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "v1.5.json").write_text('{"latent": 7}')
    monkeypatch.chdir(tmp_path)
    assert Dcgan((16, 16, 3), "v1.5").definition.latent == 7


def test_discriminate_and_evaluate_agree_and_change_nothing(images, undisturbed):
    before = checkpoint_arrays(undisturbed)
    real, fakes = undisturbed.discriminate(images), undisturbed.generate(COUNT)
    found = undisturbed.evaluate(images)
    assert real.shape == (COUNT,)
    assert found.d_real == pytest.approx(real.mean(), abs=1e-4)
    assert found.d_fake == pytest.approx(undisturbed.discriminate(fakes).mean(), abs=1e-3)  # fakes are rounded there
    assert found.d_loss == pytest.approx(-np.log(real).mean() - np.log(1 - found.d_fake), abs=1e-2)
    assert found.real_accuracy == np.mean(real > 0.5)
    assert found.accuracy == (found.real_accuracy + found.fake_accuracy) / 2
    assert all(np.array_equal(array, before[name]) for name, array in checkpoint_arrays(undisturbed).items())


def test_discriminator_model_gives_logits(images, undisturbed):
    logits = np.asarray(undisturbed.discriminator(images[:4] / 127.5 - 1, training=False))
    assert undisturbed.discriminate(images[:4]) == pytest.approx(1 / (1 + np.exp(-logits[:, 0])), abs=1e-3)


def test_evaluate_gives_no_accuracy_of_a_critic(images):
    wasserstein = TINY | {"loss": "wasserstein", "penalties": {"clip": 0.01}}
    assert Dcgan(images, wasserstein).evaluate(images).accuracy is None


@pytest.mark.long
def test_growing_gan_is_evaluated_at_its_current_side(images):
    plain = {"width": 8, "norm": "none"}
    growing = {"generator": plain, "discriminator": plain, "growing": {"start": 8, "hold": 100, "fade": 100}}
    gan = Dcgan(images, TINY | growing)
    assert not np.array_equal(drawn := gan.generate(2), gan.generate(2, seed=1))
    assert np.array_equal(drawn[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2), drawn)
    with pytest.warns(UserWarning, match=r"growing reaches full size after 200 images, and this training sees 128"):
        gan.train(images, epochs=4)  # the second side is fading in
    assert 0 < gan.evaluate(images).d_real < 1


@pytest.mark.long
def test_card_of_a_growing_gan_says_that_its_files_are_not_ready(images, undisturbed, tmp_path):
    growing = {"discriminator": {"width": 8, "norm": "none"}, "growing": {"start": 8, "hold": 30, "fade": 30}}
    gan = Dcgan(images, TINY | growing)
    gan.save(tmp_path / "small")
    gan.train(images, epochs=4)
    gan.save(tmp_path / "grown")
    undisturbed.save(tmp_path / "plain")
    notices = {path.parent.name: json.loads(path.read_text())["notices"] for path in tmp_path.glob("*/card.json")}
    assert "it reaches full size after 60 images, and has seen 0" in notices["small"][0]
    assert notices["grown"] == notices["plain"] == []


def test_score_gives_scores_and_their_extractor(images, undisturbed):
    found = undisturbed.score(images, extractor="own", count=40)
    assert found.extractor == "textures-64"
    assert found.kid > found.kid_floor
    assert 0 <= found.precision <= 1
    with pytest.raises(UserError, match="did you mean 'Inception'"):
        undisturbed.score(images, extractor="inception")


def test_history_gives_arrays_and_plots(undisturbed, tmp_path):
    history = undisturbed.history
    assert history.d_loss.tolist() == [row["d_loss"] for row in history.rows]
    assert history.accuracy.shape == history.g_loss.shape == history.d_real.shape == history.d_fake.shape == (4,)
    assert np.isnan(history.figure("kid")).all()
    names = ["losses", "accuracy", "probabilities", "gradients", "speed"]
    assert [*history.plot()] == names
    assert [*map(str, undisturbed.plot(tmp_path / "plots"))] == [str(tmp_path / "plots" / f"{n}.png") for n in names]
    assert repr(history) == "<History of 4 epochs>"


def test_unknown_attribute_is_refused_with_the_nearest_name(undisturbed):
    with pytest.raises(AttributeError, match="a Dcgan has no attribute 'histroy'; did you mean 'history'"):
        _ = undisturbed.histroy
    with pytest.raises(AttributeError, match="a Dcgan has no attribute 'nmae'; did you mean 'name'"):
        undisturbed.nmae = "toads"
    assert not hasattr(undisturbed, "__array__")


def test_attribute_that_belongs_to_the_networks_cannot_be_set(undisturbed):
    for name in ("seed", "definition", "epochs", "generator", "discriminator", "train"):
        with pytest.raises(AttributeError, match=f"{name} of a Dcgan cannot be set: make another one"):
            setattr(undisturbed, name, 3)


def test_error_within_a_property_is_not_taken_for_an_unknown_attribute(undisturbed, monkeypatch):
    monkeypatch.setattr(Dcgan, "history", property(lambda gan: gan._training.nothing_of_this_name))
    with pytest.raises(AttributeError, match="nothing_of_this_name"):
        _ = undisturbed.history


def test_name_is_that_of_the_definition_until_it_is_set_and_is_saved(tmp_path):
    gan = Dcgan((16, 16, 3), TINY)
    assert gan.name == "unnamed"
    gan.name = "toads at night"
    gan.save(tmp_path / "saved")
    loaded = Dcgan.load(tmp_path / "saved")
    assert loaded.name == "toads at night"
    assert "'toads at night'" in repr(loaded)
    assert Dcgan((16, 16, 3), "dcgan").name == "dcgan"


@pytest.mark.parametrize("name", [7, None, "", " ", "two\nlines", "x" * 256, "\x1b[2J"])
def test_name_that_is_not_one_line_is_refused(undisturbed, name):
    with pytest.raises(UserError, match="expected one line of text, at most 255 characters"):
        undisturbed.name = name


def test_training_for_minutes_shows_progress_and_the_time_that_is_left(images, monkeypatch):
    drawn = []
    monkeypatch.setattr("pipeline.progress.is_watched", lambda: True)
    monkeypatch.setattr(ProgressBar, "draw", lambda bar, done, total, note="": drawn.append((done, total, note)))
    Dcgan((16, 16, 3), TINY).train(images, epochs=1, minutes=60)
    assert [(done, total) for done, total, _ in drawn] == [(1, 2), (2, 2)]
    assert all(re.match(r"(60|5\d):\d\d left, epoch 1 of 1", note) for *_, note in drawn)


def test_a_folder_that_cannot_be_made_is_one_line_and_the_gan_stays_as_it_was(images, undisturbed, tmp_path):
    (tmp_path / "file").touch()
    folder, before = tmp_path / "file" / "gan", undisturbed.epochs
    calls = {
        "save": lambda: undisturbed.save(folder),
        "plot": lambda: undisturbed.plot(folder),
        "train": lambda: undisturbed.train(images, epochs=1, folder=folder),
    }
    for name, call in calls.items():
        with pytest.raises(UserError, match=r"file(/gan)?: Not a directory"):
            call()
        assert undisturbed.epochs == before, name
