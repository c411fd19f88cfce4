"""The command `gc`: delete old artifacts by their number, by their age, or until a budget of disk is kept."""

import math
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pipeline.errors import UserError
from pipeline.store.object_store import StoreFault, open_store
from pipeline.text import to_plain_line
from tasks import cleanup, disk_budget, machines, paths
from tasks.commands import pipeline_of
from tasks.run_pipeline import RunPipeline
from tasks.runner import EXIT_NEXT

T = TypeVar("T", Path, str)

LONGEST = 300  # characters of a name that are printed
MOST = {"gib": 1e9, "days": 36_500.0}  # an exbibyte and a century: no number beyond is meant
KEEP = 3  # newest artifacts of each stage that stay, unless a budget or an age says what goes


def gc(arguments: Namespace) -> int:
    """Delete, print the space that this frees, and what could not be freed; returns 3 if the budget is exceeded."""
    _check(arguments)
    removed, freed = _by_number(arguments), _within_budget(arguments)
    removed |= freed.removed
    _print_removed(removed, arguments, "")
    if arguments.shared:
        _print_removed(_of_storage(arguments), arguments, f" in {open_store(machines.chosen().storage).shown}")
    for note in freed.notes:
        print(note, file=sys.stderr)
    if line := freed.budget_line():
        print(f"next: {line}; raise --gib, or archive a dataset and delete it", file=sys.stderr)
        return EXIT_NEXT
    return 0


def _print_removed(removed: Mapping[Path, int] | Mapping[str, int], arguments: Namespace, where: str) -> None:
    for folder, size in removed.items():
        print(f"{size / 1e6:9.1f} MB  {to_plain_line(str(folder), LONGEST)}")
    print(f"{sum(removed.values()) / 1e6:9.1f} MB {'would be ' if arguments.dry_run else ''}freed{where}")


def _by_number(arguments: Namespace) -> dict[Path, int]:
    """Delete all but the newest artifacts of each stage, if that was asked for; returns the bytes of each folder."""
    if arguments.keep is None and (arguments.gib or arguments.days):
        return {}
    keep = KEEP if arguments.keep is None else arguments.keep
    return _of_each(arguments, lambda pipeline: cleanup.collect_garbage(pipeline, keep=keep, dry_run=arguments.dry_run))


def _of_storage(arguments: Namespace) -> dict[str, int]:
    """Delete what is old from the storage that machines share; returns the bytes of each name in it."""
    return _of_each(
        arguments,
        lambda pipeline: cleanup.delete_shared(
            pipeline, days=arguments.days, dry_run=arguments.dry_run, tell=lambda line: print(line, file=sys.stderr)
        ),
    )


def _of_each(arguments: Namespace, clean: Callable[[RunPipeline], dict[T, int]]) -> dict[T, int]:
    """What `clean` deletes of each dataset; of all datasets those with wrong settings are left alone."""
    removed: dict[T, int] = {}
    for name in _datasets(arguments):
        try:
            removed |= clean(pipeline_of(Namespace(**{**vars(arguments), "dataset": name})))
        except StoreFault:
            raise
        except UserError as error:
            if not arguments.all:
                raise
            print(f"{name} is left alone: {error}", file=sys.stderr)
    return removed


def _check(arguments: Namespace) -> None:
    """Raise a `UserError` for arguments that cannot be meant."""
    for name, value in (("gib", arguments.gib), ("days", arguments.days)):
        if value is not None and not (math.isfinite(value) and 0 <= value <= MOST[name]):
            raise UserError(
                f"--{name} {value}: expected a number, at least 0, for example 10; at most {MOST[name]:,.0f}"
            )
    if arguments.shared and not (arguments.days and machines.chosen().storage):
        raise UserError(
            "gc --shared deletes from the storage what is older than --days N: give both, N above 0, and set storage"
        )
    settings = [name for name in vars(arguments) if "." in name or name == "query"]
    if arguments.all and settings:
        raise UserError(f"gc --all uses the settings of each dataset; leave out {settings[0]}, or --all")


def _within_budget(arguments: Namespace) -> disk_budget.Freed:
    if not (arguments.gib or arguments.days):
        return disk_budget.Freed()
    names = _datasets(arguments)
    flags = {} if arguments.all else {names[0]: pipeline_of(arguments).settings}
    return disk_budget.keep_within(
        names,
        gib=arguments.gib or 0.0,
        days=arguments.days or 0.0,
        settings=flags,
        nights=arguments.all,
        dry_run=arguments.dry_run,
    )


def _datasets(arguments: Namespace) -> list[str]:
    return paths.datasets() if arguments.all else [arguments.dataset]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.set_defaults(function=gc)
    parser.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help=f"newest artifacts of each stage to keep (default: {KEEP}, or as --gib and --days say)",
    )
    parser.add_argument(
        "--gib", type=float, metavar="N", help="delete what is oldest until the datasets have at most N GiB"
    )
    parser.add_argument("--days", type=float, metavar="N", help="delete what is older than N days, run records too")
    parser.add_argument(
        "--shared", action="store_true", help="with --days: delete what is as old from the storage of all machines too"
    )
    parser.add_argument("--all", action="store_true", help="all datasets together, and old nights")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be deleted")
