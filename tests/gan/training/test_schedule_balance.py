import pytest

from pipeline.gan.config import Balance
from pipeline.gan.training.schedule import AVERAGED_STEPS, AccuracyAverage


def test_discriminator_always_learns_without_skip_above():
    average = AccuracyAverage(Balance())
    for _ in range(500):
        average.update(1.0)
    assert average.learns


def test_discriminator_skips_while_its_average_accuracy_is_too_high():
    average, steps = AccuracyAverage(Balance(skip_above=0.9)), 0
    while average.learns:
        average.update(1.0)
        steps += 1
    assert AVERAGED_STEPS < steps < 3 * AVERAGED_STEPS  # one good step does not count
    average.update(0.5)
    assert average.learns


def test_accuracy_average_is_over_thirty_steps():
    average = AccuracyAverage(Balance())
    for _ in range(AVERAGED_STEPS):
        average.update(1.0)
    assert average.accuracy == pytest.approx(1 - 0.5 * (1 - 1 / AVERAGED_STEPS) ** AVERAGED_STEPS)
