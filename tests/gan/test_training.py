"""The loop itself: what it does when things go wrong, when time is up, and what it keeps."""

import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.callbacks import never, silent
from pipeline.errors import Stopped, UserError
from pipeline.gan import training as module
from pipeline.gan.best import BEST
from pipeline.gan.checkpoint import read_arrays
from pipeline.gan.step import METRICS
from pipeline.gan.training import CHECKPOINTS, Terms, Training
from pipeline.gan.watch import Unwatched
from pipeline.store.jsonl import read_rows
from tests.gan.discs import discs
from tests.gan.play import define

EPOCHS, STEPS = 4, 3  # steps in an epoch
TIMED = ("seconds", "images_per_second")


def begun(folder: Path, *, watch=None, tree: dict | None = None, epochs: int = EPOCHS, **terms) -> Training:
    """A training at the point where `folder` is."""
    folder.mkdir(exist_ok=True)
    options = {"seed": 1, "sample_every": 1, "checkpoint_every": 1, "name": "mine"} | terms
    given = {"folder": folder, "watch": watch or Unwatched()}
    return Training(Terms(epochs=epochs, **options), define(tree), discs(8 * STEPS), **given)


def run(training: Training, *, should_stop=never) -> Training:
    try:
        training.run(silent, should_stop)
    finally:
        training.log.close()
    return training


def rows(folder: Path) -> list[dict]:
    return [{key: row[key] for key in row if key not in TIMED} for row in read_rows(folder / "stats.jsonl")]


def arrays(training: Training) -> dict[str, np.ndarray]:
    return {name: array for name, array in training.arrays().items() if name != "seconds"}


def assert_same(one: Training, other: Training) -> None:
    mine, theirs = arrays(one), arrays(other)
    assert [name for name in mine if not np.array_equal(mine[name], theirs[name])] == []
    assert rows(one.folder) == rows(other.folder)


def weight(training: Training) -> object:
    return training.state.generator.trainable_variables[0]


@dataclass
class Faults:
    """Steps in a moment, without networks: a weight moves by the rate, the noise and what it was. Counts them, and
    does what is asked of it at the step of a count, or always (-1)."""

    done: int = 0
    no_number: tuple[int, ...] = ()  # whose losses are none
    breaks: tuple[int, ...] = ()  # that leave a weight that is none
    raises: BaseException | None = None
    rates: list[float] = field(default_factory=list)

    def __call__(self, state, *, xla=False):
        def step(plan, inputs):
            number, self.done = self.done, self.done + 1
            if self.raises is not None:
                raise self.raises
            variable = state.generator.trainable_variables[0]
            moved = np.asarray(variable) * 0.9 + np.float32(inputs.rates[0] * inputs.noise.latents.mean())
            variable.assign(moved * np.nan if number in self.breaks else moved)
            state.average.trainable_variables[0].assign(variable)
            self.rates.append(inputs.rates[0])
            told = np.nan if number in self.no_number or -1 in self.no_number else np.abs(moved).mean()
            return np.full(len(METRICS), told, np.float32)

        return step


@pytest.fixture
def faults(monkeypatch) -> Faults:
    made = Faults()
    monkeypatch.setattr(module, "compile_step", made)
    return made


@pytest.fixture
def undisturbed(tmp_path, faults) -> Training:
    training = run(begun(tmp_path / "undisturbed"))
    faults.done = 0
    faults.rates.clear()
    return training


def test_a_loss_that_is_no_number_costs_an_epoch_and_half_the_rates_and_the_next_line_says_so(tmp_path):
    training = begun(tmp_path / "a", tree={"generator": {"optimizer": {"learning_rate": 0.001}}})
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
    assert "was no number in epoch 2: went back to the checkpoint of epoch 1" in lines[1]["note"]
    assert "learning rates times 0.5" in lines[1]["note"]
    assert all(np.isfinite(array).all() for array in training.arrays().values())


def test_what_breaks_again_and_again_is_given_up_with_advice(tmp_path, faults):
    faults.no_number = (-1,)
    with pytest.raises(UserError, match=r"epoch 1, 3 times after.*d_loss.*learning rates in models/mine\.json"):
        run(begun(tmp_path / "a"))
    assert faults.rates[0] / np.array(faults.rates) == pytest.approx([1, 2, 4, 8])


def test_after_a_breakdown_it_goes_on_from_the_checkpoint_and_a_stop_changes_nothing(tmp_path, faults):
    faults.no_number = (4,)
    whole = run(begun(tmp_path / "whole"))
    faults.done = 0
    with pytest.raises(Stopped):
        run(begun(tmp_path / "again"), should_stop=lambda: faults.done == 6)  # one step after it went back
    assert_same(run(begun(tmp_path / "again")), whole)
    assert ["note" in line for line in rows(tmp_path / "again")] == [False, True, False, False]


def test_weights_that_are_no_numbers_are_never_kept(tmp_path, faults):
    faults.breaks = (2 * STEPS - 1,)  # the losses of that step are still numbers
    run(begun(tmp_path / "a"))
    lines = rows(tmp_path / "a")
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert "a weight was no number in epoch 2" in lines[1]["note"]


