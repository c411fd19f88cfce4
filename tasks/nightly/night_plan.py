"""The plan of a night: which subjects get their turn, in which order and why; and the running of one turn by it."""

import logging
import sys
from collections.abc import Callable
from datetime import date, datetime, timezone

import psutil
from filelock import FileLock

from pipeline.errors import Stopped, UserError, of_system
from pipeline.night_record import GOES_ON, PLAN, NightPlan, PlannedSubject, Turn
from pipeline.option_types import plain_number
from pipeline.report.night_words import turn_line
from pipeline.store.jsonl import timestamp
from tasks import locks, signals
from tasks.nightly import night_files, night_options, subject_order, subject_turn
from tasks.nightly.night_options import NightlyOptions

LOG = logging.getLogger("ganmill.nightly")
LOG.setLevel(logging.INFO)
BEGAN = datetime.fromtimestamp(psutil.Process().create_time(), timezone.utc)  # this command


def announce(line: str) -> None:
    """Print one line, and log it."""
    print(line, file=sys.stderr, flush=True)
    LOG.info(line)


def check_has_come(night: date) -> None:
    """Raise a `UserError` for a night of a day to come: its turns would be lost to the night of that day."""
    if night > (today := date.today()):
        raise UserError(f"{night}: this night has not come yet; today is {today}")


def subjects(night: date, options: NightlyOptions, *, today: date | None = None) -> list[str]:
    """The subjects of `night`: those of its plan, and until its day is over those that were named since."""
    begun = night_files.plan(night)
    known = [each.name for each in begun.subjects] if begun else []
    named = [] if begun and night < (today or date.today()) else night_options.subject_names(options)
    return list(dict.fromkeys([*known, *named]))


def make_plan(night: date, options: NightlyOptions) -> NightPlan:
    """The plan of `night` as it is, with the subjects that were named since at its end; nothing is written."""
    begun = night_files.plan(night)
    old = begun.subjects if begun else ()
    new = [name for name in subjects(night, options) if name not in {each.name for each in old}]
    added: list[PlannedSubject] = subject_order.plan_order(new, night, read=subject_order.read_facts)
    return NightPlan(began=begun.began if begun else timestamp(), subjects=(*old, *added))


def begin(night: date, options: NightlyOptions) -> NightPlan:
    """Make the plan of `night`, and keep it, so that the order stays when the night goes on after an interruption.

    Errors: `UserError` if it has not come yet.
    """
    check_has_come(night)
    plan = make_plan(night, options)
    if plan != night_files.plan(night):
        night_files.write(night, PLAN, plan)
    return plan


def place(night: date, subject: str) -> int:
    """The place of a subject in the order of the night, from 0."""
    plan = night_files.plan(night)
    names = list(plan.needs()) if plan else []
    return names.index(subject) if subject in names else len(names)


def has_had_turn(night: date, subject: str, options: NightlyOptions) -> bool:
    """Whether the subject has had its turn in `night`, or cannot have one any more."""
    found = night_files.turn(night, subject)
    if found is None:
        return False
    return found.outcome not in GOES_ON or subject_turn.seconds_left(night, options) == 0


def run_turn(night: date, subject: str, options: NightlyOptions) -> None:
    """Give the subject its turn, or note why it has none, and print how it ended. One turn at a time on a machine. What
    the disk does not take is a turn that failed.

    Errors: `Stopped` if this command was asked to stop.
    """
    night_files.ROOT.mkdir(parents=True, exist_ok=True)
    lock = FileLock(night_files.ROOT / ".turn.lock")
    with signals.listening(), locks.acquire(lock, lambda: announce("waits: another night is at work")):
        if signals.should_stop():
            raise Stopped
        for other, left in subject_turn.abandoned(night):  # it may hold what the turn needs
            announce(f"waits: {left} is at work since the night of {other}")
            _give(other, left, options, subject_turn.give_turn)
        if not has_had_turn(night, subject, options):  # another command may have been faster
            _give(night, subject, options, _turn)


def _give(night: date, subject: str, options: NightlyOptions, give: Callable[..., Turn]) -> None:
    plan = night_files.plan(night)
    need = plan.needs().get(subject, "") if plan else ""
    try:
        found = give(night, subject, options, need=need)
    except OSError as error:
        line = str(of_system(error))
        found = night_files.write_turn(night, Turn(subject=subject, need=need, outcome="failed", line=line))
    announce(turn_line(found))


def _turn(night: date, subject: str, options: NightlyOptions, *, need: str) -> Turn:
    other = subject_turn.turn_since(night, subject, command_began=BEGAN)
    if other:
        line = f"had its turn in the night of {other}"
        return subject_turn.skip(night, subject, need=need, outcome="covered", line=line)
    if subject_turn.seconds_left(night, options) == 0:
        line = f"the hours of the night were over: {plain_number(options.hours)} at most"
        return subject_turn.skip(night, subject, need=need, outcome="skipped", line=line)
    return subject_turn.give_turn(night, subject, options, need=need)
