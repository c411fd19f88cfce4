"""Lines of one kind once a minute."""

import logging

import pytest

from pipeline.web.server import EVERY, Seldom


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said():
    """A logger that writes seldom, its clock, and what it wrote."""
    lines, clock = [], Clock()
    logger = logging.Logger("of this test")
    logger.addFilter(Seldom(clock=clock))
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    return logger, clock, lines


def test_a_line_is_said_once_a_minute_with_how_often_it_came(said):
    logger, clock, lines = said
    for number in range(1000):
        if number == 999:
            clock.now += EVERY
        logger.warning("bad request %d", number)
    assert lines == ["bad request 0", "bad request 999 (and 998 times since the last line)"]


def test_another_fault_at_the_same_place_is_said(said):
    logger, _, lines = said
    for error in (ValueError("a"), KeyError("b"), ValueError("c")):
        try:
            raise error
        except Exception:
            logger.exception("fault")
    assert lines == ["fault", "fault"]
