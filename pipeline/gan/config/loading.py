"""Load a definition from a file in models/, a dict or a name, and write its JSON schema.

A mistake becomes one line that names the file, the field and what would do. With the schema an editor completes fields,
shows their meaning and marks mistakes.
"""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.json_schema import GenerateJsonSchema

from pipeline.errors import UserError
from pipeline.gan.config import ibm_toolkit
from pipeline.gan.config.json_text import dotted, parse_document, read_text
from pipeline.gan.config.messages import Place, in_words, keys, meaning
from pipeline.gan.config.schema import Definition, Part
from pipeline.option_types import nearest
from pipeline.store.digest import of_value

FOR_EDITORS = "$schema"  # where an editor finds what keys there are; nothing to train with


@dataclass(frozen=True)
class Reading:
    """A definition, and a line for each key of a foreign file that could not be followed."""

    definition: Definition
    warnings: tuple[str, ...] = ()


def read(path: Path) -> Reading:
    """The definition in the JSON file `path`, ours or one of IBM's gan-toolkit.

    Errors: a `UserError` that names the file, the key and what would do.
    """
    return parse(read_text(path), str(path))


def read_definition(path: Path) -> Definition:
    """The definition in the JSON file `path`, without warnings; errors as in `read`."""
    return read(path).definition


def parse(text: str, where: str) -> Reading:
    """The definition that the JSON `text` holds; `where` names it in a `UserError`."""
    tree = parse_document(text, where)
    if not ibm_toolkit.is_toolkit(tree):
        return Reading(_validated(_ours(tree), where))
    try:
        found = ibm_toolkit.translate(tree)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return Reading(_validated(found.tree, where, names=ibm_toolkit.NAMES), found.warnings)


def parse_definition(text: str, where: str) -> Definition:
    """The definition that the JSON `text` holds, without warnings; errors as in `parse`."""
    return parse(text, where).definition


def definition_digest(definition: Definition) -> str:
    """The hex SHA-256 of all that training depends on: a key left out and its default written out are the same."""
    return of_value(definition.model_dump(mode="json", exclude={"description"}))


def as_tree(part: Part) -> dict[str, Any]:
    """`part` as JSON has it, every default written out."""
    return part.model_dump(mode="json")


def _ours(tree: Any) -> Any:
    """`tree` without what is for editors, and with short forms written out."""
    if not isinstance(tree, dict):
        return tree
    tree = {key: value for key, value in tree.items() if key != FOR_EDITORS}
    if isinstance(tree.get("smoothing"), int | float) and not isinstance(tree["smoothing"], bool):
        tree["smoothing"] = {"real": tree["smoothing"]}  # one number is the one-sided one
    return tree


def _validated(tree: Any, where: str, *, names: Mapping[str, str] | None = None) -> Definition:
    try:
        return Definition.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        raise UserError(f"{where}: {in_words(error, names=names)}") from None


OURS = Path(__file__).parents[3] / "models"
SCHEMA = "schema.json"  # lies among the definitions, so that they can name it, and is none
DEFAULT, UNNAMED = "dcgan", "unnamed"


@dataclass(frozen=True, kw_only=True)
class NamedDefinition:
    """A definition and what to call it."""

    name: str
    definition: Definition


Given = NamedDefinition | Definition | Mapping[str, Any] | Path | str | None


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


def choose_definition(given: Given) -> NamedDefinition:
    """What `given` means: a name, a path, a tree as JSON has it, a definition, or None for the default, DCGAN.

    Errors: a `UserError` that says what is wrong, and where. What of a foreign file is not followed is a warning.
    """
    if isinstance(given, NamedDefinition):
        return given
    if given is None or isinstance(given, Definition):
        return NamedDefinition(name=DEFAULT if given is None else UNNAMED, definition=given or Definition())
    if isinstance(given, Mapping):
        return NamedDefinition(name=UNNAMED, definition=_heard(_of_tree(given)))
    if not isinstance(given, Path | str):
        raise UserError(f"definition = {given!r}: expected a name, a path, a dict as in models/*.json, or None")
    path = _file(given)
    return NamedDefinition(name=path.stem, definition=_heard(read(path)))


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


FOR_PEOPLE = "description"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A key, as messages write it, with a value of its own; values are as JSON has them."""

    key: str
    value: Any
    default: Any
    meaning: str


def differences(definition: Definition) -> list[Difference]:
    """Every key of `definition` that has not its default, in the order of the file."""
    own, usual = as_tree(definition), as_tree(Definition())
    return [
        Difference(key=dotted(place), value=_at(own, place), default=_at(usual, place), meaning=meaning(place))
        for place in keys()
        if place != (FOR_PEOPLE,) and _at(own, place) != _at(usual, place)
    ]


def _at(tree: dict[str, Any], place: Place) -> Any:
    return reduce(lambda found, key: found[key], place, tree)


class _InOurWords(GenerateJsonSchema):
    """Pydantic's generator, but a title is the key in small letters."""

    def get_title_from_name(self, name: str) -> str:
        return name.replace("_", " ")


def definition_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12), which also lets a file name the schema and give `smoothing` as one number."""
    schema = Definition.model_json_schema(schema_generator=_InOurWords)
    smoothing = schema["properties"]["smoothing"]
    real = schema["$defs"]["Smoothing"]["properties"]["real"]
    short = {key: real[key] for key in ("type", "minimum", "maximum", "description")}
    smoothing["anyOf"] = [{"$ref": smoothing.pop("$ref")}, short]
    schema["properties"][FOR_EDITORS] = {"type": "string", "title": "schema", "description": "where this schema is"}
    return {"$schema": GenerateJsonSchema.schema_dialect} | schema | {"title": "GAN definition of ganmill"}


def schema_text() -> str:
    """The schema as the file that editors read."""
    return json.dumps(definition_schema(), indent=2, ensure_ascii=False) + "\n"
