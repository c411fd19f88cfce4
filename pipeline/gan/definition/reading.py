"""From a file in models/ to a `Definition`, and a mistake in it as one line that names file, key and what would do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.errors import UserError
from pipeline.gan.definition import toolkit
from pipeline.gan.definition.document import parse_document, read_text
from pipeline.gan.definition.mistakes import in_words
from pipeline.gan.definition.parts import Definition, Part
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
    if not toolkit.is_toolkit(tree):
        return Reading(_validated(_ours(tree), where))
    try:
        found = toolkit.translate(tree)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return Reading(_validated(found.tree, where, names=toolkit.NAMES), found.warnings)


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
