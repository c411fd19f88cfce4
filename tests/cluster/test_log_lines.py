"""What a worker prints is a line for each message, whatever happened and whatever a stranger's machine says."""

import logging

import pytest

from pipeline.cluster.log_lines import LIBRARIES, hand_to_root, print_plain_lines


@pytest.fixture(autouse=True)
def logging_as_before():
    names = [*LIBRARIES, "distributed.worker"]
    before = [(each, each.handlers[:], each.propagate, each.level) for each in map(logging.getLogger, names)]
    yield
    for logger, handlers, propagate, level in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def printed(capsys, name: str, message: str, error: Exception | None = None) -> list[str]:
    logging.getLogger(name).error(message, exc_info=error)
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("name", ["distributed.worker", "tornado.application", "asyncio"])
def test_an_error_is_one_line_without_a_traceback(capsys, name):
    print_plain_lines()
    (line,) = printed(capsys, name, "Compute failed\nKey: a", OSError("\x1b[2Jno route"))
    assert line.endswith(" error: Compute failed Key: a:  [2Jno route")


def test_a_message_that_has_the_error_does_not_repeat_it(capsys):
    print_plain_lines()
    (line,) = printed(capsys, "distributed.core", "no route", OSError("no route"))
    assert line.endswith(" error: no route")


def test_a_long_message_is_cut(capsys):
    print_plain_lines()
    (line,) = printed(capsys, "distributed.worker", "a" * 5000)
    assert len(line) < 400


def test_a_logger_with_a_handler_of_its_own_prints_once(capsys):
    own = logging.getLogger("distributed.worker")
    own.handlers, own.propagate = [logging.StreamHandler()], False
    print_plain_lines()
    assert len(printed(capsys, "distributed.worker", "once")) == 1


def test_debugging_leaves_the_log_as_dask_has_it(capsys):
    logger = logging.getLogger("distributed")
    logger.setLevel(logging.DEBUG)
    handlers = logger.handlers[:]
    print_plain_lines()
    assert logger.handlers == handlers


def test_a_run_has_the_messages_in_its_own_log(capsys, caplog):
    print_plain_lines()
    hand_to_root()
    assert printed(capsys, "distributed.client", "lost") == []
    assert caplog.messages == ["lost"]
