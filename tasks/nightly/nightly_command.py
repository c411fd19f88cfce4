"""The command `nightly`: every subject gets its turn, and the morning has a page, a mail and a webhook."""

import shlex
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import luigi
from luigi import configuration

from pipeline.errors import UserError
from pipeline.night_record import PAGE
from pipeline.option_types import as_json, expected
from pipeline.report.night_words import size_words, title
from pipeline.text import counted
from tasks import luigid, rotated_log, runner, signals
from tasks.nightly import morning, night_files, night_lock, night_news, night_options, night_plan
from tasks.nightly.night_options import NightlyOptions
from tasks.nightly.night_plan import announce
from tasks.nightly.night_tasks import MissedNights, Night

MOST_MISSED = 100  # days
EXITS = {"done": 0, "failed": runner.EXIT_FAILED, "next": runner.EXIT_NEXT}


def nightly(arguments: Namespace) -> int:
    """Run a night, or go on with one; returns 0, 1 if a subject failed, 3 if one asks for something, 130 if stopped."""
    flags = {name: text for name, text in vars(arguments).items() if name in NightlyOptions.model_fields}
    options = night_options.resolve(flags)
    night = _night(arguments)
    _check_missed(arguments.missed)
    if arguments.dry_run:
        return _show_plan(night, options)
    night_plan.subjects(night, options)  # both raise an error before anything is written
    night_news.check_mail(options.mail)
    url = _scheduler(arguments.scheduler)
    task = _task(night, arguments.missed, flags)
    with night_lock.alone(), rotated_log.logging_to(rotated_log.NIGHTLY), signals.listening():
        return _run(task, night, options, url)


def _run(task: luigi.Task, night: date, options: NightlyOptions, url: str) -> int:
    if task.complete() and (summary := night_files.summary(night)):
        announce(f"every turn was taken before: {title(summary)}; {night_files.page_folder(night)}/{PAGE}")
        return EXITS[summary.outcome]
    subjects = night_plan.subjects(night, options)
    hours = f", {options.hours:g} h at most" if options.hours else ""
    announce(f"night of {night}: {counted(len(subjects), 'subject')}{hours}")
    if options.gib or options.days:  # on a full disk no turn would come to anything
        freed = morning.tidy(night, subjects, options)
        if freed.removed:
            announce(f"disk: {size_words(freed.bytes)} freed")
    configuration.get_config().set("core", "no_configure_logging", "true")
    with runner.threads_logged():
        ending = runner.build(task, 1, luigid.Waiting(url, lambda reason: announce(f"waits: {reason}")))
    if signals.should_stop():
        announce("stopped; the same command goes on with the subjects that are left")
        return runner.EXIT_STOPPED
    summary = night_files.summary(night)
    if not task.complete() or summary is None:
        why = ending.failures[-1].line if ending.failures else ending.lost or ending.summary
        announce(f"not finished: {why}; details are in {rotated_log.NIGHTLY}")
        return runner.EXIT_FAILED
    announce(f"{title(summary)}; {night_files.page_folder(night) / PAGE}")
    if summary.budget:
        announce(f"disk: {summary.budget}")
    return EXITS[summary.outcome]


def _scheduler(asked: str) -> str:
    """The luigid to report to, which is kept where the turns find it. One that was `asked` for and does not answer is
    no reason to lose a night; luigi.cfg holds for the turns too, so it must be right."""
    config = configuration.get_config()
    url = asked or config.get("core", "scheduler_url", "")
    if not url:
        return ""
    try:
        luigid.check(url)
    except UserError as error:
        if config.get("core", "scheduler_url", ""):
            raise
        announce(f"the night reports to nobody: {error}")
        return ""
    config.set("core", "scheduler_url", url)
    return url


def _task(night: date, missed: int, flags: Mapping[str, str]) -> luigi.Task:
    """The night, or with `missed` nights before it all of them, the newest first."""
    words = shlex.join(f"{name}={text}" for name, text in sorted(flags.items()))
    if not missed:
        return Night(date=night, options=words)
    # `RangeDaily` counts the days of UTC, so tomorrow may be today there
    return MissedNights(
        of=Night,
        of_params={"options": words},
        param_name="date",
        start=night - timedelta(days=missed),
        stop=night + timedelta(days=1),
        days_back=missed + 2,
        days_forward=2,
        reverse=True,
        task_limit=MOST_MISSED + 1,
    )


def _night(arguments: Namespace) -> date:
    """The date of the night: the given one, or the one that is not finished or begins now."""
    if not arguments.date:
        return night_files.default_date(datetime.now().astimezone())
    try:
        night = date.fromisoformat(arguments.date)
    except ValueError:
        raise UserError(f"--date {arguments.date}: expected a date, for example {date.today()}") from None
    night_plan.check_has_come(night)
    return night


def _check_missed(days: int) -> None:
    if not 0 <= days <= MOST_MISSED:
        raise UserError(f"--missed {days}: expected a whole number from 0 to {MOST_MISSED}, for example 3")


def _show_plan(night: date, options: NightlyOptions) -> int:
    """Print who gets a turn, in which order and why; nothing is written."""
    plan = night_plan.make_plan(night, options)
    width = max(len(each.name) for each in plan.subjects)
    for each in plan.subjects:
        had = night_files.turn(night, each.name)
        done = night_plan.has_had_turn(night, each.name, options)
        said = f"had its turn: {had.outcome}" if had and done else each.need
        print(f"{each.name.ljust(width)}  {said}")
    print(f"night of {night}: {len(plan.subjects)} subjects", file=sys.stderr)
    return 0


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command to its parser: a flag for each setting of [nightly]."""
    parser.set_defaults(function=nightly)
    parser.add_argument("--date", default="", metavar="DATE", help="the night (default: the unfinished one, or today)")
    parser.add_argument(
        "--missed", type=int, default=0, metavar="DAYS", help="make up for nights of so many days before it as well"
    )
    parser.add_argument("--dry-run", action="store_true", help="only show who gets a turn, in which order and why")
    parser.add_argument("--scheduler", metavar="URL", default="", help="luigid to report to (default: none)")
    for name, field in NightlyOptions.model_fields.items():
        default: Any = as_json(field.default)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            default=SUPPRESS,
            metavar="VALUE",
            help=f"{field.description} (default: {default}; {expected(field)})".replace("%", "%%"),
        )
