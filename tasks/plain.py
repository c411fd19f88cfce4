"""A user's mistake as one line in Luigi's own log, where it would print a traceback."""

import logging

from pipeline.errors import Stopped, UserError


class OneLine(logging.Filter):
    """Cuts a traceback that ends in a `UserError` or `Stopped` down to what that says."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true: nothing is left out but the traceback."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, UserError | Stopped):
            record.msg, record.args, record.exc_info = f"{record.getMessage()}: {error}", None, None
        record.msg, record.args = _cut(record.getMessage()), None
        return True


def _cut(text: str) -> str:
    head, mark, tail = text.partition("Traceback (most recent call last):")
    last = tail.strip().splitlines()[-1] if tail.strip() else ""
    if not mark or not last.startswith("pipeline.errors."):
        return text
    return f"{head.strip()} {last.partition(': ')[2]}"


def install() -> None:
    """Hang the filter into Luigi's logger; once is enough."""
    logger = logging.getLogger("luigi-interface")
    if not any(isinstance(each, OneLine) for each in logger.filters):
        logger.addFilter(OneLine())
