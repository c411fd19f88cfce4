import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.filter.kept import kept_ids
from pipeline.gan import Dcgan
from pipeline.gan.checkpoint import read_arrays
from pipeline.gan.definition import Definition
from pipeline.images.image_set import read_images
from pipeline.images.png import decode_png
from tests.gan.conftest import OPTIONS, TINY, discs

REPOSITORY = Path(__file__).parent.parent.parent
COUNT, STEPS = 40, 2  # pictures, and steps in an epoch
SAVED = ["README.md", "card.json", "definition.json", "discriminator.keras", "final.npz", "generator.keras", "samples",
         "stats.jsonl"]  # fmt: skip


def point(gan: Dcgan) -> dict[str, np.ndarray]:
    """All that going on from here depends on, without how long it took."""
    gan.save(folder := Path(gan._session._new_folder()))
    return {name: array for name, array in read_arrays(folder / "final.npz").items() if name != "seconds"}


def assert_same(one: Dcgan, other: Dcgan) -> None:
    """Two GANs are at the same point of the same training, bit for bit."""
    mine, theirs = point(one), point(other)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not np.array_equal(mine[name], theirs[name])] == []
    assert figures(one) == figures(other)


def figures(gan: Dcgan) -> list[dict]:
    timed = ("seconds", "images_per_second")
    return [{key: row[key] for key in row if key not in timed} for row in gan.history.rows]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return discs(COUNT)


@pytest.fixture(scope="module")
def undisturbed(images) -> Dcgan:
    """Four epochs at one go. To be read only."""
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=4)
    return gan


@pytest.fixture
def saved(undisturbed, tmp_path) -> Path:
    undisturbed.save(tmp_path / "saved")
    return tmp_path / "saved"


def test_definitions_do_not_load_tensorflow():
    code = "import sys, pipeline.gan, pipeline.gan.definition.named; print({'tensorflow', 'keras'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_twice_two_epochs_are_four_bit_for_bit(images, undisturbed):
    gan = Dcgan(images, TINY, seed=3)
    assert len(gan.train(images, epochs=2)) == 2
    history = gan.train(images, epochs=2)
    assert history.epochs.tolist() == [1, 2, 3, 4]
    assert_same(gan, undisturbed)


def test_it_trains_as_the_stage_does(trained):
    kept = read_images(trained.inputs["normalize"], kept_ids(trained.inputs["kept"])).images
    gan = Dcgan(kept, trained.definition, seed=OPTIONS["seed"])
    gan.train(kept, epochs=OPTIONS["epochs"])
    mine, theirs = point(gan), read_arrays(trained.folder("gan") / "final.npz")
    weights = [name for name in theirs if "/" in name]
    assert len(weights) > 30
    assert all(np.array_equal(mine[name], theirs[name]) for name in weights)


def test_saved_and_loaded_it_goes_on_as_if_it_had_never_ended(images, undisturbed, tmp_path):
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=3)
    gan.save(tmp_path / "saved")
    loaded = Dcgan.load(tmp_path / "saved")
    assert np.array_equal(loaded.generate(3), gan.generate(3))
    loaded.train(images, epochs=1)
    assert_same(loaded, undisturbed)


def test_a_finished_stage_is_taken_up_and_stays_as_it_is(trained, make_place):
    folder = trained.folder("gan")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    kept = read_images(trained.inputs["normalize"], kept_ids(trained.inputs["kept"])).images
    gan = Dcgan.load(folder)
    sheet = decode_png((folder / "samples" / "epoch-0004.png").read_bytes())
    assert np.array_equal(gan.generate(1)[0], sheet[:16, :16])
    gan.train(kept, epochs=1)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    longer = make_place()
    longer.train("gan", epochs=5)
    expected = read_arrays(longer.folder("gan") / "final.npz")
    assert all(np.array_equal(array, expected[name]) for name, array in point(gan).items() if "/" in name)


def test_minutes_end_it_quietly_and_the_next_call_goes_on_in_the_epoch(images, undisturbed, monkeypatch):
    gan, done = Dcgan(images, TINY, seed=3), []
    monkeypatch.setattr("time.monotonic", lambda: 60.0 * len(done))
    history = gan.train(images, epochs=4, minutes=2.5, progress=lambda step, *_: done.append(step))
    monkeypatch.undo()
    assert (done, len(history)) == ([1, 2, 3], 1)
    gan.train(images, epochs=3, progress=lambda step, *_: done.append(step))
    assert done == list(range(1, 4 * STEPS + 1))
    assert_same(gan, undisturbed)


