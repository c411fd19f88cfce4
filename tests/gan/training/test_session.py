import os
import signal

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.filter.scores import kept_ids
from pipeline.gan import Dcgan
from pipeline.gan.training.checkpoint import read_arrays
from pipeline.gan.training.saved import read_saved
from pipeline.images.dataset import read_images
from pipeline.store.atomic import write_whole
from tests.gan.compare_dcgan import assert_same, checkpoint_arrays
from tests.gan.conftest import OPTIONS, TINY
from tests.gan.drawn_discs import draw_discs

STEPS = 2  # in an epoch of the pictures here


def test_two_calls_of_two_epochs_are_bit_identical_to_four_epochs(images, undisturbed):
    gan = Dcgan(images, TINY, seed=3)
    assert len(gan.train(images, epochs=2)) == 2
    history = gan.train(images, epochs=2)
    assert history.epochs.tolist() == [1, 2, 3, 4]
    assert_same(gan, undisturbed)


def test_dcgan_training_is_bit_identical_to_the_stage(trained):
    kept = read_images(trained.inputs["normalize"], kept_ids(trained.inputs["kept"])).images
    gan = Dcgan(kept, trained.definition, seed=OPTIONS["seed"])
    gan.train(kept, epochs=OPTIONS["epochs"])
    mine, theirs = checkpoint_arrays(gan), read_arrays(trained.folder("gan") / "final.npz")
    weights = [name for name in theirs if "/" in name]
    assert len(weights) > 30
    assert all(np.array_equal(mine[name], theirs[name]) for name in weights)


def test_minutes_end_a_call_and_the_next_call_resumes_within_the_epoch(images, undisturbed, monkeypatch):
    gan, done = Dcgan(images, TINY, seed=3), []
    monkeypatch.setattr("time.monotonic", lambda: 60.0 * len(done))
    history = gan.train(images, epochs=4, minutes=2.5, progress=lambda step, *_: done.append(step))
    monkeypatch.undo()
    assert (done, len(history)) == ([1, 2, 3], 1)
    gan.train(images, epochs=3, progress=lambda step, *_: done.append(step))
    assert done == list(range(1, 4 * STEPS + 1))
    assert_same(gan, undisturbed)


@pytest.mark.long
def test_ctrl_c_stops_after_the_step_and_resume_is_bit_identical(images, undisturbed):
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


def test_error_restores_the_last_checkpoint(images, undisturbed):
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


def test_other_number_of_pictures_keeps_networks_and_restarts_epochs(undisturbed, tmp_path):
    undisturbed.save(tmp_path / "saved")
    gan = Dcgan.load(tmp_path / "saved")
    rate, iterations = [], []

    def record(step, *_):
        rate.append(step)
        iterations.append(gan.state.generator_optimizer.iterations.numpy())

    history = gan.train(draw_discs(20), epochs=2, progress=record)
    assert history.epochs.tolist() == [1, 2]
    assert (rate, iterations) == ([1, 2], [4 * STEPS + 1, 4 * STEPS + 2])


def test_training_in_a_folder_survives_a_crash(images, undisturbed, tmp_path):
    class Crash(BaseException):
        """A fake crash of the process."""

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
    with pytest.raises(UserError, match=r"holds a training already: resume it with Dcgan\.load"):
        Dcgan(images, TINY, seed=3).train(images, folder=tmp_path / "run")
    gan = Dcgan.load(tmp_path / "run")
    gan.train(images, epochs=2, folder=tmp_path / "run")
    assert_same(gan, undisturbed)
    assert_same(Dcgan.load(tmp_path / "run"), undisturbed)


def test_training_killed_before_its_first_checkpoint_can_start_again(images, undisturbed, tmp_path, monkeypatch):
    class Killed(BaseException):
        """A fake SIGKILL."""

    def kill(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.gan.training.observer.Observer.begin", kill)
        with pytest.raises(Killed):
            Dcgan(images, TINY, seed=3).train(images, epochs=4, folder=tmp_path / "run")
    with pytest.raises(UserError, match="interrupted before its first checkpoint; start it again"):
        Dcgan.load(tmp_path / "run")
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=4, folder=tmp_path / "run")
    assert_same(gan, undisturbed)


@pytest.mark.long
def test_training_killed_while_moving_into_its_folder_can_be_loaded(images, tmp_path, monkeypatch):
    class Killed(BaseException):
        """A fake SIGKILL."""

    home, left = tmp_path / "run", []

    def write(path, data, **more):
        if home in path.parents:
            if not left:
                raise Killed
            left.pop()
        write_whole(path, data, **more)

    Dcgan(images, TINY, seed=3).train(images, epochs=2, folder=home, sample_every=1)
    sheets = sorted((home / "samples").iterdir())
    gan = Dcgan.load(home)
    monkeypatch.setattr("pipeline.gan.training.saved.write_whole", write)
    for number in range(4):  # the definition, the lines, sheets
        left[:] = [None] * number
        with pytest.raises(Killed):
            gan.train(images, epochs=1, folder=home)
        assert read_saved(home).step == 2 * STEPS
        assert len((home / "stats.jsonl").read_text().splitlines()) == 2
        assert sorted((home / "samples").iterdir()) == sheets


@pytest.mark.long
def test_training_moves_into_a_folder_and_is_saved_there(images, undisturbed, tmp_path):
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=1)
    gan.train(images, epochs=1, folder=tmp_path / "run")
    gan.save(tmp_path / "run")
    gan.train(images, epochs=2)
    assert (tmp_path / "run" / "samples" / "epoch-0004.png").is_file()
    assert_same(Dcgan.load(tmp_path / "run"), undisturbed)


@pytest.mark.long
def test_watch_scores_the_samples(images):
    gan = Dcgan(images, TINY, seed=3)
    history = gan.train(images, epochs=4, watch=True, sample_every=2, extractor="own")
    assert np.isnan(history.figure("kid")).tolist() == [True, False, True, False]
    assert history.rows[1]["extractor"] == "textures-64"


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"epochs": 1.5},
        {"minutes": 0},
        {"minutes": -1.0},
        {"minutes": float("nan")},
        {"sample_every": -1},
        {"checkpoint_every": 2.5},
    ],
    ids=str,
)
def test_invalid_epochs_minutes_and_intervals_are_refused(images, undisturbed, options):
    (name,) = options
    with pytest.raises(UserError, match=rf"^{name} = .*: expected a (whole )?number, (at least 1|above 0)$"):
        undisturbed.train(images, **options)
    assert undisturbed.epochs == 4


def test_automatic_epochs_need_scores(undisturbed, images):
    with pytest.raises(UserError, match="epochs = None: give watch=True too"):
        undisturbed.train(images, epochs=None)
