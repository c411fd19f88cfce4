"""The JSON schema of a definition: with it an editor completes keys, shows what they mean and marks mistakes."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from pipeline.gan.definition.parts import Definition
from pipeline.gan.definition.reading import FOR_EDITORS


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
