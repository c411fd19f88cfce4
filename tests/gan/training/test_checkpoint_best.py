"""Which of a training's generators is kept."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import Stopped
from pipeline.gan.training import loop as module
from pipeline.gan.training.checkpoint import BEST, read_arrays
from pipeline.gan.training.loop import CHECKPOINTS
from pipeline.gan.training.observer import NullObserver
from tests.gan.loop import GROWING, STEPS, assert_same, begun, run


class Scored(NullObserver):
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


def test_of_a_growing_gan_the_best_of_full_size_is_kept(tmp_path, faults):
    run(begun(tmp_path / "a", watch=Scored([1.0, 2.0, 4.0, 3.0]), tree=GROWING))
    assert kept(tmp_path / "a") == (4, 3.0)
