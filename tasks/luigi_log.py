"""Luigi's own command with this project's manners: one line where it would print a traceback, and a luigid that dies or
a process that is killed told as `python -m tasks` tells it."""

import logging

import luigi
from luigi.rpc import RPCError

from pipeline.errors import Stopped, UserError
from tasks.isolation import StageCrashed
from tasks.runner import Factory

TOLD = (UserError, Stopped, RPCError)  # what they say is what a person needs
FACE = "This progress looks :( because "


class OneLine(logging.Filter):
    """Cuts a traceback that ends in an error of `TOLD`, or in a process that died, down to what that says."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: nothing is left out but the traceback."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, TOLD) or (isinstance(error, StageCrashed) and "\n" not in str(error).strip()):
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {_said(error)}", None, None
        record.msg, record.args = _cut(record.getMessage()), None
        return True


def _said(error: BaseException) -> str:
    return f"luigid does not answer ({error}); what is made is kept" if isinstance(error, RPCError) else str(error)


def _cut(text: str) -> str:
    text = text.replace(FACE, "Not finished: ")
    head, mark, tail = text.partition("Traceback (most recent call last):")
    last = tail.strip().splitlines()[-1] if tail.strip() else ""
    if not mark or not last.startswith("pipeline.errors."):
        return text
    return f"{head.strip()} {last.partition(': ')[2]}"


def install() -> None:
    """Hang the filter into Luigi's logger, and our worker into Luigi; once is enough."""
    luigi.interface._WorkerSchedulerFactory = Factory  # type: ignore[misc, assignment]  # Luigi makes them by this name
    logger = logging.getLogger("luigi-interface")
    if not any(isinstance(each, OneLine) for each in logger.filters):
        logger.addFilter(OneLine())
