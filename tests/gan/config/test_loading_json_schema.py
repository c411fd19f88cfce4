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


def resolved(schema: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    """What the schema says of the key at `place`."""
    part = schema
    for key in place:
        found = part["properties"][key]
        choices = [found, *found.get("anyOf", [])]
        names = [choice["$ref"].rpartition("/")[2] for choice in choices if "$ref" in choice]
        part = schema["$defs"][names[0]] if names else found
    return part


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    yield from schema["$defs"].values()


def test_the_committed_schema_is_up_to_date():
    assert (MODELS / "schema.json").read_text(encoding="utf-8") == schema_text(), "run `python -m tasks models schema`"


def test_every_key_has_a_meaning_a_title_and_its_default(schema):
    for place in keys():
        said = resolved(schema, place)
        assert said["description"], place
        assert said["title"] == place[-1].replace("_", " ")
        assert said["default"] == default_at(place)


def default_at(place: tuple[str, ...]) -> Any:
    found = as_tree(Definition())
    for key in place:
        found = found[key]
    return found


def test_an_editor_marks_unknown_keys_everywhere(schema):
    assert all(part["additionalProperties"] is False for part in parts(schema))


def test_bounds_and_choices_are_there(schema):
    assert (
        resolved(schema, ("generator", "width")).items() >= {"minimum": 4, "maximum": 1024, "type": "integer"}.items()
    )
    assert resolved(schema, ("discriminator", "norm"))["enum"] == ["none", "batch", "layer"]


def test_a_file_may_name_the_schema_and_give_smoothing_as_one_number(schema):
    assert schema["properties"]["$schema"]["type"] == "string"
    number = schema["properties"]["smoothing"]["anyOf"][1]
    assert (number["type"], number["minimum"], number["maximum"]) == ("number", 0, 0.5)


def test_every_reference_leads_somewhere(schema):
    names = {text.rpartition("/")[2] for text in references(schema)}
    assert names == set(schema["$defs"])


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        yield from ([tree["$ref"]] if "$ref" in tree else [])
        tree = list(tree.values())
    for value in tree if isinstance(tree, list) else []:
        yield from references(value)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.json")), ids=lambda path: path.stem)
def test_every_committed_definition_names_the_schema(path):
    if path.stem != "schema":
        assert json.loads(path.read_text())["$schema"] == "./schema.json"
