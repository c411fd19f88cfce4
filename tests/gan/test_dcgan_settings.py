"""Batch size and label smoothing of a call of `Dcgan.train`: what they change, what is recorded, and how it resumes."""

import json
import os
import signal

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.gan import Dcgan
from pipeline.gan.config import Smoothing
from pipeline.gan.training.phase import FIRST
from pipeline.store.jsonl import dump_row
from tests.gan.compare_dcgan import assert_same, checkpoint_arrays
from tests.gan.conftest import TINY
from tests.gan.drawn_discs import draw_discs

SMOOTH = {"real": 0.1, "fake": 0.05}


class Crash(BaseException):
    """A fake crash of the process."""


def crash_at(number):
    def progress(step, *_):
        if step == number:
            raise Crash

    return progress


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def changed(images) -> Dcgan:
    """Two epochs of 16 pictures in a step, then three of 8 with smoothing: 4 steps, then 15. Read only."""
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=2)
    gan.train(images, epochs=3, batch=8, smoothing=SMOOTH)
    return gan


def test_calls_that_change_no_setting_use_the_compiled_step(images, fake_steps, monkeypatch):
    compiled = []
    monkeypatch.setattr(
        "pipeline.gan.training.loop.compile_step", lambda *a, **b: compiled.append(1) or fake_steps(*a, **b)
    )
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=1)
    before = len(compiled)
    gan.train(images, epochs=1)
    gan.train(images, epochs=1, batch=16)
    assert len(compiled) == before
    gan.train(images, epochs=1, batch=8)
    assert len(compiled) > before


def test_batch_and_smoothing_of_a_call_are_in_history_and_card(changed, tmp_path):
    history = changed.history
    assert history.batch.tolist() == [16, 16, 8, 8, 8]
    assert history.smoothing.tolist() == [[0, 0], [0, 0], *[[0.1, 0.05]] * 3]
    assert history.figure("step").tolist() == [2, 4, 9, 14, 19]
    assert history.figure("images_seen").tolist() == [32, 64, 104, 144, 184]
    changed.save(tmp_path / "gan")
    training = json.loads((tmp_path / "gan" / "card.json").read_text())["training"]
    assert (training["batch"], training["smoothing"]) == (8, SMOOTH)
    assert [(each["first"], each["last"], each["batch"]) for each in training["settings"]] == [(1, 2, 16), (3, 5, 8)]
    card = (tmp_path / "gan" / "README.md").read_text()
    assert "| epochs 1 to 2 | 16 squares in a step |" in card
    assert "| epochs 3 to 5 | 8 squares in a step, label smoothing 0.1 of reals and 0.05 of fakes |" in card
    assert changed.definition.batch == 16  # as it was given; so is definition.json
    assert json.loads((tmp_path / "gan" / "definition.json").read_text())["batch"] == 16


def test_epochs_of_a_training_that_kept_no_settings_are_those_of_the_definition(changed, tmp_path):
    changed.save(tmp_path / "old")
    stats = tmp_path / "old" / "stats.jsonl"
    rows = [json.loads(line) for line in stats.read_text().splitlines()]
    for row in rows[:2]:
        for name in ("batch", "smoothing_real", "smoothing_fake"):
            del row[name]
    stats.write_text("".join(dump_row(row) for row in rows))
    Dcgan.load(tmp_path / "old").save(tmp_path / "again")
    card = (tmp_path / "again" / "README.md").read_text()
    assert "| epochs 1 to 2 | 16 squares in a step |" in card


@pytest.mark.long
def test_settings_given_at_the_start_are_those_of_a_definition(images):
    given, defined = Dcgan(images, TINY, seed=3), Dcgan(images, TINY | {"batch": 8, "smoothing": SMOOTH}, seed=3)
    given.train(images, epochs=1, batch=8, smoothing=SMOOTH)
    defined.train(images, epochs=1)
    mine, theirs = checkpoint_arrays(given), checkpoint_arrays(defined)
    assert [name for name in mine if name != "origin" and not np.array_equal(mine[name], theirs[name])] == []
    assert given.evaluate(images) == defined.evaluate(images)


@pytest.mark.long
def test_call_without_settings_goes_on_with_those_before_and_resumes_bit_identically(images, changed, tmp_path):
    gan = Dcgan(images, TINY, seed=3)
    gan.train(images, epochs=2)
    gan.train(images, epochs=1, batch=8, smoothing=SMOOTH)
    gan.save(tmp_path / "saved")
    gan.train(images, epochs=2)
    assert_same(gan, changed)
    loaded = Dcgan.load(tmp_path / "saved")
    loaded.train(images, epochs=2, batch=8)  # the same as it has
    assert_same(loaded, changed)


