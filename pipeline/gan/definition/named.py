"""Definitions by name: the files models/<name>.json of the working folder, and those that come with this project."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.gan.definition.parts import Definition
from pipeline.gan.definition.reading import Reading, parse, read
from pipeline.options.option import nearest

OURS = Path(__file__).parents[3] / "models"
SCHEMA = "schema.json"  # lies among the definitions, so that they can name it, and is none
DEFAULT, UNNAMED = "dcgan", "unnamed"


@dataclass(frozen=True, kw_only=True)
class Named:
    """A definition and what to call it."""

    name: str
    definition: Definition


Given = Named | Definition | Mapping[str, Any] | Path | str | None


def definitions() -> dict[str, Path]:
    """The file of each definition by name; those of the working folder hide ours of the same name."""
    found = {path.stem: path for folder in (OURS, Path("models")) for path in folder.glob("*.json")}
    return {name: path for name, path in sorted(found.items()) if path.name != SCHEMA}


def find_definition(name: str, *, asked: str = "definition") -> Path:
    """The file of the definition called `name`; a `UserError` that names the nearest one if it is missing."""
    known = definitions()
    if name not in known:
        raise UserError(f"{asked} = {name!r}: there is no models/{name}.json; {nearest(name, known)}")
    return known[name]


def choose_definition(given: Given) -> Named:
    """What `given` means: a name, a path, a tree as JSON has it, a definition, or None for the default, DCGAN.

    Errors: a `UserError` that says what is wrong, and where. What of a foreign file is not followed is a warning.
    """
    if isinstance(given, Named):
        return given
    if given is None or isinstance(given, Definition):
        return Named(name=DEFAULT if given is None else UNNAMED, definition=given or Definition())
    if isinstance(given, Mapping):
        return Named(name=UNNAMED, definition=_heard(_of_tree(given)))
    if not isinstance(given, Path | str):
        raise UserError(f"definition = {given!r}: expected a name, a path, a dict as in models/*.json, or None")
    path = _file(given)
    return Named(name=path.stem, definition=_heard(read(path)))


def _file(given: Path | str) -> Path:
    """A name is one of `definitions()`, or has no suffix; anything else is a path."""
    path = Path(given)
    if isinstance(given, str) and path.name == given and (given in definitions() or not path.suffix):
        return find_definition(given)
    return path


def _of_tree(tree: Mapping[str, Any]) -> Reading:
    try:
        text = json.dumps(dict(tree))
    except (TypeError, ValueError) as error:
        raise UserError(f"definition: not what JSON can say: {error}") from None
    return parse(text, "definition")


def _heard(reading: Reading) -> Definition:
    for warning in reading.warnings:
        warnings.warn(warning, stacklevel=4)
    return reading.definition