def test_a_stop_just_then_keeps_the_checkpoint_before(tmp_path, faults):
    faults.breaks = (4,)
    with pytest.raises(Stopped):
        run(begun(tmp_path / "a"), should_stop=lambda: faults.done == 5)
    resumed = begun(tmp_path / "a")
    assert resumed.number == STEPS
    run(resumed)
    assert [line["epoch"] for line in rows(tmp_path / "a")] == [1, 2, 3, 4]


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's is."""


@pytest.mark.parametrize(
    "error", [ResourceExhaustedError("OOM"), MemoryError()], ids=lambda error: type(error).__name__
)
def test_out_of_memory_names_a_batch_size_to_try(tmp_path, faults, error):
    faults.raises = error
    with pytest.raises(UserError, match=r'8 pictures of 16 pixels.*"batch": 4 in models/mine\.json'):
        run(begun(tmp_path / "a"))


def test_memory_that_runs_out_while_the_networks_are_built_is_told_too(tmp_path, monkeypatch):
    def build(*_, **__):
        raise ResourceExhaustedError("OOM")

    monkeypatch.setattr(module, "TrainState", build)
    with pytest.raises(UserError, match="out of memory with 8 pictures of 16 pixels"):
        begun(tmp_path / "a")


@pytest.mark.parametrize("moment", ["begin", "look"])
def test_memory_that_runs_out_at_a_look_is_told_to_be_the_samples(tmp_path, faults, moment):
    def fail(*_, **__):
        raise ResourceExhaustedError("OOM")

    watch = Unwatched()
    setattr(watch, moment, fail)
    with pytest.raises(UserError, match=r"samples of 16 pixels .* half the width .* in models/mine\.json"):
        run(begun(tmp_path / "a", watch=watch))


class InvalidArgumentError(Exception):
    """Named as TensorFlow's is."""


def test_what_xla_cannot_compile_is_told_to_be_its(tmp_path, faults):
    faults.raises = InvalidArgumentError("No registered 'MaxPoolGradGrad' OpKernel")
    with pytest.raises(UserError, match=r"all of models/mine\.json for this device; set gan\.xla to false"):
        run(begun(tmp_path / "a", xla=True))
    with pytest.raises(InvalidArgumentError):
        run(begun(tmp_path / "b"))


def test_another_mistake_is_told_as_it_is(tmp_path, faults):
    faults.raises = RuntimeError("shapes do not match")
    with pytest.raises(RuntimeError, match="shapes do not match"):
        run(begun(tmp_path / "a"))


def test_when_the_minutes_are_over_it_stops_and_goes_on_to_the_same_bits(tmp_path, faults, undisturbed, monkeypatch):
    clock = itertools.count(step=20)  # seconds from one look at it to the next
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock), perf_counter=time.perf_counter))
    for _ in range(2):  # four steps each
        with pytest.raises(Stopped, match=f"of {EPOCHS}; the next run goes on there"):
            run(begun(tmp_path / "a", minutes=1.5))
    assert faults.done == 8
    assert_same(run(begun(tmp_path / "a", minutes=1.5)), undisturbed)


def test_where_sums_are_rounded_otherwise_the_next_line_says_so(tmp_path, faults, monkeypatch):
    with pytest.raises(Stopped):
        run(begun(tmp_path / "a"), should_stop=lambda: faults.done >= 4)
    monkeypatch.setattr(module, "rounding", lambda dtype: "another processor")
    run(begun(tmp_path / "a"))
    notes = [row.get("note", "") for row in rows(tmp_path / "a")]
    assert ["went on with another processor after " in note for note in notes] == [False, True, False, False]


def test_stopped_anywhere_it_goes_on_from_that_very_step(tmp_path, faults, undisturbed):
    for number in range(1, EPOCHS * STEPS):
        with pytest.raises(Stopped):
            run(begun(tmp_path / "a"), should_stop=lambda number=number: faults.done >= number)
        assert faults.done == number
    assert_same(run(begun(tmp_path / "a")), undisturbed)


class Scored(Unwatched):
    """Tells the KID of each epoch as given."""

    def __init__(self, kids, extractor="eyes"):
        self.kids, self.looked, self.extractor = dict(enumerate(kids, 1)), [], extractor

    def look(self, row, draw, *, latents, seed, rows):
        self.looked.append(row["epoch"])
        return {"kid": self.kids[row["epoch"]], "kid_error": 0.1, "extractor": self.extractor}


def kept(folder: Path) -> tuple[int, float]:
    found = read_arrays(folder / BEST)
    return int(found["epoch"]), float(found["kid"])


def test_the_average_of_the_lowest_kid_is_kept(tmp_path, faults):
    watch, averages = Scored([3.0, 1.0, 2.0, 1.0]), {}
    training = begun(tmp_path / "a", watch=watch)
    watch.tell = lambda told, last: averages.update({told[-1]["epoch"]: training.state.arrays()})
    run(training)
    assert kept(tmp_path / "a") == (2, 1.0)  # of two alike the first
    best = training.best.weights()
    assert best.keys() == {name for name in averages[2] if name.startswith("average/")}
    assert all(np.array_equal(best[name], averages[2][name]) for name in best)


