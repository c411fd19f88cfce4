"""What schedulers and workers print about their own state: a plain line for each message, without tracebacks.

The run that asked for work is told why it failed, with the traceback of a defect. If the environment has
`DASK_LOGGING__DISTRIBUTED=debug`, everything is printed as Dask has it.
"""

import logging

from pipeline.text import error_line, to_plain_line

LIBRARIES = ("distributed", "tornado", "asyncio")  # that take part in the work of a cluster
LONGEST = 300  # characters of a line


class OneLine(logging.Formatter):
    """The time, the level and the message of a record; of an error that it has, the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`, without control characters, as parts of it may come from other machines."""
        text = record.getMessage()
        if record.exc_info and (error := record.exc_info[1]) and str(error) not in text:
            text += f": {error_line(error, LONGEST)}"
        return f"{self.formatTime(record)} {record.levelname.lower()}: {to_plain_line(text, LONGEST)}"


def print_plain_lines() -> None:
    """Print the warnings and errors of Dask and its libraries so, on standard error; `distributed` must be imported."""
    if logging.getLogger("distributed").isEnabledFor(logging.DEBUG):
        return
    hand_to_root()
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(OneLine(datefmt="%Y-%m-%d %H:%M:%S"))
    for name in LIBRARIES:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False


def hand_to_root() -> None:
    """Let the handlers of the root logger have what Dask and its libraries log, instead of handlers of their own."""
    for name, logger in logging.Logger.manager.loggerDict.items():
        if isinstance(logger, logging.Logger) and name.split(".")[0] in LIBRARIES:
            logger.handlers.clear()
            logger.propagate = True