def test_ctrl_c_ends_it_after_the_step_and_one_can_go_on(images, undisturbed):
    gan, done = Dcgan(images, TINY, seed=3), []

    def press(step, *_):
        done.append(step)
        if step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    usual = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        gan.train(images, epochs=4, progress=press)
    assert signal.getsignal(signal.SIGINT) is usual
    gan.train(images, epochs=3, progress=lambda step, *_: done.append(step))
    assert done == list(range(1, 4 * STEPS + 1))
    assert_same(gan, undisturbed)


def test_after_an_error_it_is_where_its_last_checkpoint_was(images, undisturbed):
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=1)

    def fail(step, *_):
        if step == 4:
            raise OSError("no room for the progress bar")

    with pytest.raises(OSError, match="no room"):
        gan.train(images, epochs=3, checkpoint_every=10, progress=fail)
    assert gan.epochs == 1
    gan.train(images, epochs=3)
    assert_same(gan, undisturbed)


def test_with_another_number_of_pictures_networks_go_on_and_epochs_begin_anew(images, undisturbed, saved):
    gan = Dcgan.load(saved)
    rate, begun = [], []

    def look(step, *_):
        rate.append(step)
        begun.append(gan.state.generator_optimizer.iterations.numpy())

    history = gan.train(discs(20), epochs=2, progress=look)
    assert history.epochs.tolist() == [1, 2]
    assert (rate, begun) == ([1, 2], [4 * STEPS + 1, 4 * STEPS + 2])


def test_floats_and_whole_numbers_are_the_same_pictures(images, undisturbed):
    expected = undisturbed.discriminate(images)
    assert np.array_equal(undisturbed.discriminate(images.astype(np.int64)), expected)
    assert np.array_equal(undisturbed.discriminate(images / 255), expected)
    assert np.array_equal(undisturbed.discriminate((images / 255).astype(np.float32)), expected)


def test_grey_pictures_need_no_last_axis():
    grey = discs(20, size=28, channels=1)
    gan = Dcgan(grey[..., 0], TINY)
    gan.train(grey[..., 0], epochs=1)
    assert gan.generate(3).shape == (3, 28, 28, 1)
    assert Dcgan((28, 28), TINY).image_shape == Dcgan((28, 28, 1), TINY).image_shape == (28, 28, 1)


@pytest.mark.parametrize(
    ("given", "told"),
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
        (np.zeros((15, 16, 16, 3), np.uint8), r"15 pictures were given, and at least 16 are needed"),
        (np.zeros((20, 20, 20, 3), np.uint8), r"this GAN is for \(16, 16, 3\)"),
    ],
)
def test_pictures_that_do_not_fit_are_refused_with_what_would_do(undisturbed, given, told):
    with pytest.raises(UserError, match=told):
        undisturbed.train(given)
    assert undisturbed.epochs == 4


def test_definitions_come_by_name_path_tree_or_as_they_are(tmp_path):
    (tmp_path / "mine.json").write_text('{"latent": 7}')
    definition = Definition(latent=9)
    assert Dcgan((16, 16, 3), tmp_path / "mine.json").definition.latent == 7
    assert Dcgan((16, 16, 3), str(tmp_path / "mine.json")).definition.latent == 7
    assert Dcgan((16, 16, 3), {"latent": 8}).definition.latent == 8
    assert Dcgan((16, 16, 3), definition).definition is definition
    assert Dcgan((16, 16, 3), "small").definition.generator.width == 32
    assert Dcgan((16, 16, 3)).definition == Definition()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("smal", r"definition = 'smal': there is no models/smal\.json; did you mean 'small'"),
        ({"bach": 3}, r"did you mean 'batch'"),
        ({"latent": {1}}, r"not what JSON can say"),
        ("missing/mine.json", r"missing/mine\.json: cannot be read"),
    ],
)
def test_a_definition_that_is_none_is_the_users_to_mend(given, told):
    with pytest.raises(UserError, match=told):
        Dcgan((16, 16, 3), given)


def test_what_it_generates_follows_from_seed_and_number(undisturbed):
    few, many = undisturbed.generate(5, seed=7), undisturbed.generate(70, seed=7)
    assert (few.shape, few.dtype) == ((5, 16, 16, 3), np.uint8)
    assert np.array_equal(few, many[:5])
    assert not np.array_equal(few, undisturbed.generate(5, seed=8))
    assert np.array_equal(few, undisturbed.generate(latents=undisturbed.sample_latents(5, 7)))
    assert np.array_equal(undisturbed.generate(), undisturbed.generate(latents=undisturbed.fixed_latents))
    assert np.abs(undisturbed.sample_latents(50, 7, truncation=0.5)).max() <= 0.5


