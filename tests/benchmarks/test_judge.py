from dataclasses import replace

import numpy as np
import pytest

from benchmarks.judge import NOISE, blurs, conditions, halves, noises, rank
from pipeline.gan.evaluation.metrics import Scores

LOOKS = ["step200", "step500"]
KIDS = {"step200": 2.0, "step500": 1.0, "reals": 0.0, "blur 1 px": 0.5, "blur 2 px": 1.5, "blur 4 px": 3.0}


def scored(kids, precision=0.0):
    every = {**kids, **dict.fromkeys(NOISE, 9.0)}
    return {kind: Scores(kid=kid, kid_error=0.01, kid_floor=0.0, precision=precision) for kind, kid in every.items()}


def test_a_judge_that_agrees_with_the_network_meets_all_conditions():
    assert all(conditions(scored(KIDS), scored(KIDS), LOOKS).values())
    assert rank(scored(KIDS), scored(KIDS), LOOKS) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        ({"step500": 2.1}, "looks fall"),
        ({"uniform noise": 1.9}, "noise is worse"),
        ({"blur 1 px": -0.1}, "blur raises"),
        ({"blur 4 px": 1.6, "blur 2 px": 2.5}, "rank"),
    ],
)
def test_each_condition_can_fail(change, failed):
    own = scored(KIDS)
    own |= {kind: replace(own[kind], kid=kid) for kind, kid in change.items()}
    broken = [name for name, holds in conditions(own, scored(KIDS), LOOKS).items() if not holds]
    assert any(name.startswith(failed) for name in broken)


def test_noise_with_precision_fails():
    assert not conditions(scored(KIDS, precision=0.3), scored(KIDS), LOOKS)["precision of noise under 0.05"]


def test_halves_share_no_picture_and_kinds_have_the_shape_of_the_reals():
    reals = np.random.default_rng(0).integers(0, 256, (30, 12, 12, 1)).astype(np.uint8)
    first, second = halves(reals, 15)
    assert len({each.tobytes() for each in (*first, *second)}) == len(first) + len(second) == 30
    for pictures in (*blurs(reals).values(), *noises(reals, 20).values()):
        assert pictures.shape[1:] == reals.shape[1:]
        assert pictures.dtype == np.uint8
