from collections.abc import Iterator

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.config import Optimizer
from pipeline.gan.training.state import FusedAdam, make_optimizer

STEPS = 6
SHAPES = [(3, 4), (5,), ()]


def random_values() -> Iterator[list[np.ndarray]]:
    """Initial values of the variables, then the gradients of each step."""
    draw = np.random.default_rng(1)
    while True:
        yield [draw.standard_normal(shape).astype(np.float32) for shape in SHAPES]


def run_optimizer(make) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The variables after some steps, and the optimizer's variables."""
    draws = random_values()
    variables = [keras.Variable(value) for value in next(draws)]
    optimizer = make(variables)
    for _ in range(STEPS):
        optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in next(draws)], variables)
    return [np.asarray(variable) for variable in variables], [np.asarray(variable) for variable in optimizer.variables]


def adam(g: np.ndarray, memory: np.ndarray, step: int) -> np.ndarray:
    """Kingma and Ba 2015, algorithm 1, with betas 0.5 and 0.9."""
    memory[0] = 0.5 * memory[0] + 0.5 * g
    memory[1] = 0.9 * memory[1] + 0.1 * g**2
    return -0.01 * (memory[0] / (1 - 0.5**step)) / (np.sqrt(memory[1] / (1 - 0.9**step)) + 1e-7)


def rmsprop(g: np.ndarray, memory: np.ndarray, step: int) -> np.ndarray:
    """The gradient over the root of its mean square."""
    memory[0] = 0.9 * memory[0] + 0.1 * g**2
    return -0.01 * g / np.sqrt(memory[0] + 1e-7)


def descent(g: np.ndarray, memory: np.ndarray, step: int) -> np.ndarray:
    """Gradient descent with a momentum of 0.5."""
    memory[0] = 0.5 * memory[0] - 0.01 * g
    return memory[0]


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.5, 0.999), (0.0, 0.9), (0.9, 0.99)])
def test_fused_adam_equals_keras_adam(beta_1, beta_2):
    pytest.importorskip("tensorflow")

    def own(variables):
        optimizer = keras.optimizers.Adam(0.01, beta_1=beta_1, beta_2=beta_2)
        optimizer.build(variables)
        return optimizer

    options = Optimizer(learning_rate=0.01, beta_1=beta_1, beta_2=beta_2)
    fused = make_optimizer(options, [keras.Variable(0.0)])
    assert isinstance(fused, FusedAdam)
    for one, other in zip(
        run_optimizer(lambda variables: make_optimizer(options, variables)), run_optimizer(own), strict=True
    ):
        assert all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"name": "adam", "beta_2": 0.9}, adam),
        ({"name": "rmsprop", "beta_2": 0.9}, rmsprop),
        ({"name": "sgd"}, descent),
    ],
)
def test_optimizers_follow_their_formulas(options, rule):
    options = Optimizer(learning_rate=0.01, **options)
    values, _ = run_optimizer(lambda variables: make_optimizer(options, variables))
    draws = random_values()
    expected = [value.astype(float) for value in next(draws)]
    memories = [np.zeros((2, *shape)) for shape in SHAPES]
    for step in range(1, STEPS + 1):
        for index, g in enumerate(next(draws)):
            expected[index] = expected[index] + rule(g.astype(float), memories[index], step)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(values, expected, strict=True))


def test_learning_rate_can_be_changed_later():
    variable = keras.Variable(1.0)
    optimizer = make_optimizer(Optimizer(), [variable])
    optimizer.learning_rate.assign(0.25)
    optimizer.apply([keras.ops.convert_to_tensor(3.0)], [variable])
    assert float(variable.numpy()) == pytest.approx(0.75, abs=1e-4)
