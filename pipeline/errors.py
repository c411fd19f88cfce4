"""The errors that users see, and the exception of a requested stop.

Exception
├── UserError        a mistake or a condition that the user can fix; its text is the one line they see
│   ├── DamagedState   a file on disk is not what was written; names it and the command that makes it again
│   └── NextStep       the run has done what it can until the user does something: an expected stop, no failure
└── Stopped          SIGINT or SIGTERM was received; finished work is kept, and the next run resumes
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Errors of the operating system that the user can fix, and how
ADVICE = {
    errno.ENOSPC: "free some space and run again, for example with `python -m tasks gc --keep 1`",
    errno.EDQUOT: "free some space and run again, for example with `python -m tasks gc --keep 1`",
    errno.EFBIG: "free some space, or raise the limit on the size of a file (ulimit -f)",
    errno.EROFS: "make the disk writable, or choose another folder",
    errno.EACCES: "give this user the right to read and write there",
    errno.EPERM: "give this user the right to read and write there",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "the disk may be failing: check it, and restore the lost files",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "close other programs: the system has too many files open",
    errno.ENOTDIR: "there is a file where a folder is needed: move it away",
    errno.EISDIR: "there is a folder where a file is needed: move it away",
    errno.EEXIST: "something else is there already: move it away",
    errno.ELOOP: "the links there form a loop: remove one of them",
}


class UserError(Exception):
    """One clear line: what is wrong, where, and what to do. Shown without a traceback."""


class DamagedState(UserError):
    """A file of a finished stage, or a line of the label log, is missing or changed."""


class NextStep(UserError):
    """What the user does next, so that the run can go on: "label 30 on target and 50 off target: …"."""


class Stopped(Exception):
    """The run was asked to stop, and stopped at a point from which the next run resumes."""


def is_for_the_user(error: OSError) -> bool:
    """Whether `error` is one that the user can fix, so not a defect of this program."""
    return error.errno in ADVICE


def of_system(error: OSError, path: object = "") -> UserError:
    """Convert `error` to the one line that a user sees; `path` is used if the error names no path."""
    where = error.filename2 or error.filename or path  # filename2 is the target of a copy or rename
    what = error.strerror or str(error) or type(error).__name__
    advice = f"; {ADVICE[error.errno]}" if error.errno in ADVICE else ""
    return UserError(f"{where}: {what}{advice}" if where else f"{what}{advice}")


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """A full disk, or one without the right to write, becomes a `UserError`: it is no fault of this program."""
    try:
        yield
    except OSError as error:
        if not is_for_the_user(error):
            raise
        raise of_system(error, path) from error
