"""Adam against its formulas, and L-BFGS in segments, on a function whose minimum is known."""

import numpy as np
import pytest

from pipeline.style.descent import BETA1, BETA2, EPSILON, SEGMENT, Adam, Lbfgs
from pipeline.style.objective import Value

WANTED = np.linspace(-0.2, 1.2, 48, dtype=np.float32).reshape(4, 4, 3)  # outside [0, 1] at both ends
START = np.full_like(WANTED, 0.5)
SCALE = np.linspace(1, 20, 48, dtype=np.float32).reshape(WANTED.shape)


def bowl(picture, number):
    """A sum of squares, steeper for some pixels, with its minimum at WANTED."""
    gap = picture - WANTED
    return Value(total=float((SCALE * gap**2).sum()), content=0, style=0, variation=0, gradient=2 * SCALE * gap)


def ignore(number, picture, value):
    pass


def test_adam_takes_the_steps_of_its_paper():
    picture, mean, square = START.astype(np.float64), 0.0, 0.0
    for number in range(1, 8):
        gradient = bowl(picture, number).gradient
        mean, square = BETA1 * mean + (1 - BETA1) * gradient, BETA2 * square + (1 - BETA2) * gradient**2
        picture = picture - 0.05 * (mean / (1 - BETA1**number)) / (np.sqrt(square / (1 - BETA2**number)) + EPSILON)
        picture = picture.clip(0, 1)
    adam = Adam(bowl, learning_rate=0.05, steps=10)
    found = adam.advance(adam.start(START), 0, 7, ignore)
    np.testing.assert_allclose(found["picture"], picture, atol=1e-5)


def test_adams_last_steps_are_smaller():
    adam = Adam(lambda picture, number: bowl(picture * 0 - 9, number), learning_rate=0.01, steps=10)
    seen = []
    adam.advance(adam.start(START), 0, 10, lambda number, picture, value: seen.append(float(picture.mean())))
    steps = np.diff(seen)
    assert steps[0] == pytest.approx(0.01, rel=0.05)
    assert steps[-1] == pytest.approx(0.003, rel=0.05)


@pytest.mark.parametrize("descent", [Adam(bowl, learning_rate=0.05, steps=150), Lbfgs(bowl)], ids=["adam", "lbfgs"])
def test_the_minimum_within_the_bounds_is_found(descent):
    state, done = descent.start(START), 0
    while done < 150:
        state = descent.advance(state, done, descent.segment, ignore)
        done += descent.segment
    np.testing.assert_allclose(state["picture"], WANTED.clip(0, 1), atol=0.01)


@pytest.mark.parametrize("descent", [Adam(bowl, learning_rate=0.02, steps=40), Lbfgs(bowl)], ids=["adam", "lbfgs"])
def test_going_on_from_a_state_gives_the_same_bits(descent):
    state, states = descent.start(START), []
    for done in range(0, 2 * SEGMENT, descent.segment):
        state = descent.advance(state, done, descent.segment, ignore)
        states.append({name: array.copy() for name, array in state.items()})
    middle = len(states) // 2
    again = states[middle - 1]
    for done in range(middle * descent.segment, 2 * SEGMENT, descent.segment):
        again = descent.advance(again, done, descent.segment, ignore)
    assert {name: array.tobytes() for name, array in again.items()} == {
        name: array.tobytes() for name, array in states[-1].items()
    }


def test_lbfgs_reports_each_step_with_its_losses():
    seen = []
    lbfgs = Lbfgs(bowl)
    lbfgs.advance(lbfgs.start(START), 10, 5, lambda number, picture, value: seen.append((number, picture, value)))
    assert [number for number, _, _ in seen] == [11, 12, 13, 14, 15]
    totals = [value.total for _, _, value in seen]
    assert totals == sorted(totals, reverse=True)
    assert totals[-1] == pytest.approx(bowl(seen[-1][1], 0).total, rel=1e-3)
