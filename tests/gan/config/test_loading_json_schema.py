import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.gan.config import Definition, as_tree, definition_schema, schema_text
from pipeline.gan.config.messages import keys

MODELS = Path(__file__).parent.parent.parent.parent / "models"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return definition_schema()


def resolved(schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The schema of the field at `path`."""
    part = schema
    for key in path:
        found = part["properties"][key]
        choices = [found, *found.get("anyOf", [])]
        names = [choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice]
        part = schema["$defs"][names[0]] if names else found
    return part


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    yield from schema["$defs"].values()


def test_committed_schema_is_up_to_date():
    assert (MODELS / "schema.json").read_text(encoding="utf-8") == schema_text(), "run `python -m tasks models schema`"


def test_schema_has_description_title_and_default_of_every_field(schema):
    for path in keys():
        field = resolved(schema, path)
        assert field["description"], path
        assert field["title"] == path[-1].replace("_", " ")
        assert field["default"] == default_at(path)


def default_at(path: tuple[str, ...]) -> Any:
    found = as_tree(Definition())
    for key in path:
        found = found[key]
    return found


def test_schema_forbids_unknown_keys_in_every_part(schema):
    assert all(part["additionalProperties"] is False for part in parts(schema))


def test_schema_has_bounds_and_choices(schema):
    assert (
        resolved(schema, ("generator", "width")).items() >= {"minimum": 4, "maximum": 1024, "type": "integer"}.items()
    )
    assert resolved(schema, ("discriminator", "norm"))["enum"] == ["none", "batch", "layer"]


def test_schema_allows_dollar_schema_and_smoothing_as_one_number(schema):
    assert schema["properties"]["$schema"]["type"] == "string"
    number = schema["properties"]["smoothing"]["anyOf"][1]
    assert (number["type"], number["minimum"], number["maximum"]) == ("number", 0, 0.5)


def test_schema_references_resolve(schema):
    names = {text.rpartition("/")[2] for text in references(schema)}
    assert names == set(schema["$defs"])


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        yield from ([tree["$ref"]] if "$ref" in tree else [])
        tree = list(tree.values())
    for value in tree if isinstance(tree, list) else []:
        yield from references(value)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.json")), ids=lambda path: path.stem)
def test_every_built_in_definition_names_the_schema(path):
    if path.stem != "schema":
        assert json.loads(path.read_text())["$schema"] == "./schema.json"