def test_it_draws_what_its_keras_model_draws(undisturbed):
    latents = undisturbed.sample_latents(64)
    drawn = (np.asarray(undisturbed.generator(latents, training=False)) + 1) * 127.5
    assert np.abs(undisturbed.generate(latents=latents) - drawn).max() <= 0.51


@pytest.mark.parametrize("latents", [np.zeros(8), np.zeros((2, 9)), np.zeros((0, 8))])
def test_latents_of_another_shape_are_refused(undisturbed, latents):
    with pytest.raises(UserError, match=r"expected \(N, 8\)"):
        undisturbed.generate(latents=latents)


def test_it_says_how_real_pictures_are_and_how_both_networks_stand(images, undisturbed):
    before = point(undisturbed)
    real, fakes = undisturbed.discriminate(images), undisturbed.generate(COUNT)
    found = undisturbed.evaluate(images)
    assert real.shape == (COUNT,)
    assert found.d_real == pytest.approx(real.mean(), abs=1e-4)
    assert found.d_fake == pytest.approx(undisturbed.discriminate(fakes).mean(), abs=1e-3)  # fakes are rounded there
    assert found.d_loss == pytest.approx(-np.log(real).mean() - np.log(1 - found.d_fake), abs=1e-2)
    assert found.real_accuracy == np.mean(real > 0.5)
    assert found.accuracy == (found.real_accuracy + found.fake_accuracy) / 2
    assert all(np.array_equal(array, before[name]) for name, array in point(undisturbed).items())


def test_its_discriminator_is_a_model_that_gives_logits(images, undisturbed):
    logits = np.asarray(undisturbed.discriminator(images[:4] / 127.5 - 1, training=False))
    assert undisturbed.discriminate(images[:4]) == pytest.approx(1 / (1 + np.exp(-logits[:, 0])), abs=1e-3)


def test_a_critic_has_no_accuracy(images):
    wasserstein = TINY | {"loss": "wasserstein", "penalties": {"clip": 0.01}}
    assert Dcgan(images, wasserstein).evaluate(images).accuracy is None


def test_a_growing_gan_is_asked_at_the_side_it_has_come_to(images):
    plain = {"width": 8, "norm": "none"}
    growing = {"generator": plain, "discriminator": plain, "growing": {"start": 8, "hold": 100, "fade": 100}}
    gan = Dcgan(images, TINY | growing)
    assert not np.array_equal(drawn := gan.generate(2), gan.generate(2, seed=1))
    assert np.array_equal(drawn[:, ::2, ::2].repeat(2, axis=1).repeat(2, axis=2), drawn)
    gan.train(images, epochs=4)  # 128 pictures: the second side is coming in
    assert 0 < gan.evaluate(images).d_real < 1


def test_samples_are_scored_with_what_they_were_measured_by(images, undisturbed):
    found = undisturbed.score(images, extractor="own", count=40)
    assert found.extractor == "histograms-64"
    assert found.kid > found.kid_floor
    assert 0 <= found.precision <= 1
    with pytest.raises(UserError, match="did you mean 'Inception'"):
        undisturbed.score(images, extractor="inception")


def test_history_is_in_arrays_and_plots(undisturbed, tmp_path):
    history = undisturbed.history
    assert history.d_loss.tolist() == [row["d_loss"] for row in history.rows]
    assert history.accuracy.shape == history.g_loss.shape == history.d_real.shape == history.d_fake.shape == (4,)
    assert np.isnan(history.figure("kid")).all()
    names = ["losses", "accuracy", "probabilities", "gradients", "speed"]
    assert [*history.plot()] == names
    assert [*map(str, undisturbed.plot(tmp_path / "plots"))] == [str(tmp_path / "plots" / f"{n}.png") for n in names]
    assert repr(history) == "<History of 4 epochs>"


