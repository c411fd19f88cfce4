"""Makes Luigi's own command print one line instead of a traceback for errors that a user can fix.

A luigid that dies and a process that is killed are reported as `python -m tasks` reports them.
"""

import logging

import luigi
from luigi.rpc import RPCError

from pipeline.errors import Stopped, UserError
from tasks.isolation import StageCrashed
from tasks.runner import Factory

TOLD = (UserError, Stopped, RPCError)  # their text is enough for a user
SMILEY = "This progress looks :( because "


class OneLine(logging.Filter):
    """Replaces the traceback of an error of `TOLD`, or of a process that died, by the text of the error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: only the traceback is removed."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TOLD) or (isinstance(error, StageCrashed) and "\n" not in str(error).strip()):
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {_describe(error)}", None, None
        record.msg, record.args = _cut(record.getMessage()), None
        return True


def _describe(error: BaseException) -> str:
    return f"luigid does not answer ({error}); what is made is kept" if isinstance(error, RPCError) else str(error)


def _cut(text: str) -> str:
    text = text.replace(SMILEY, "Not finished: ")
    head, mark, tail = text.partition("Traceback (most recent call last):")
    last = tail.strip().splitlines()[-1] if tail.strip() else ""
    if not mark or not last.startswith("pipeline.errors."):
        return text
    return f"{head.strip()} {last.partition(': ')[2]}"


def install() -> None:
    """Add the filter to Luigi's logger and give Luigi this project's worker. May be called more than once."""
    luigi.interface._WorkerSchedulerFactory = Factory  # type: ignore[misc, assignment]  # Luigi calls the class of this name
    logger = logging.getLogger("luigi-interface")
    if not any(isinstance(each, OneLine) for each in logger.filters):
        logger.addFilter(OneLine())
