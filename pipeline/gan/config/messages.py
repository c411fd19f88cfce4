"""One-line error messages for mistakes in a definition: the field, its value, and which values it accepts.

What each field accepts and means is read from the schema itself. `pipeline.option_types` words what definitions and
options have in common.
"""

import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.gan.config.json_text import dotted, shown
from pipeline.gan.config.schema import Definition
from pipeline.option_types import KIND_WORDS, ValueType, bounds, first_mistake, nearest, plain_number, value_type

Place = tuple[str, ...]
WORDS = KIND_WORDS | {str: "text in double quotes"}


def part_at(place: Place) -> type[BaseModel]:
    """The part of a definition that is found by following the keys in `place`."""
    part: type[BaseModel] = Definition
    for key in place:
        part = typing.cast(type[BaseModel], part.model_fields[key].annotation)
    return part


def field_at(place: Place) -> FieldInfo:
    """The field that is found by following the keys in `place`."""
    return part_at(place[:-1]).model_fields[place[-1]]


def keys(above: Place = ()) -> Iterator[Place]:
    """The places of all keys whose value is not a part with keys of its own, in the order of the file."""
    for name, field in part_at(above).model_fields.items():
        yield from keys((*above, name)) if is_part(field) else [(*above, name)]


def places_of(name: str) -> list[Place]:
    """Every place with a key called `name`, whether its value is a part or not."""
    found = {place[:end] for place in keys() for end in range(1, len(place) + 1) if place[end - 1] == name}
    return sorted(found)


def is_part(field: FieldInfo) -> bool:
    """Whether the value of a field is a part with keys of its own."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def meaning(place: Place) -> str:
    """The meaning of the key at `place`, after the meanings of the parts that it is in."""
    texts = [field_at(place[:end]).description for end in range(1, len(place) + 1)]
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
    words = [WORDS[kind.plain], *bounds(field)]
    if kind.plain in (int, float) and not item:
        words.append(f"for example {plain_number(field.default)}")
    return ", ".join(words)


def _takes_list(kind: ValueType) -> str:
    if kind.choices:
        return f"a list in square brackets out of {', '.join(map(shown, kind.choices))}"
    return "a list of whole numbers in square brackets, for example [32]"


WHOLE = "an object in braces; {} takes every default"


def in_words(error: ValidationError, *, names: Mapping[str, str] | None = None) -> str:
    """The first mistake as one line. `names` gives the name that the user's file has for a key, if it is not ours."""
    found = first_mistake(error)
    place = tuple(step for step in found["loc"] if isinstance(step, str))
    index = "".join(f"[{step}]" for step in found["loc"] if isinstance(step, int))  # into a list
    if found["type"] == "extra_forbidden":
        return _unknown(place)
    if found["type"] == "json_invalid":  # Python's JSON reader accepts more than pydantic's
        return f"not JSON that can be read: {found['ctx']['error']}"
    if found["type"] == "value_error":
        return _on(place, str(found["ctx"]["error"]))
    if not place:
        return f"expected {WHOLE}"
    called = (names or {}).get(dotted(place), dotted(place)) + index
    default = "; leave the key out to have the default" if found["input"] is None else ""
    return f"{called} = {shown(found['input'])}: expected {takes(field_at(place), item=bool(index))}{default}"


def _unknown(place: Place) -> str:
    *above, key = place
    if places := places_of(key):
        hint = f"its place is {' or '.join(map(_named, places))}"
    else:
        hint = _nearest(key, tuple(above))
    return _on(tuple(above), f"unknown key {key!r}; {hint}")


def _nearest(key: str, above: Place) -> str:
    """A suggestion for an unknown `key`: a similar key of the same part, or a more similar one elsewhere."""
    beside = part_at(above).model_fields
    near = get_close_matches(key, dict.fromkeys([*beside, *(name for place in keys() for name in place)]), n=1)
    if not near or near[0] in beside:
        return nearest(key, beside)
    places = places_of(near[0])
    inside = [place for place in places if place[: len(above)] == above]
    return f"did you mean {' or '.join(map(_named, inside or places))}?"


def _named(place: Place) -> str:
    return dotted(place) if place[1:] else f"{place[0]} at the top"


def _on(place: Place, text: str) -> str:
    return f"{dotted(place)}: {text}" if place else text
