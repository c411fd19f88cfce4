"""The best checkpoint of a training: which generator is kept."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import Stopped
from pipeline.gan.training import loop as module
from pipeline.gan.training.checkpoint import BEST, read_arrays
from pipeline.gan.training.loop import CHECKPOINTS
from pipeline.gan.training.null_observer import NullObserver
from tests.gan.fake_steps import GROWING, STEPS, assert_same, make_trainer, run


class ScriptedObserver(NullObserver):
    """An observer that returns given KIDs by epoch."""

    def __init__(self, kids, extractor="eyes"):
        super().__init__()
        self.kids, self.evaluated, self.extractor = dict(enumerate(kids, 1)), [], extractor

    def evaluate(self, row, draw, *, latents, seed, classes):
        self.evaluated.append(row["epoch"])
        return {"kid": self.kids[row["epoch"]], "kid_error": 0.1, "extractor": self.extractor}


def read_best(folder: Path) -> tuple[int, float]:
    found = read_arrays(folder / BEST)
    return int(found["epoch"]), float(found["kid"])


def test_best_checkpoint_is_the_average_of_the_lowest_kid(tmp_path, fake_steps):
    observer, averages = ScriptedObserver([3.0, 1.0, 2.0, 1.0]), {}
    training = make_trainer(tmp_path / "a", observer=observer)
    observer.update_plots = lambda rows, last: averages.update({rows[-1]["epoch"]: training.state.arrays()})
    run(training)
    assert read_best(tmp_path / "a") == (2, 1.0)  # the first of two equal KIDs
    best = training.best.weights()
    assert best.keys() == {name for name in averages[2] if name.startswith("average/")}
    assert all(np.array_equal(best[name], averages[2][name]) for name in best)


def test_best_checkpoint_of_another_extractor_is_replaced(tmp_path, fake_steps):
    with pytest.raises(Stopped):
        run(
            make_trainer(tmp_path / "a", observer=ScriptedObserver([1.0] * 4)),
            should_stop=lambda: fake_steps.done >= 2 * STEPS,
        )
    run(make_trainer(tmp_path / "a", observer=ScriptedObserver([9.0, 9.0, 8.0, 7.0], extractor="others")))
    assert read_best(tmp_path / "a") == (4, 7.0)


def test_resume_after_kill_between_best_and_checkpoint_is_bit_identical(tmp_path, fake_steps, monkeypatch):
    kids = [3.0, 2.0, 1.0, 4.0]
    whole = run(make_trainer(tmp_path / "whole", observer=ScriptedObserver(kids), checkpoint_every=100))
    fake_steps.done = 0

    class Killed(BaseException):
        """A fake SIGKILL."""

    really = module.save_checkpoint

    def save(folder, step, arrays):
        if step == 3 * STEPS:
            raise Killed
        really(folder, step, arrays)

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_checkpoint", save)
        killed = make_trainer(tmp_path / "a", observer=ScriptedObserver(kids), checkpoint_every=100)
        with pytest.raises(Killed):
            run(killed)
    assert read_best(tmp_path / "a") == (3, 1.0)
    resumed = make_trainer(tmp_path / "a", observer=ScriptedObserver(kids), checkpoint_every=100)
    assert resumed.epoch == 2
    assert_same(run(resumed), whole)
    one, other = (read_arrays(tmp_path / name / BEST) for name in ("a", "whole"))
    assert all(np.array_equal(one[name], other[name]) for name in other)


def test_samples_of_nan_weights_are_not_scored_and_the_best_stays(tmp_path, fake_steps):
    fake_steps.nan_weights = (3 * STEPS - 1,)  # the last step before samples are scored
    observer = ScriptedObserver([3.0, 2.0, 5.0, 4.0])
    training = run(make_trainer(tmp_path / "a", observer=observer))
    assert observer.evaluated == [1, 2, 3, 4]
    assert read_best(tmp_path / "a") == (2, 2.0)
    assert all(np.isfinite(array).all() for array in training.best.weights().values())


def test_best_of_a_lost_training_is_dropped(tmp_path, fake_steps):
    run(make_trainer(tmp_path / "a", observer=ScriptedObserver([1.0, 2.0, 3.0, 4.0])))
    for path in (tmp_path / "a" / CHECKPOINTS).iterdir():
        path.unlink()
    run(make_trainer(tmp_path / "a", observer=ScriptedObserver([4.0, 3.0, 2.0, 5.0])))
    assert read_best(tmp_path / "a") == (3, 2.0)


def test_best_of_a_growing_gan_is_at_full_size(tmp_path, fake_steps):
    run(make_trainer(tmp_path / "a", observer=ScriptedObserver([1.0, 2.0, 4.0, 3.0]), tree=GROWING))
    assert read_best(tmp_path / "a") == (4, 3.0)