def test_in_a_folder_it_shows_itself_and_outlives_a_crash(images, undisturbed, tmp_path):
    class Crash(BaseException):
        """Stands in for the end of a process."""

    def crash(step, *_):
        if step == 5:
            raise Crash

    lost = Dcgan(images, TINY, seed=3)
    with pytest.raises(Crash):
        lost.train(images, epochs=4, folder=tmp_path / "run", sample_every=1, checkpoint_every=1, progress=crash)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"checkpoints", "definition.json", "samples", "stats.jsonl"} <= left
    sheets = {path.name for path in (tmp_path / "run" / "samples").iterdir()}
    assert sheets == {"reals.png", "epoch-0000.png", "epoch-0001.png", "epoch-0002.png"}
    with pytest.raises(UserError, match=r"holds a training already: take it up with Dcgan\.load"):
        Dcgan(images, TINY, seed=3).train(images, folder=tmp_path / "run")
    gan = Dcgan.load(tmp_path / "run")
    gan.train(images, epochs=2, folder=tmp_path / "run")
    assert_same(gan, undisturbed)
    assert_same(Dcgan.load(tmp_path / "run"), undisturbed)


def test_one_moves_into_a_folder_and_is_saved_there_too(images, undisturbed, tmp_path):
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=1)
    gan.train(images, epochs=1, folder=tmp_path / "run")
    gan.save(tmp_path / "run")
    gan.train(images, epochs=2)
    assert (tmp_path / "run" / "samples" / "epoch-0004.png").is_file()
    assert_same(Dcgan.load(tmp_path / "run"), undisturbed)


def test_watched_it_scores_its_samples(images):
    gan = Dcgan(images, TINY, seed=3)
    history = gan.train(images, epochs=4, watch=True, sample_every=2, extractor="own")
    assert np.isnan(history.figure("kid")).tolist() == [True, False, True, False]
    assert history.rows[1]["extractor"] == "histograms-64"


def test_what_is_saved_is_all_there_and_nothing_is_pickled(saved):
    assert sorted(path.name for path in saved.iterdir()) == SAVED
    files = {path.relative_to(saved).as_posix(): path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    for path in saved.glob("*.keras"):
        with zipfile.ZipFile(path) as archive:
            files |= {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}
    assert not [name for name, data in files.items() if data[:1] == b"\x80"]  # how every pickle since 2003 begins
    assert {Path(name).suffix for name in files} == {".md", ".json", ".jsonl", ".keras", ".npz", ".png", ".h5"}
    with np.load(saved / "final.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fiu" for name in arrays.files)


def test_saved_again_it_takes_the_place_of_what_was_there(images, saved):
    gan = Dcgan.load(saved)
    gan.train(images, epochs=1)
    gan.save(saved)
    assert Dcgan.load(saved).epochs == 5
    assert json.loads((saved / "card.json").read_text())["training"]["epochs"] == 5


def test_it_is_not_saved_over_something_else(undisturbed, trained, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(UserError, match=r"not empty, and what it holds is no GAN"):
        undisturbed.save(tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"
    with pytest.raises(UserError, match="is a file"):
        undisturbed.save(tmp_path / "README.md")
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "manifest.json").write_text("{}")
    with pytest.raises(UserError, match="finished folder of the pipeline"):
        undisturbed.save(tmp_path / "stage")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda folder: cut(folder / "final.npz"), r"final\.npz is damaged.*generator\.keras can still draw"),
        (lambda folder: (folder / "final.npz").unlink(), r"final\.npz is missing"),
        (lambda folder: (folder / "definition.json").unlink(), r"holds no GAN: there is no definition\.json"),
        (lambda folder: cut(folder / "definition.json"), r"definition\.json: not JSON"),
        (lambda folder: (folder / "definition.json").write_text("{}"), r"do not belong together"),
        (lambda folder: (folder / "stats.jsonl").unlink(), r"stats\.jsonl lacks epochs"),
        (lambda folder: cut(folder / "stats.jsonl"), r"stats\.jsonl lacks epochs"),
    ],
)
def test_what_is_damaged_is_said(saved, damage, told):
    damage(saved)
    with pytest.raises(UserError, match=told):
        Dcgan.load(saved)


@pytest.mark.parametrize("options", [{"epochs": 0}, {"minutes": 0}, {"minutes": -1.0}])
def test_no_time_to_train_in_is_a_mistake(images, undisturbed, options):
    with pytest.raises(UserError, match="expected at least 1, and more than 0"):
        undisturbed.train(images, **options)


def test_the_readmes_example_works(tmp_path, monkeypatch):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## As an object, in a notebook")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```python\n(.+?)```", section, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.filter.weights.is_cached", lambda name: False)
    np.save("pictures.npy", discs(20))
    names = {}
    exec(example, names)
    assert names["pictures"].shape == (64, 16, 16, 3)
    assert names["gan"].epochs == 25
    assert {"losses.png", "accuracy.png", "probabilities.png"} <= {path.name for path in Path("plots").iterdir()}
