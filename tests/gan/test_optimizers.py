import numpy as np
import pytest

from pipeline.gan.definition import Optimizer
from pipeline.gan.optimizers import FusedAdam, make_optimizer
from pipeline.gan.runtime import keras

STEPS = 6
SHAPES = [(3, 4), (5,), ()]


def walked(make) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Where the variables of an optimizer are after some steps, and what it remembers."""
    draw = np.random.default_rng(1)
    variables = [keras.Variable(draw.standard_normal(shape).astype(np.float32)) for shape in SHAPES]
    optimizer = make(variables)
    for _ in range(STEPS):
        gradients = [keras.ops.convert_to_tensor(draw.standard_normal(shape).astype(np.float32)) for shape in SHAPES]
        optimizer.apply(gradients, variables)
    return [np.asarray(variable) for variable in variables], [np.asarray(variable) for variable in optimizer.variables]


def start() -> list[np.ndarray]:
    draw = np.random.default_rng(1)
    return [draw.standard_normal(shape).astype(np.float32) for shape in SHAPES]


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.5, 0.999), (0.0, 0.9), (0.9, 0.99)])
def test_adam_goes_where_keras_own_goes_and_remembers_the_same(beta_1, beta_2):
    pytest.importorskip("tensorflow")

    def own(variables):
        optimizer = keras.optimizers.Adam(0.01, beta_1=beta_1, beta_2=beta_2)
        optimizer.build(variables)
        return optimizer

    options = Optimizer(learning_rate=0.01, beta_1=beta_1, beta_2=beta_2)
    fused = make_optimizer(options, [keras.Variable(0.0)])
    assert isinstance(fused, FusedAdam)
    for one, other in zip(walked(lambda variables: make_optimizer(options, variables)), walked(own), strict=True):
        assert all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in zip(one, other, strict=True))


def test_adam_is_what_the_paper_says():
    draw, (values, _) = np.random.default_rng(1), walked(
        lambda variables: make_optimizer(Optimizer(learning_rate=0.01, beta_1=0.5, beta_2=0.9), variables)
    )  # fmt: skip
    expected = [draw.standard_normal(shape).astype(np.float32).astype(float) for shape in SHAPES]
    m, v = [np.zeros(shape) for shape in SHAPES], [np.zeros(shape) for shape in SHAPES]
    for t in range(1, STEPS + 1):
        for place, shape in enumerate(SHAPES):
            g = draw.standard_normal(shape).astype(np.float32).astype(float)
            m[place] = 0.5 * m[place] + 0.5 * g
            v[place] = 0.9 * v[place] + 0.1 * g**2
            step = (m[place] / (1 - 0.5**t)) / (np.sqrt(v[place] / (1 - 0.9**t)) + 1e-7)
            expected[place] = expected[place] - 0.01 * step
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(values, expected, strict=True))


def test_rmsprop_divides_by_the_mean_square_of_the_gradients():
    draw, (values, _) = np.random.default_rng(1), walked(
        lambda variables: make_optimizer(Optimizer(name="rmsprop", learning_rate=0.01, beta_2=0.9), variables)
    )  # fmt: skip
    expected, v = [draw.standard_normal(shape).astype(np.float32) for shape in SHAPES], [0.0, 0.0, 0.0]
    for _ in range(STEPS):
        for place, shape in enumerate(SHAPES):
            g = draw.standard_normal(shape).astype(np.float32)
            v[place] = 0.9 * v[place] + 0.1 * g**2
            expected[place] = expected[place] - 0.01 * g / np.sqrt(v[place] + 1e-7)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(values, expected, strict=True))


def test_descent_has_a_momentum():
    draw, (values, _) = np.random.default_rng(1), walked(
        lambda variables: make_optimizer(Optimizer(name="sgd", learning_rate=0.01, beta_1=0.5), variables)
    )  # fmt: skip
    expected, speed = [draw.standard_normal(shape).astype(np.float32) for shape in SHAPES], [0.0, 0.0, 0.0]
    for _ in range(STEPS):
        for place, shape in enumerate(SHAPES):
            speed[place] = 0.5 * speed[place] - 0.01 * draw.standard_normal(shape).astype(np.float32)
            expected[place] = expected[place] + speed[place]
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(values, expected, strict=True))


def test_a_rate_that_is_set_later_counts():
    variable = keras.Variable(1.0)
    optimizer = make_optimizer(Optimizer(), [variable])
    optimizer.learning_rate.assign(0.25)
    optimizer.apply([keras.ops.convert_to_tensor(3.0)], [variable])
    assert float(variable.numpy()) == pytest.approx(0.75, abs=1e-4)
