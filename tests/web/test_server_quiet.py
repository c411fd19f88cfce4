"""Log lines of one kind appear once a minute."""

import logging

import pytest

from pipeline.web.server import LOG_INTERVAL, RepeatedLineFilter


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lines_logged():
    """A logger with the filter, its clock, and the lines that it wrote."""
    lines, clock = [], Clock()
    logger = logging.Logger("of this test")
    logger.addFilter(RepeatedLineFilter(clock=clock))
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    return logger, clock, lines


def test_repeated_log_line_appears_once_a_minute_with_its_count(lines_logged):
    logger, clock, lines = lines_logged
    for number in range(1000):
        if number == 999:
            clock.now += LOG_INTERVAL
        logger.warning("bad request %d", number)
    assert lines == ["bad request 0", "bad request 999 (and 998 times since the last line)"]


def test_log_line_with_another_exception_appears(lines_logged):
    logger, _, lines = lines_logged
    for error in (ValueError("a"), KeyError("b"), ValueError("c")):
        try:
            raise error
        except Exception:
            logger.exception("fault")
    assert lines == ["fault", "fault"]
