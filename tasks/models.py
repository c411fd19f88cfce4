"""`python -m tasks models`: what the GAN definitions say, what is wrong with one, and their schema for editors."""

import json
import os
import sys
from argparse import Namespace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.gan.definition import Definition, Difference, Reading, as_tree, differences, read, schema_text
from pipeline.options.option import nearest
from pipeline.text import plain
from tasks import homes

LINE = 500  # characters of a description that a line shows


def list_all(given: Namespace) -> int:
    """Print a line for each definition in models/: its loss and what it is for, or what is wrong with it."""
    found = homes.definitions()
    name_width = max(map(len, found), default=0)
    for name, path in found.items():
        print(f"{name.ljust(name_width)}  {_line(path)}".rstrip())
    return 0


def show(given: Namespace) -> int:
    """Print what one definition has other than the defaults, what that means, and the whole of it."""
    path = _file(given.name)
    reading = _read_aloud(path)
    definition = reading.definition
    print(f"{path}: {plain(definition.description, LINE)}".rstrip(": "))
    changed = differences(definition)
    print("\nother than the defaults:" if changed else "\nevery key has its default")
    for difference in changed:
        print(f"  {_difference(difference)}")
    print(f"\nthe whole of it:\n{_whole(definition)}")
    return 0


def check(given: Namespace) -> int:
    """Print what is wrong with each definition and what of it is not followed; 2 if any cannot be used."""
    wrong = 0
    for name in given.names or homes.definitions():
        try:
            path = _file(name)
            if path.name == homes.SCHEMA:
                print(f"{path}: what editors read, no definition")
                continue
            _read_aloud(path)
            print(f"{path}: ok")
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            wrong += 1
    return 2 if wrong else 0


def schema(given: Namespace) -> int:
    """Write the JSON schema that `"$schema"` in a definition leads editors to."""
    try:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise UserError(f"--output {given.output}: cannot be written: {error.strerror}") from None
    print(given.output)
    return 0


def _line(path: Path) -> str:
    try:
        reading = read(path)
    except UserError as error:
        return f"wrong: {str(error).removeprefix(f'{path}: ')}"
    many = len(reading.warnings)
    which = "1 key is" if many == 1 else f"{many} keys are"
    note = f" ({which} not followed: `models check {path.stem}` says why)" if many else ""
    return f"{reading.definition.loss.ljust(14)}  {plain(reading.definition.description, LINE)}{note}"


def _read_aloud(path: Path) -> Reading:
    """The definition in `path`; what of it is not followed is printed."""
    reading = read(path)
    for warning in reading.warnings:
        print(f"{path}: warning: {warning}", file=sys.stderr)
    return reading


def _difference(difference: Difference) -> str:
    value, default = (json.dumps(each, ensure_ascii=False) for each in (difference.value, difference.default))
    return f"{difference.key} = {value}  (default {default}): {difference.meaning}"


def _whole(definition: Definition) -> str:
    return json.dumps(as_tree(definition), indent=2, ensure_ascii=False)


def _file(name: str) -> Path:
    """The file that `name` means: a definition in models/, or a path."""
    known = homes.definitions()
    if name in known:
        return known[name]
    if name.endswith(".json") or Path(name).parent != Path() or os.path.isfile(name):  # of any length
        return Path(name)
    raise UserError(f"there is no models/{name}.json; {nearest(name, known)}")
