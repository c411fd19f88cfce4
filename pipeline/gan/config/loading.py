"""Load a definition from a file in models/, a dict or a name, and write its JSON schema.

An error is one line that names the file, the field and what to write instead. With the JSON schema an editor completes
fields, shows their descriptions and marks errors.
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
from pipeline.gan.config.json_text import DefinitionError, dotted, parse_json, read_text
from pipeline.gan.config.messages import FieldPath, in_words, keys, meaning
from pipeline.gan.config.schema import Definition, Part
from pipeline.option_types import first_mistake, nearest
from pipeline.store.digest import of_value

SCHEMA_FIELD = "$schema"  # tells an editor where the schema is; training ignores it
DESCRIPTION_FIELD = "description"
BUILT_IN_DEFINITIONS = Path(__file__).parents[3] / "models"
BUILT_IN_NAMES = frozenset(
    {"dcgan", "dcgan-128", "from-scratch", "lsgan", "multi-scale", "progressive", "r3", "sagan", "sn-hinge", "wgan-gp"}
    | {"wide"}
)  # in a checkout the folder of these is also that of a user's own
SCHEMA = "schema.json"  # in the same folder as the definitions, but not a definition
DROP_FIELDS = ("factor", "at", "plateaus")  # of a schedule
# Fields that came later: with their defaults they are no part of a digest, so that older artifacts stay valid
LATER_FIELDS = (
    "multi_scale",
    "conditional",
    "penalties.lecam",
    "generator.skip_excitation",
    "discriminator.reconstruction",
    "discriminator.vision_aided",
)
DEFAULT, UNNAMED = "dcgan", "unnamed"


@dataclass(frozen=True)
class LoadedDefinition:
    """A definition, with a warning for each key of an IBM gan-toolkit file that is not followed."""

    definition: Definition
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class NamedDefinition:
    """A definition and its name."""

    name: str
    definition: Definition


def read(path: Path) -> LoadedDefinition:
    """Read a definition from the JSON file `path`: one of ganmill's, or one of IBM's gan-toolkit.

    Errors: a `UserError` that names the file, the field and what to write instead.
    """
    return parse(read_text(path), str(path))


def read_definition(path: Path) -> Definition:
    """Read a definition from the JSON file `path`, without warnings; errors as in `read`."""
    return read(path).definition


def parse(text: str, source: str) -> LoadedDefinition:
    """Parse a definition from the JSON `text`; a `UserError` names the `source` of the text."""
    tree = parse_json(text, source)
    if not ibm_toolkit.is_toolkit(tree):
        return LoadedDefinition(_validated(_normalised(tree), source))
    try:
        translation = ibm_toolkit.translate(tree)
    except UserError as error:
        raise DefinitionError(f"{source}: {error}", path=getattr(error, "path", ())) from None
    return LoadedDefinition(_validated(translation.tree, source, names=ibm_toolkit.TOOLKIT_NAMES), translation.warnings)


def parse_definition(text: str, source: str) -> Definition:
    """Parse a definition from the JSON `text`, without warnings; errors as in `parse`."""
    return parse(text, source).definition


def definition_digest(definition: Definition) -> str:
    """The hex SHA-256 of a definition without its description: a missing field equals its default written out."""
    tree, default = (each.model_dump(mode="json", exclude={"description"}) for each in (definition, Definition()))
    for network in ("generator", "discriminator"):
        schedule = tree[network]["optimizer"]["schedule"]
        if schedule["kind"] != "drop":  # digests, and so artifacts, of the time before drops stay valid
            for name in DROP_FIELDS:
                del schedule[name]
    if (flip := tree["augment"]["flip"]) != "auto":  # true or false before there was `auto`
        tree["augment"]["flip"] = flip == "always"
    for path in LATER_FIELDS:
        _leave_out_default(tree, default, path.split("."))
    return of_value(tree)


def _leave_out_default(tree: dict[str, Any], default: dict[str, Any], path: list[str]) -> None:
    name, *below = path
    if below:
        _leave_out_default(tree[name], default[name], below)
    elif tree[name] == default[name]:
        del tree[name]


def as_tree(part: Part) -> dict[str, Any]:
    """`part` as a JSON tree with every default written out."""
    return part.model_dump(mode="json")


def definitions() -> dict[str, Path]:
    """The file of each definition by name; a file in the working folder's models/ replaces a built-in one."""
    folders = (BUILT_IN_DEFINITIONS, Path("models"))
    found = {path.stem: path for folder in folders for path in folder.glob("*.json")}
    return {name: path for name, path in sorted(found.items()) if path.name != SCHEMA}


def find_definition(name: str, *, asked: str = "definition") -> Path:
    """The file of the definition called `name`. Errors: a `UserError` with the nearest name if there is none."""
    known = definitions()
    if name not in known:
        raise UserError(f"{asked} = {name!r}: there is no models/{name}.json; {nearest(name, known)}")
    return known[name]


