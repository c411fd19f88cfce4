import pytest

from pipeline.gan.config import Balance
from pipeline.gan.training.schedule import MEMORY, AccuracyAverage


def test_without_a_bound_d_always_learns():
    lead = AccuracyAverage(Balance())
    for _ in range(500):
        lead.saw(1.0)
    assert lead.learns


def test_d_sits_out_once_it_has_been_far_ahead_for_a_while_and_learns_again_when_it_is_not():
    lead, until = AccuracyAverage(Balance(skip_above=0.9)), 0
    while lead.learns:
        lead.saw(1.0)
        until += 1
    assert MEMORY < until < 3 * MEMORY  # one good step does not count
    lead.saw(0.5)
    assert lead.learns


def test_the_average_is_over_about_thirty_steps():
    lead = AccuracyAverage(Balance())
    for _ in range(MEMORY):
        lead.saw(1.0)
    assert lead.accuracy == pytest.approx(1 - 0.5 * (1 - 1 / MEMORY) ** MEMORY)
