"""Definitions in lines for people: how `models list`, `models show` and `models check` and the studio put them."""

import json
from pathlib import Path

from pipeline.gan.config.loading import Difference, LoadedDefinition, as_tree
from pipeline.gan.config.schema import Definition
from pipeline.text import to_plain_line

DESCRIPTION_WIDTH = 500  # characters of a description in one line


def description_line(definition: Definition) -> str:
    """The description as one line."""
    return to_plain_line(definition.description, DESCRIPTION_WIDTH)


def warning_line(source: Path | str, warning: str) -> str:
    """A warning about the definition in `source`."""
    return f"{source}: warning: {warning}"


def difference_line(difference: Difference) -> str:
    """How one field differs from its default, and what it means."""
    value, default = (json.dumps(each, ensure_ascii=False) for each in (difference.value, difference.default))
    return f"{difference.key} = {value}  (default {default}): {difference.meaning}"


def ignored_words(reading: LoadedDefinition) -> str:
    """How many fields are not followed: `1 field is ignored`; empty if all are."""
    many = len(reading.warnings)
    return ("1 field is" if many == 1 else f"{many} fields are") + " ignored" if many else ""


def as_json_text(definition: Definition) -> str:
    """The whole definition as JSON text, every default written out."""
    return json.dumps(as_tree(definition), indent=2, ensure_ascii=False)
