"""The errors that a user may meet, and the one sign that a run was asked to stop.

Exception
├── UserError        a mistake or a lack that the user can mend; its text is the one line they see
│   └── DamagedState   something on disk is not what was written; names it and the way out
└── Stopped          SIGINT or SIGTERM came; what was done so far is kept, the next run goes on
"""


class UserError(Exception):
    """One clear line: what was wrong, where, and what to do. Shown without a traceback."""


class DamagedState(UserError):
    """A file of a finished stage, or a line of the label log, is missing or not what was written."""


class Stopped(Exception):
    """The run was asked to stop and did so at a point from which the next run goes on."""
