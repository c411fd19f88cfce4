"""What Luigi's own command prints."""

import logging

import luigi
import pytest
from luigi.rpc import RPCError

from pipeline.errors import UserError
from tasks import luigi_log
from tasks.isolation import StageCrashed
from tasks.runner import Factory


def printed(message: str, error: BaseException | None = None) -> str:
    """A record as the console shows it."""
    fault = (type(error), error, None) if error else None
    record = logging.LogRecord("luigi-interface", logging.ERROR, "", 0, message, None, fault)
    assert luigi_log.OneLine().filter(record)
    return logging.Formatter().format(record)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (UserError("too few labels"), "failed: too few labels"),
        (StageCrashed("its process was ended by signal 9"), "failed: its process was ended by signal 9"),
        (RPCError("Connection refused"), "failed: luigid does not answer (Connection refused)"),
    ],
)
def test_luigi_log_shows_one_line_for_an_error_that_a_user_can_fix(error, expected):
    (line,) = printed("failed", error).splitlines()
    assert line.startswith(expected)


def test_luigi_log_keeps_the_traceback_of_a_fault_of_this_program():
    assert "KeyError" in printed("failed", KeyError("surprise"))
    assert len(printed("failed", StageCrashed("Traceback:\nKeyError: 1")).splitlines()) == 3


def test_luigi_log_removes_the_smiley():
    assert printed("\nThis progress looks :( because there were failed tasks\n").strip() == (
        "Not finished: there were failed tasks"
    )


def test_install_gives_luigi_the_worker_of_this_project():
    assert luigi.interface._WorkerSchedulerFactory is Factory
