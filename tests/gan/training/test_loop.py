"""The training loop on NaN, errors, stops and resume."""

import dataclasses
import itertools
import time
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.errors import Stopped, UserError
from pipeline.gan.training import loop as module
from pipeline.gan.training.augment import MIRROR
from pipeline.gan.training.loop import Trainer
from pipeline.gan.training.null_observer import NullObserver
from pipeline.gan.training.saved import take_over
from pipeline.gan.training.train_step import METRICS
from tests.gan.fake_steps import EPOCHS, GROWING, STEPS, assert_same, make_trainer, rows, run, weight


@pytest.fixture
def undisturbed(tmp_path, fake_steps) -> Trainer:
    training = run(make_trainer(tmp_path / "undisturbed"))
    fake_steps.done = 0
    fake_steps.rates.clear()
    return training


def test_loss_nan_rolls_back_to_last_checkpoint_with_half_the_rates_and_a_note(tmp_path):
    training = make_trainer(tmp_path / "a", tree={"generator": {"optimizer": {"learning_rate": 0.001}}})
    really, calls = training._step, itertools.count()

    def step(plan, inputs):
        if next(calls) == STEPS + 1:  # in the second epoch
            weight(training).assign(weight(training) * np.nan)
        return really(plan, inputs)

    training._step = step
    run(training)
    lines = rows(tmp_path / "a")
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert [line["g_rate"] for line in lines] == pytest.approx([0.001, 0.0005, 0.0005, 0.0005])
    assert [line["epoch"] for line in lines if "note" in line] == [2]
    assert "became NaN in epoch 2: rolled back to the checkpoint of epoch 1" in lines[1]["note"]
    assert "learning rates times 0.5" in lines[1]["note"]
    assert all(np.isfinite(array).all() for array in training.arrays().values())


def test_loss_nan_after_every_retry_is_a_user_error_with_advice(tmp_path, fake_steps):
    fake_steps.nan_losses = (-1,)
    with pytest.raises(
        UserError, match=r"d_loss.* became NaN in epoch 1, 3 times after.*learning rates in models/dcgan\.json"
    ):
        run(make_trainer(tmp_path / "a"))
    assert fake_steps.rates[0] / np.array(fake_steps.rates) == pytest.approx([1, 2, 4, 8])


def test_stop_after_roll_back_and_resume_is_bit_identical(tmp_path, fake_steps):
    fake_steps.nan_losses = (4,)
    whole = run(make_trainer(tmp_path / "whole"))
    fake_steps.done = 0
    with pytest.raises(Stopped):
        run(make_trainer(tmp_path / "again"), should_stop=lambda: fake_steps.done == 6)  # one step after the roll back
    assert_same(run(make_trainer(tmp_path / "again")), whole)
    assert ["note" in line for line in rows(tmp_path / "again")] == [False, True, False, False]


def test_nan_weights_are_never_saved(tmp_path, fake_steps):
    fake_steps.nan_weights = (2 * STEPS - 1,)  # the losses of that step are finite
    run(make_trainer(tmp_path / "a"))
    lines = rows(tmp_path / "a")
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert "a weight became NaN in epoch 2" in lines[1]["note"]


def test_stop_with_nan_weights_keeps_the_checkpoint_before(tmp_path, fake_steps):
    fake_steps.nan_weights = (4,)
    with pytest.raises(Stopped):
        run(make_trainer(tmp_path / "a"), should_stop=lambda: fake_steps.done == 5)
    resumed = make_trainer(tmp_path / "a")
    assert resumed.steps_done == STEPS
    run(resumed)
    assert [line["epoch"] for line in rows(tmp_path / "a")] == [1, 2, 3, 4]


class ResourceExhaustedError(Exception):
    """Has the name of TensorFlow's error."""


@pytest.mark.parametrize(
    "error", [ResourceExhaustedError("OOM"), MemoryError()], ids=lambda error: type(error).__name__
)
def test_out_of_memory_error_names_a_batch_size_to_try(tmp_path, fake_steps, error):
    fake_steps.raises = error
    with pytest.raises(UserError, match=r'8 squares of 16 pixels.*"batch": 4 in models/dcgan\.json'):
        run(make_trainer(tmp_path / "a"))