@pytest.mark.long
def test_crash_after_a_change_resumes_bit_identically_in_the_folder(images, changed, tmp_path):
    lost = Dcgan(images, TINY, seed=3)
    lost.train(images, epochs=2, folder=tmp_path / "run")
    with pytest.raises(Crash):
        lost.train(images, epochs=3, batch=8, smoothing=SMOOTH, folder=tmp_path / "run", progress=crash_at(12))
    gan = Dcgan.load(tmp_path / "run")  # at the change, as the next checkpoint is due at the end
    assert (gan.epochs, gan._training.batches.batch) == (2, 8)
    gan.train(images, epochs=3, folder=tmp_path / "run")
    assert_same(gan, changed)
    assert_same(Dcgan.load(tmp_path / "run"), changed)


@pytest.mark.long
def test_damaged_checkpoint_of_a_change_leads_back_before_it(images, changed, tmp_path):
    lost = Dcgan(images, TINY, seed=3)
    lost.train(images, epochs=2, folder=tmp_path / "run", checkpoint_every=1)
    with pytest.raises(Crash):
        lost.train(images, epochs=3, batch=8, smoothing=SMOOTH, folder=tmp_path / "run", progress=crash_at(6))
    newest = max((tmp_path / "run" / "checkpoints").iterdir())
    newest.write_bytes(newest.read_bytes()[:-5000] + bytes(5000))
    gan = Dcgan.load(tmp_path / "run")
    assert (gan.epochs, gan._training.phase) == (1, FIRST)
    gan.train(images, epochs=1, folder=tmp_path / "run")
    gan.train(images, epochs=3, batch=8, smoothing=SMOOTH, folder=tmp_path / "run")
    assert_same(gan, changed)


@pytest.mark.long
def test_other_batch_within_an_epoch_begins_it_again_and_other_smoothing_does_not(images):
    gan = Dcgan(images, TINY, seed=3)
    with pytest.raises(KeyboardInterrupt):
        gan.train(images, epochs=2, progress=lambda step, *_: step == 3 and interrupt())
    assert (gan.epochs, gan._training.steps_done) == (1, 3)
    gan.train(images, epochs=1, batch=20)
    assert gan.history.figure("step").tolist() == [2, 5]
    assert gan.history.figure("images_seen").tolist() == [32, 88]  # 3 * 16 and 2 * 20
    assert gan.history.batch.tolist() == [16, 20]
    with pytest.raises(KeyboardInterrupt):
        gan.train(images, epochs=1, progress=lambda step, *_: step == 6 and interrupt())
    gan.train(images, epochs=1, smoothing=0.2)  # which lets the epoch go on
    assert gan.history.figure("step").tolist() == [2, 5, 7]
    assert gan.state.definition.smoothing == Smoothing(real=0.2)  # one number is one-sided, as in a definition


def test_other_number_of_pictures_keeps_the_settings(changed, tmp_path):
    changed.save(tmp_path / "saved")
    gan = Dcgan.load(tmp_path / "saved")
    gan.train(draw_discs(24), epochs=1)
    assert gan.history.figure("step").tolist() == [3]
    assert gan.history.smoothing.tolist() == [[0.1, 0.05]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch": 1}, "batch = 1: expected a whole number, at least 2"),
        ({"batch": 2.5}, "batch = 2.5: expected a whole number"),
        ({"batch": 10**6}, "batch = 1000000: expected a whole number, at least 2, at most 4096"),
        ({"smoothing": -0.1}, "smoothing = -0.1: expected a number, at least 0"),
        ({"smoothing": 0.7}, "smoothing.real = 0.7: expected .*at most 0.5"),
        ({"smoothing": {"reals": 0.1}}, "unknown key 'reals'; did you mean 'real'"),
        ({"smoothing": {"real": 0.5, "fake": 0.5}}, "reals and fakes get the same label"),
        ({"smoothing": "much"}, "smoothing = 'much': expected a number"),
    ],
    ids=str,
)
def test_invalid_settings_are_refused_before_a_step(undisturbed, images, given, message):
    with pytest.raises(UserError, match=message):
        undisturbed.train(images, epochs=1, **given)
    assert (undisturbed.epochs, undisturbed._training.phase) == (4, FIRST)


def test_smoothing_with_a_loss_without_labels_is_refused(images):
    gan = Dcgan((16, 16, 3), TINY | {"loss": "hinge"})
    with pytest.raises(UserError, match='smoothing and loss "hinge": it has no labels to smooth'):
        gan.train(images, epochs=1, smoothing=0.1)
