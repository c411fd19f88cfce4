"""The command `datasets`: list what each dataset has, archive one, restore one, delete one for good."""

import dataclasses
from argparse import ArgumentParser, Namespace
from typing import Any

from tasks import paths
from tasks.dataset_archive import Holdings, Place, archive, delete, find_place, places, restore
from tasks.settings_commands import as_json_or_error


def list_datasets(arguments: Namespace) -> int:
    """Print what each dataset on the list and each archive has, or only those of the given names."""

    def chosen() -> list[Place]:
        return [find_place(name) for name in arguments.names] or places()

    if arguments.json:
        return as_json_or_error(lambda: [dataclasses.asdict(each.holdings()) for each in chosen()])
    if not (found_places := chosen()):
        print("there is no dataset yet; `make run` starts with the embedded demo")
    for place in found_places:
        found = place.holdings()
        where = f"archived as {found.archive}: " if found.archive else "at work: " if found.at_work else ""
        print(f"{place.name}: {where}{found.line()}")
    return 0


def archive_dataset(arguments: Namespace) -> int:
    """Take a dataset off the list; everything that it has is kept."""

    def work() -> dict[str, Any]:
        return {"name": arguments.name, "archive": archive(paths.existing_dataset(arguments.name)).name}

    if arguments.json:
        return as_json_or_error(work)
    done = work()
    print(f"{arguments.name}: archived; `python -m tasks datasets restore {done['archive']}` puts it back")
    return 0


def restore_dataset(arguments: Namespace) -> int:
    """Put an archived dataset back on the list."""

    def work() -> dict[str, Any]:
        place = find_place(arguments.name, archived=True)
        restore(place)
        return {"name": place.name, "archive": place.archive}

    if arguments.json:
        return as_json_or_error(work)
    print(f"{work()['name']}: restored")
    return 0


def delete_dataset(arguments: Namespace) -> int:
    """Say what would be lost with a dataset and, if `yes` is given, delete it for good."""

    def work() -> dict[str, Any]:
        place = find_place(arguments.name)
        found = place.holdings()
        if arguments.yes:
            delete(place)
        return {**dataclasses.asdict(found), "deleted": arguments.yes}

    if arguments.json:
        return as_json_or_error(work)
    done = work()
    deleted = done.pop("deleted")
    line = Holdings(**done).line()
    print(f"{arguments.name}: deleted {line}" if deleted else f"{arguments.name} has {line}; --yes deletes it for good")
    return 0


def add_arguments(parser: ArgumentParser) -> None:
    """Add the actions of the command to its parser; without one it lists."""
    parser.set_defaults(names=[], function=list_datasets)
    parser.add_argument("--json", action="store_true", help="for programs: a JSON list of objects, or {error}")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="labels, pictures, trainings and bytes of each", allow_abbrev=False)
    listing.add_argument("names", nargs="*", metavar="NAME", help="a dataset or an archive (default: all)")
    listing.set_defaults(function=list_datasets)
    away = actions.add_parser("archive", help="take a dataset off the list, and keep all of it", allow_abbrev=False)
    away.set_defaults(function=archive_dataset)
    back = actions.add_parser("restore", help="put an archived dataset back on the list", allow_abbrev=False)
    back.set_defaults(function=restore_dataset)
    gone = actions.add_parser("delete", help="say what would be lost; with --yes delete it", allow_abbrev=False)
    gone.add_argument("--yes", action="store_true", help="delete it for good")
    gone.set_defaults(function=delete_dataset)
    for action in (away, back, gone):
        action.add_argument("name", metavar="NAME", help="the dataset, or the folder of an archive")
    for action in (listing, away, back, gone):
        action.add_argument("--json", action="store_true", help="for programs: print JSON, or {error}")