def test_out_of_memory_while_building_is_a_user_error(tmp_path, monkeypatch):
    def build(*_, **__):
        raise ResourceExhaustedError("OOM")

    monkeypatch.setattr(module, "TrainState", build)
    with pytest.raises(UserError, match="out of memory with 8 squares of 16 pixels"):
        make_trainer(tmp_path / "a")


@pytest.mark.parametrize("moment", ["begin", "evaluate"])
def test_out_of_memory_while_sampling_is_a_user_error(tmp_path, fake_steps, moment):
    def fail(*_, **__):
        raise ResourceExhaustedError("OOM")

    observer = NullObserver()
    setattr(observer, moment, fail)
    with pytest.raises(UserError, match=r"samples of 16 pixels.* half the width .* in models/dcgan\.json"):
        run(make_trainer(tmp_path / "a", observer=observer))


class InvalidArgumentError(Exception):
    """Has the name of TensorFlow's error."""


def test_xla_compile_error_says_to_disable_xla(tmp_path, fake_steps):
    fake_steps.raises = InvalidArgumentError("No registered 'MaxPoolGradGrad' OpKernel")
    with pytest.raises(UserError, match=r"all of models/dcgan\.json for this device; set gan\.xla to false"):
        run(make_trainer(tmp_path / "a", xla=True))
    with pytest.raises(InvalidArgumentError):
        run(make_trainer(tmp_path / "b"))


def test_other_errors_are_not_changed(tmp_path, fake_steps):
    fake_steps.raises = RuntimeError("shapes do not match")
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(make_trainer(tmp_path / "a"))


def test_stop_after_minutes_and_resume_is_bit_identical(tmp_path, fake_steps, undisturbed, monkeypatch):
    clock = itertools.count(step=20)  # seconds between two reads
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock), perf_counter=time.perf_counter))
    for epochs in (1, 3):  # five steps each
        paused = run(make_trainer(tmp_path / "a", minutes=1.5))
        assert (paused.is_done, paused.extent) == (False, f"{epochs} of {EPOCHS} epochs")
    assert fake_steps.done == 10
    last = run(make_trainer(tmp_path / "a", minutes=1.5))
    assert last.is_done
    assert_same(last, undisturbed)


def test_time_limit_allows_at_least_one_step(tmp_path, fake_steps):
    for number in (1, 2):
        assert run(make_trainer(tmp_path / "a", minutes=1e-9)).steps_done == number


def test_time_limit_after_the_last_step_changes_nothing(tmp_path, fake_steps, undisturbed):
    with pytest.raises(Stopped):
        run(make_trainer(tmp_path / "a"), should_stop=lambda: fake_steps.done == EPOCHS * STEPS - 1)
    last = run(make_trainer(tmp_path / "a", minutes=1e-9))
    assert last.is_done
    assert_same(last, undisturbed)


def test_time_limit_with_nan_weights_rolls_back_before_it_pauses(tmp_path, fake_steps):
    fake_steps.nan_weights = (STEPS,)
    with pytest.raises(Stopped):
        run(make_trainer(tmp_path / "a"), should_stop=lambda: fake_steps.done == STEPS)
    paused = run(make_trainer(tmp_path / "a", minutes=1e-9))
    assert all(np.isfinite(array).all() for array in paused.arrays().values())
    assert (paused.steps_done, paused.retries) == (STEPS, 1)


class Judge(NullObserver):
    """An observer whose KID falls until an epoch; it keeps the epochs that it has judged."""

    def __init__(self, best: int):
        super().__init__()
        self.best, self.judged = best, []

    def evaluate(self, row, draw, **more):
        self.judged.append(row["epoch"])
        return {"kid": 1.0 + max(self.best - row["epoch"], 0), "kid_error": 0.1, "extractor": "eyes"}


@pytest.fixture
def short_automatic(monkeypatch):
    """Automatic trainings of at least 30 steps."""
    monkeypatch.setattr("pipeline.gan.training.ending.MIN_STEPS", 30)