def test_what_another_extractor_found_best_gives_way(tmp_path, faults):
    with pytest.raises(Stopped):
        run(begun(tmp_path / "a", watch=Scored([1.0] * 4)), should_stop=lambda: faults.done >= 2 * STEPS)
    run(begun(tmp_path / "a", watch=Scored([9.0, 9.0, 8.0, 7.0], extractor="others")))
    assert kept(tmp_path / "a") == (4, 7.0)


def test_killed_between_the_best_and_its_checkpoint_it_comes_to_the_same(tmp_path, faults, monkeypatch):
    kids = [3.0, 2.0, 1.0, 4.0]
    whole = run(begun(tmp_path / "whole", watch=Scored(kids), checkpoint_every=100))
    faults.done = 0

    class Killed(BaseException):
        """Stands for SIGKILL."""

    really = module.save_checkpoint

    def save(folder, step, arrays):
        if step == 3 * STEPS:
            raise Killed
        really(folder, step, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_checkpoint", save)
        killed = begun(tmp_path / "a", watch=Scored(kids), checkpoint_every=100)
        with pytest.raises(Killed):
            run(killed)
    assert kept(tmp_path / "a") == (3, 1.0)
    resumed = begun(tmp_path / "a", watch=Scored(kids), checkpoint_every=100)
    assert resumed.epoch == 2
    assert_same(run(resumed), whole)
    one, other = (read_arrays(tmp_path / name / BEST) for name in ("a", "whole"))
    assert all(np.array_equal(one[name], other[name]) for name in other)


def test_what_a_broken_network_draws_is_not_looked_at_and_the_best_before_it_stays(tmp_path, faults):
    faults.breaks = (3 * STEPS - 1,)  # the very step before a look
    watch = Scored([3.0, 2.0, 5.0, 4.0])
    training = run(begun(tmp_path / "a", watch=watch))
    assert watch.looked == [1, 2, 3, 4]
    assert kept(tmp_path / "a") == (2, 2.0)
    assert all(np.isfinite(array).all() for array in training.best.weights().values())


def test_what_was_best_in_a_training_whose_checkpoints_are_gone_counts_no_more(tmp_path, faults):
    run(begun(tmp_path / "a", watch=Scored([1.0, 2.0, 3.0, 4.0])))
    for path in (tmp_path / "a" / CHECKPOINTS).iterdir():
        path.unlink()
    run(begun(tmp_path / "a", watch=Scored([4.0, 3.0, 2.0, 5.0])))
    assert kept(tmp_path / "a") == (3, 2.0)


GROWING = {"discriminator": {"norm": "none"}, "growing": {"start": 8, "fade": 24, "hold": 24}}  # an epoch each


def test_of_a_growing_gan_the_best_of_full_size_is_kept(tmp_path, faults):
    run(begun(tmp_path / "a", watch=Scored([1.0, 2.0, 4.0, 3.0]), tree=GROWING))
    assert kept(tmp_path / "a") == (4, 3.0)


def test_a_growing_gan_is_looked_at_in_full_size_from_the_start(tmp_path, faults):
    training, shapes = begun(tmp_path / "a", tree=GROWING), []
    training.watch.look = lambda row, draw, latents, **more: shapes.append(draw(latents[:2])) or {}
    run(training)
    assert {pictures.shape for pictures in shapes} == {(2, 16, 16, 3)}
    coarse = shapes[0].reshape(2, 8, 2, 8, 2, 3)
    assert (coarse == coarse[:, :, :1, :, :1]).all()


def test_a_critic_tells_no_probabilities(tmp_path, faults):
    tree = {"discriminator": {"norm": "none"}, "loss": "wasserstein", "penalties": {"clip": 0.01}}
    run(begun(tmp_path / "a", tree=tree, epochs=1))
    (line,) = rows(tmp_path / "a")
    assert {"d_loss", "g_loss", "d_gradient"} <= line.keys()
    assert not {"d_accuracy", "d_real", "d_fake"} & line.keys()


def test_d_sits_out_while_it_is_far_ahead_and_a_resumed_training_knows(tmp_path, faults, monkeypatch):
    plans = []
    tree = {"balance": {"skip_above": 0.6}}

    def compiled(state, *, xla=False):
        def step(plan, inputs):
            plans.append(plan.learn)
            faults.done += 1
            return np.full(len(METRICS), 1.0 if plan.learn else 0.0, np.float32)

        return step

    monkeypatch.setattr(module, "compile_step", compiled)
    run(begun(tmp_path / "whole", tree=tree))
    whole, faults.done = plans.copy(), 0
    assert whole[:6] == [True] * 6
    assert not all(whole)
    plans.clear()
    with pytest.raises(Stopped):
        run(begun(tmp_path / "a", tree=tree), should_stop=lambda: faults.done == 7)
    run(begun(tmp_path / "a", tree=tree))
    assert plans == whole
