"""The errors that a user may meet, and the one sign that a run was asked to stop.

Exception
├── UserError        a mistake or a lack that the user can mend; its text is the one line they see
│   └── DamagedState   something on disk is not what was written; names it and the way out
└── Stopped          SIGINT or SIGTERM came; what was done so far is kept, the next run goes on
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What the system refuses for reasons that the user can mend, and how
ADVICE = {
    errno.ENOSPC: "free some space and run again, for example with `python -m tasks gc`",
    errno.EDQUOT: "free some space and run again, for example with `python -m tasks gc`",
    errno.EFBIG: "free some space, or raise the limit on the size of a file (ulimit -f)",
    errno.EROFS: "make the disk writable, or choose another place",
    errno.EACCES: "give this user the right to read and write there",
    errno.EPERM: "give this user the right to read and write there",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "the disk may be failing: check it, and restore what it lost",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs: the system has too many files open",
    errno.ENOTDIR: "there is a file where a folder is needed: move it away",
    errno.EISDIR: "there is a folder where a file is needed: move it away",
    errno.EEXIST: "something else is there already: move it away",
    errno.ELOOP: "the links there lead in a circle: remove one of them",
}


class UserError(Exception):
    """One clear line: what was wrong, where, and what to do. Shown without a traceback."""


class DamagedState(UserError):
    """A file of a finished stage, or a line of the label log, is missing or not what was written."""


class Stopped(Exception):
    """The run was asked to stop and did so at a point from which the next run goes on."""


def is_for_the_user(error: OSError) -> bool:
    """Whether `error` is a refusal of the system that the user can mend, and no fault of this program."""
    return error.errno in ADVICE


def of_system(error: OSError, place: object = "") -> UserError:
    """`error` as the one line that a user sees; `place` stands in for a path that it does not name."""
    where = error.filename2 or error.filename or place  # of a copy or a renaming the target
    what = error.strerror or str(error) or type(error).__name__
    advice = f"; {ADVICE[error.errno]}" if error.errno in ADVICE else ""
    return UserError(f"{where}: {what}{advice}" if where else f"{what}{advice}")


@contextmanager
def disk_faults(place: Path) -> Iterator[None]:
    """A disk that is full or may not be written to is for the user to mend, and no fault of this program."""
    try:
        yield
    except OSError as error:
        if not is_for_the_user(error):
            raise
        raise of_system(error, place) from error