def test_automatic_training_ends_at_the_plateau_and_not_before_its_least_steps(tmp_path, fake_steps, short_automatic):
    early = run(make_trainer(tmp_path / "a", epochs=None, most_steps=120, observer=Judge(1)))
    assert (early.epoch, early.end, early.is_done) == (10, "the KID no longer falls", True)
    late = run(make_trainer(tmp_path / "b", epochs=None, most_steps=120, observer=Judge(20)))
    assert late.epoch == 29
    never = run(make_trainer(tmp_path / "c", epochs=None, most_steps=120, observer=Judge(99)))
    assert (never.epoch, never.end) == (40, "it takes at most about 120 steps (gan.most_steps)")


def test_automatic_training_that_was_stopped_anywhere_ends_at_the_same_epoch(tmp_path, fake_steps, short_automatic):
    whole = run(make_trainer(tmp_path / "whole", epochs=None, most_steps=120, observer=Judge(8)))
    fake_steps.done = 0
    for number in (3, 17, 30, whole.steps_done - 1):
        with pytest.raises(Stopped, match=r"in epoch \d+ of at most 40; the next run resumes there"):
            run(
                make_trainer(tmp_path / "a", epochs=None, most_steps=120, observer=Judge(8)),
                should_stop=lambda number=number: fake_steps.done >= number,
            )
    again = run(make_trainer(tmp_path / "a", epochs=None, most_steps=120, observer=Judge(8)))
    assert_same(again, whole)
    assert (
        run(make_trainer(tmp_path / "a", epochs=None, most_steps=120, observer=Judge(8))).steps_done == whole.steps_done
    )


def test_progress_of_an_automatic_training_has_no_total(tmp_path, fake_steps, short_automatic):
    said = []
    run(
        make_trainer(tmp_path / "a", epochs=None, most_steps=120, observer=Judge(1)),
        progress=lambda *words: said.append(words),
    )
    assert said[0] == (1, 0, "steps, epoch 1 of at most 40")
    assert [words[:2] for words in said] == [(number, 0) for number in range(1, 31)]
    assert said[-1][2].startswith("steps, epoch 10 of at most 40, D ")


@pytest.mark.long
def test_more_epochs_with_automatic_sheets_are_those_of_one_go(tmp_path, fake_steps):
    """Sheets are due at 100 and 200 steps: after epochs 34 and 67."""
    whole = run(make_trainer(tmp_path / "whole", epochs=70, sample_every=None, observer=Judge(70)))
    assert whole.observer.judged == [34, 67, 70]
    fake_steps.done = 0
    run(make_trainer(tmp_path / "a", epochs=60, sample_every=None, observer=(judge := Judge(70))))
    assert judge.judged == [34, 60]
    assert [row["epoch"] for row in rows(tmp_path / "a") if "last" in row] == [60]
    assert take_over(tmp_path / "a", tmp_path / "b", epochs=70)
    more = run(make_trainer(tmp_path / "b", epochs=70, sample_every=None, observer=(judge := Judge(70))))
    assert judge.judged == [67, 70]
    assert_same(more, whole)
    assert (more.best.epoch, more.best.kid) == (whole.best.epoch, whole.best.kid) == (67, 4.0)


def test_trainer_that_continues_forgets_what_only_its_end_asked_for(tmp_path, fake_steps):
    whole = run(make_trainer(tmp_path / "whole", epochs=7, sample_every=3, observer=Judge(9)))
    training = run(make_trainer(tmp_path / "a", epochs=5, sample_every=3, observer=Judge(9)))
    config = dataclasses.replace(training.config, epochs=7)
    training.continue_with(config, training.images, training.observer)
    assert_same(run(training), whole)


def test_resume_with_other_rounding_adds_a_note(tmp_path, fake_steps, monkeypatch):
    with pytest.raises(Stopped):
        run(make_trainer(tmp_path / "a"), should_stop=lambda: fake_steps.done >= 4)
    monkeypatch.setattr(module, "rounding", lambda dtype: "another processor")
    run(make_trainer(tmp_path / "a"))
    notes = [row.get("note", "") for row in rows(tmp_path / "a")]
    assert ["resumed with another processor after " in note for note in notes] == [False, True, False, False]


def test_resume_after_stop_at_any_step_is_bit_identical(tmp_path, fake_steps, undisturbed):
    for number in range(1, EPOCHS * STEPS):
        with pytest.raises(Stopped):
            run(make_trainer(tmp_path / "a"), should_stop=lambda number=number: fake_steps.done >= number)
        assert fake_steps.done == number
    assert_same(run(make_trainer(tmp_path / "a")), undisturbed)


