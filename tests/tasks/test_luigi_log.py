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
def test_what_a_person_can_mend_is_one_line(error, expected):
    (line,) = printed("failed", error).splitlines()
    assert line.startswith(expected)


def test_a_fault_of_ours_keeps_its_traceback():
    assert "KeyError" in printed("failed", KeyError("surprise"))
    assert len(printed("failed", StageCrashed("Traceback:\nKeyError: 1")).splitlines()) == 3


def test_an_end_has_no_face():
    assert printed("\nThis progress looks :( because there were failed tasks\n").strip() == (
        "Not finished: there were failed tasks"
    )


def test_luigis_own_command_has_our_worker():
    assert luigi.interface._WorkerSchedulerFactory is Factory
