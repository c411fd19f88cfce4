"""One-line error messages for mistakes in a definition: the field, its value, and which values it accepts.

What each field accepts and means is read from the schema itself. `pipeline.option_types` words what definitions and
options have in common.
"""

import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.gan.config.json_text import dotted, short_json
from pipeline.gan.config.schema import Definition
from pipeline.option_types import KIND_WORDS, ValueType, bounds, first_mistake, nearest, plain_number, value_type

FieldPath = tuple[str, ...]
WORDS = KIND_WORDS | {str: "text in double quotes"}


def part_at(path: FieldPath) -> type[BaseModel]:
    """The part of a definition at `path`."""
    part: type[BaseModel] = Definition
    for key in path:
        part = typing.cast(type[BaseModel], part.model_fields[key].annotation)
    return part


def field_at(path: FieldPath) -> FieldInfo:
    """The field of a definition at `path`."""
    return part_at(path[:-1]).model_fields[path[-1]]


def keys(above: FieldPath = ()) -> Iterator[FieldPath]:
    """The paths of all fields that hold a value, not a part, in the order of the schema."""
    for name, field in part_at(above).model_fields.items():
        yield from keys((*above, name)) if is_part(field) else [(*above, name)]


def paths_of(name: str) -> list[FieldPath]:
    """The paths of all fields called `name`, parts and values."""
    found = {path[:end] for path in keys() for end in range(1, len(path) + 1) if path[end - 1] == name}
    return sorted(found)


def is_part(field: FieldInfo) -> bool:
    """Whether a field holds a part, which has fields of its own."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def meaning(path: FieldPath) -> str:
    """The description of the field at `path`, after those of the parts that contain it."""
    texts = [field_at(path[:end]).description for end in range(1, len(path) + 1)]
    return "; ".join(text for text in texts if text)


def takes(field: FieldInfo, *, item: bool = False) -> str:
    """What a field accepts, in words: 'a whole number, at least 4, at most 1024, for example 64'.

    With `item` what one item of its list accepts.
    """
    if isinstance(part := field.annotation, type) and issubclass(part, BaseModel):
        return f"an object in braces, with keys out of {', '.join(part.model_fields)}"
    kind = value_type(field.annotation)
    if kind.is_list and not item:
        return _takes_list(kind)
    if kind.choices:
        return f"one of {', '.join(kind.choices)}"
    words = [WORDS[kind.base_type], *bounds(field)]
    if kind.base_type in (int, float) and not item:
        words.append(f"for example {plain_number(field.default)}")
    return ", ".join(words)


def _takes_list(kind: ValueType) -> str:
    if kind.choices:
        return f"a list in square brackets out of {', '.join(map(short_json, kind.choices))}"
    return "a list of whole numbers in square brackets, for example [32]"


DEFINITION_OBJECT = "an object in braces; {} takes every default"


def in_words(error: ValidationError, *, names: Mapping[str, str] | None = None) -> str:
    """The first mistake as one line. `names` gives the name that the user's file has for a key, if it is not ours."""
    found = first_mistake(error)
    path = tuple(step for step in found["loc"] if isinstance(step, str))
    index = "".join(f"[{step}]" for step in found["loc"] if isinstance(step, int))  # into a list
    if found["type"] == "extra_forbidden":
        return _unknown(path)
    if found["type"] == "json_invalid":  # Python's JSON reader accepts more than pydantic's
        return f"JSON that cannot be read: {found['ctx']['error']}"
    if found["type"] == "value_error":
        return _prefixed(path, str(found["ctx"]["error"]))
    if not path:
        return f"expected {DEFINITION_OBJECT}"
    called = (names or {}).get(dotted(path), dotted(path)) + index
    default = "; remove the key to use the default" if found["input"] is None else ""
    return f"{called} = {short_json(found['input'])}: expected {takes(field_at(path), item=bool(index))}{default}"


def _unknown(path: FieldPath) -> str:
    *above, key = path
    if paths := paths_of(key):
        hint = f"it belongs in {' or '.join(map(_in_message, paths))}"
    else:
        hint = _nearest(key, tuple(above))
    return _prefixed(tuple(above), f"unknown key {key!r}; {hint}")


def _nearest(key: str, above: FieldPath) -> str:
    """Suggest a key for the unknown `key`: one in the same part, or a more similar one elsewhere."""
    beside = part_at(above).model_fields
    near = get_close_matches(key, dict.fromkeys([*beside, *(name for path in keys() for name in path)]), n=1)
    if not near or near[0] in beside:
        return nearest(key, beside)
    paths = paths_of(near[0])
    inside = [path for path in paths if path[: len(above)] == above]
    return f"did you mean {' or '.join(map(_in_message, inside or paths))}?"


def _in_message(path: FieldPath) -> str:
    return dotted(path) if path[1:] else f"{path[0]} at the top"


def _prefixed(path: FieldPath, text: str) -> str:
    return f"{dotted(path)}: {text}" if path else text