def test_samples_of_a_growing_gan_are_shown_at_full_size(tmp_path, fake_steps):
    training, shapes = make_trainer(tmp_path / "a", tree=GROWING), []
    training.observer.evaluate = lambda row, draw, latents, **more: shapes.append(draw(latents[:2])) or {}
    run(training)
    assert {pictures.shape for pictures in shapes} == {(2, 16, 16, 3)}
    coarse = shapes[0].reshape(2, 8, 2, 8, 2, 3)
    assert (coarse == coarse[:, :, :1, :, :1]).all()


def test_rows_of_a_critic_have_no_probabilities(tmp_path, fake_steps):
    tree = {"discriminator": {"norm": "none"}, "loss": "wasserstein", "penalties": {"clip": 0.01}}
    run(make_trainer(tmp_path / "a", tree=tree, epochs=1))
    (line,) = rows(tmp_path / "a")
    assert {"d_loss", "g_loss", "d_gradient"} <= line.keys()
    assert not {"d_accuracy", "d_real", "d_fake"} & line.keys()


def test_discriminator_skips_steps_while_too_accurate_and_after_resume(tmp_path, fake_steps, monkeypatch):
    plans = []
    tree = {"balance": {"skip_above": 0.6}}

    def compiled(state, *, xla=False):
        def step(plan, inputs):
            plans.append(plan.learn)
            fake_steps.done += 1
            return np.full(len(METRICS), 1.0 if plan.learn else 0.0, np.float32)

        return step

    monkeypatch.setattr(module, "compile_step", compiled)
    run(make_trainer(tmp_path / "whole", tree=tree))
    whole, fake_steps.done = plans.copy(), 0
    assert whole[:6] == [True] * 6
    assert not all(whole)
    plans.clear()
    with pytest.raises(Stopped):
        run(make_trainer(tmp_path / "a", tree=tree), should_stop=lambda: fake_steps.done == 7)
    run(make_trainer(tmp_path / "a", tree=tree))
    assert plans == whole
    lines = rows(tmp_path / "a")
    assert lines == rows(tmp_path / "whole")
    assert [line["d_skipped"] for line in lines] == [
        whole[start : start + STEPS].count(False) for start in range(0, len(whole), STEPS)
    ]
    assert 0 < sum(line["d_skipped"] for line in lines) < len(whole)


def test_step_without_a_gradient_is_not_counted_as_skipped(tmp_path, monkeypatch):
    """The hinge loss of a perfect D has no gradient, and D learns all the same."""
    metrics = np.ones(len(METRICS), np.float32)
    metrics[METRICS.index("d_gradient")] = 0.0
    monkeypatch.setattr(module, "compile_step", lambda *_, **__: lambda plan, inputs: metrics)
    run(make_trainer(tmp_path / "a", epochs=1))
    assert [line["d_skipped"] for line in rows(tmp_path / "a")] == [0]


def test_epoch_of_skipped_steps_alone_has_a_gradient_of_plain_zero(tmp_path, monkeypatch):
    metrics = np.ones(len(METRICS), np.float32)
    metrics[METRICS.index("d_gradient")] = 0.0
    monkeypatch.setattr(module, "compile_step", lambda *_, **__: lambda plan, inputs: metrics)
    training = make_trainer(tmp_path / "a", epochs=1, tree={"balance": {"skip_above": 0.6}})
    training.accuracy_average.accuracy = 1.0
    run(training)
    assert '"d_gradient":0.0,' in (tmp_path / "a" / "stats.jsonl").read_text().replace(" ", "")
    assert [line["d_skipped"] for line in rows(tmp_path / "a")] == [STEPS]


def test_pictures_are_mirrored_unless_left_and_right_differ(tmp_path, fake_steps, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "mirrors", lambda rule, images: seen.append(images.shape) or False)
    training = make_trainer(tmp_path / "a")
    step = training._step

    def remember(plan, inputs):
        assert not inputs.noise.draws[..., MIRROR].any()
        return step(plan, inputs)

    training._step = remember
    run(training)
    assert seen == [training.images.shape]
