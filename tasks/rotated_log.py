"""The logs of processes that work for months: each begins anew at a size, and a few older ones stay beside it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path

STUDIO, NIGHTLY = (Path("data") / ".logs" / f"{name}.log" for name in ("studio", "nightly"))
MAX_BYTES, OLDER = 5_000_000, 5  # of each file; how many older ones stay
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class RotatedLog(RotatingFileHandler):
    """A log file that begins anew when it is large; lines that a full disk does not take are lost."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out."""

    def close(self) -> None:
        """Close the file; what a full disk did not take is lost."""
        with suppress(OSError):
            super().close()


def rotated(path: Path) -> logging.Handler:
    """The log in the file `path`; one that keeps nothing if nobody can write there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = RotatedLog(path, maxBytes=MAX_BYTES, backupCount=OLDER, encoding="utf-8")
    except OSError:
        return logging.NullHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


@contextmanager
def logging_to(path: Path, *loggers: str) -> Iterator[None]:
    """Send what `loggers` log, or everything without them, to the file `path` until the block ends."""
    handler = rotated(path)
    chosen = [logging.getLogger(each) for each in loggers or ("",)]
    for logger in chosen:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in chosen:
            logger.removeHandler(handler)
        handler.close()
