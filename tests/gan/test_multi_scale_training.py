"""A multi-scale GAN in the stage and as a `Dcgan`: resumed bit-identically, shown at every side, drawn at full size."""

import json

import numpy as np
import pytest

from pipeline.gan import Dcgan
from pipeline.gan.evaluation.evaluator import SampleEvaluator
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.gan.networks.pyramid import as_judged
from pipeline.gan.sampling import SCALES, draw_samples, fixed_latents
from pipeline.gan.trained_generator import load_generator
from pipeline.images.contact_sheet import GAP, GRID
from pipeline.images.png import decode_png
from tests.gan.conftest import TINY
from tests.gan.interrupted import SHEETS, Killed, assert_same, kill_at

pytestmark = pytest.mark.usefixtures("fast_evaluator")

DEFINITION = TINY | {"multi_scale": True}
# In the order of one training, each with the number of calls that succeed before
MOMENTS = [
    ("sampling.write_png", 1),  # between the reals and the first sheet
    ("training.loop.save_checkpoint", 1),
    ("sampling.write_png", 3),  # between the sheet of samples and that of every side
    ("training.loop.StatsLog.append", 0),  # after both sheets, before the row
    ("training.loop.save_checkpoint", 0),  # after the row
    ("training.loop.save_checkpoint", 2),
    ("train_gan.write_networks", 0),
    ("train_gan.write_card", 0),
]


@pytest.fixture(scope="module")
def undisturbed_workspace(tmp_path_factory):
    """A workspace with an uninterrupted training in the folder `a`. Read only."""
    from tests.gan.conftest import build_workspace
    from tests.gan.drawn_discs import draw_discs
    from tests.gan.fake_evaluator import BrightnessEvaluator

    workspace = build_workspace(tmp_path_factory.mktemp("scales"), draw_discs(40), definition=DEFINITION)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.gan.train_gan.SampleEvaluator", BrightnessEvaluator)
        workspace.train("a")
    return workspace


@pytest.fixture(scope="module")
def gan(images):
    """A `Dcgan` after two epochs. Read only."""
    gan = Dcgan(images, DEFINITION, seed=3)
    gan.train(images, epochs=2)
    return gan


@pytest.mark.long
def test_resume_after_kills_between_any_two_writes_is_bit_identical(make_workspace, undisturbed_workspace, monkeypatch):
    workspace = make_workspace(definition=DEFINITION)
    for moment, call in MOMENTS:
        with monkeypatch.context() as patch:
            kill_at(patch, f"pipeline.gan.{moment}", call)
            with pytest.raises(Killed):
                workspace.train("b")
    workspace.train("b")
    found, expected = workspace.folder("b"), undisturbed_workspace.folder("a")
    assert_same(found, expected)
    assert (found / "samples" / SCALES).read_bytes() == (expected / "samples" / SCALES).read_bytes()


def test_sheet_of_every_side_has_a_row_for_each(undisturbed_workspace):
    folder = undisturbed_workspace.folder("a")
    assert sorted(path.name for path in (folder / "samples").iterdir()) == sorted([*SHEETS, SCALES])
    sheet, samples = (decode_png((folder / "samples" / name).read_bytes()) for name in (SCALES, SHEETS[-2]))
    cell = 16 + GAP
    assert sheet.shape == (3 * cell - GAP, GRID * cell - GAP, 3)
    assert np.array_equal(sheet[2 * cell :], samples[:16])  # the last row is that of the sample sheet
    for row, times in ((0, 4), (1, 2)):  # each pixel of a coarse picture is a square
        first = sheet[row * cell : row * cell + 16, :16]
        assert np.array_equal(first, first[::times, ::times].repeat(times, axis=0).repeat(times, axis=1))
        assert np.ptp(first) > 0
    assert f"samples/{SCALES}" in (folder / "README.md").read_text()


def test_stage_writes_the_generator_of_full_size(undisturbed_workspace):
    folder = undisturbed_workspace.folder("a")
    generator = load_generator(folder)
    assert generator.output_shape == (None, 16, 16, 3)
    sheet = decode_png((folder / "samples" / SHEETS[-2]).read_bytes())
    assert np.array_equal(sheet[:16, :16], draw_samples(generator, fixed_latents(64, size=8, seed=5))[0])
    assert json.loads((folder / "definition.json").read_text())["multi_scale"] is True


def test_dcgan_draws_and_judges_pictures_of_full_size(gan, images):
    samples = gan.generate(5)
    assert samples.shape == (5, 16, 16, 3)
    assert gan.generator.output_shape == (None, 16, 16, 3)
    real = images.astype(np.float32) / np.float32(127.5) - 1
    logits = np.asarray(gan.discriminator(real))
    joint = gan.state.discriminator.at(0, fading=False)
    assert np.allclose(logits, joint(as_judged(joint, real))[0], atol=1e-5)
    assert np.allclose(gan.discriminate(images), 1 / (1 + np.exp(-logits[:, 0])), atol=1e-5)


def test_dcgan_evaluates_the_losses_of_all_sides(gan, images):
    found = gan.evaluate(images)
    fakes = gan.state.average.at(0, fading=False)(gan.sample_latents(len(images)))
    fake = np.asarray(gan.state.discriminator.at(0, fading=False)(fakes)[0], float)
    assert found.g_loss == pytest.approx(np.log1p(np.exp(-fake)).mean(), rel=1e-4)


def test_saved_dcgan_is_loaded_as_it_was(gan, tmp_path):
    gan.save(tmp_path / "gan")
    assert (tmp_path / "gan" / "samples" / SCALES).is_file()
    assert np.array_equal(Dcgan.load(tmp_path / "gan").generate(8), gan.generate(8))


@pytest.mark.long  # TensorFlow builds the steps of three; steps from restored arrays: test_multi_scale_step.py
def test_saved_dcgan_goes_on_bit_identically(gan, images, tmp_path):
    gan.save(tmp_path / "gan")
    loaded, whole = Dcgan.load(tmp_path / "gan"), Dcgan(images, DEFINITION, seed=3)
    loaded.train(images, epochs=1)
    whole.train(images, epochs=3)
    assert np.array_equal(loaded.generate(64), whole.generate(64))


def test_samples_are_scored_at_full_size(gan, images):
    extractor = choose_extractor("own", None)
    expected = SampleEvaluator(images, extractor=extractor, seed=3, count=16).evaluate(gan.generate(16))
    assert gan.score(images, extractor="own", count=16).kid == expected.kid is not None