DefinitionLike = NamedDefinition | Definition | Mapping[str, Any] | Path | str | None


def choose_definition(given: DefinitionLike) -> NamedDefinition:
    """Turn a name, a path, a dict, a `Definition` or None (the default, DCGAN) into a named definition.

    Warns of each key of an IBM gan-toolkit file that is not followed. Errors: a `UserError` that says what is wrong.
    """
    if isinstance(given, NamedDefinition):
        return given
    if isinstance(given, Definition):
        return NamedDefinition(name=UNNAMED, definition=given)
    if isinstance(given, Mapping):
        return NamedDefinition(name=UNNAMED, definition=_emit_warnings(_from_mapping(given)))
    if given is not None and not isinstance(given, Path | str):
        raise UserError(f"definition = {given!r}: expected a name, a path, a dict as in models/*.json, or None")
    path = _resolve_path(DEFAULT if given is None else given)
    return NamedDefinition(name=path.stem, definition=_emit_warnings(read(path)))


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A field whose value differs from its default; values are JSON values."""

    key: str
    value: Any
    default: Any
    meaning: str


def differences(definition: Definition) -> list[Difference]:
    """List the fields of `definition` that differ from their defaults, in the order of the schema."""
    own, default = as_tree(definition), as_tree(Definition())
    return [
        Difference(
            key=dotted(path), value=_value_at(own, path), default=_value_at(default, path), meaning=meaning(path)
        )
        for path in keys()
        if path != (DESCRIPTION_FIELD,) and _value_at(own, path) != _value_at(default, path)
    ]


def definition_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a definition; it also allows `$schema` and one number for `smoothing`."""
    schema = Definition.model_json_schema(schema_generator=_PlainTitles)
    smoothing = schema["properties"]["smoothing"]
    real = schema["$defs"]["Smoothing"]["properties"]["real"]
    short = {key: real[key] for key in ("type", "minimum", "maximum", "description")}
    smoothing["anyOf"] = [{"$ref": smoothing.pop("$ref")}, short]
    schema["properties"][SCHEMA_FIELD] = {"type": "string", "title": "schema", "description": "where this schema is"}
    return {"$schema": GenerateJsonSchema.schema_dialect} | schema | {"title": "GAN definition of ganmill"}


def schema_text() -> str:
    """The JSON schema as the text of models/schema.json, which editors read."""
    return json.dumps(definition_schema(), indent=2, ensure_ascii=False) + "\n"


def _normalised(tree: Any) -> Any:
    """`tree` without `$schema`, and with the short form of `smoothing` written out."""
    if not isinstance(tree, dict):
        return tree
    tree = {key: value for key, value in tree.items() if key != SCHEMA_FIELD}
    if isinstance(tree.get("smoothing"), int | float) and not isinstance(tree["smoothing"], bool):
        tree["smoothing"] = {"real": tree["smoothing"]}  # one number means one-sided smoothing
    return tree


def _validated(tree: Any, source: str, *, names: Mapping[str, str] | None = None) -> Definition:
    try:
        return Definition.model_validate_json(json.dumps(tree))
    except ValidationError as error:
        raise DefinitionError(f"{source}: {in_words(error, names=names)}", path=_path_of(error, names)) from None


def _path_of(error: ValidationError, names: Mapping[str, str] | None) -> tuple[str | int, ...]:
    """Where the first mistake is in the user's file; `names` are that file's names of our fields."""
    path = first_mistake(error)["loc"]
    named = (names or {}).get(dotted(tuple(path)))
    return tuple(named.split(".")) if named else tuple(path)


def _resolve_path(given: Path | str) -> Path:
    """A string is a name if `definitions()` has it or if it has no suffix; anything else is a path."""
    path = Path(given)
    if isinstance(given, str) and path.name == given and (given in definitions() or not path.suffix):
        return find_definition(given)
    return path


def _from_mapping(tree: Mapping[str, Any]) -> LoadedDefinition:
    try:
        text = json.dumps(dict(tree))
    except (TypeError, ValueError) as error:
        raise UserError(f"definition: cannot be written as JSON: {error}") from None
    return parse(text, "definition")


def _emit_warnings(loaded: LoadedDefinition) -> Definition:
    for warning in loaded.warnings:
        warnings.warn(warning, stacklevel=4)
    return loaded.definition


def _value_at(tree: dict[str, Any], path: FieldPath) -> Any:
    return reduce(lambda inner, key: inner[key], path, tree)


class _PlainTitles(GenerateJsonSchema):
    """Pydantic's schema generator, but the title of a field is its name in lower case."""

    def get_title_from_name(self, name: str) -> str:
        return name.replace("_", " ")
