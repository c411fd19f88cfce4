"""One-line messages for mistakes in a definition: the field, the value, and what would do.

What each field takes and means is read from the schema itself.
"""

import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.gan.config.json_text import dotted, shown
from pipeline.gan.config.schema import Definition
from pipeline.options.option import nearest

Place = tuple[str, ...]
WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text in double quotes"}


def part_at(place: Place) -> type[BaseModel]:
    """The part of a definition that the keys in `place` lead to."""
    part: type[BaseModel] = Definition
    for key in place:
        part = typing.cast(type[BaseModel], part.model_fields[key].annotation)
    return part


def field_at(place: Place) -> FieldInfo:
    """The field that the keys in `place` lead to."""
    return part_at(place[:-1]).model_fields[place[-1]]


def keys(above: Place = ()) -> Iterator[Place]:
    """The places of all keys that hold a value of their own, not a part, in the order of the file."""
    for name, field in part_at(above).model_fields.items():
        yield from keys((*above, name)) if is_part(field) else [(*above, name)]


def places_of(name: str) -> list[Place]:
    """Every place that has a key called `name`, a part or a value."""
    found = {place[:end] for place in keys() for end in range(1, len(place) + 1) if place[end - 1] == name}
    return sorted(found)


def is_part(field: FieldInfo) -> bool:
    """Whether a field holds a part with keys of its own."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def meaning(place: Place) -> str:
    """What the key at `place` means; what it is a part of comes first."""
    texts = [field_at(place[:end]).description for end in range(1, len(place) + 1)]
    return "; ".join(text for text in texts if text)


def takes(field: FieldInfo, *, item: bool = False) -> str:
    """What a field takes, in words: 'a whole number, at least 4, at most 1024, for example 64'; or an item of it."""
    if item:
        return _takes_item(typing.get_args(field.annotation)[0])
    kind: Any = field.annotation
    if is_part(field):
        return f"an object in braces, with keys out of {', '.join(kind.model_fields)}"
    if typing.get_origin(field.annotation) is typing.Literal:
        return _takes_item(field.annotation)
    if typing.get_origin(field.annotation) is tuple:
        return _takes_list(typing.get_args(field.annotation)[0])
    example = [f"for example {_plain(field.default)}"] if field.annotation in (int, float) else []
    return ", ".join([WORDS[kind], *_bounds(field), *example])


def _takes_item(kind: Any) -> str:
    return f"one of {', '.join(typing.get_args(kind))}" if typing.get_origin(kind) is typing.Literal else WORDS[kind]


def _takes_list(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return f"a list in square brackets out of {', '.join(map(shown, typing.get_args(kind)))}"
    return "a list of whole numbers in square brackets, for example [32]"


def _bounds(field: FieldInfo) -> list[str]:
    words = []
    for bound in field.metadata:
        words += [f"at least {_plain(bound.ge)}"] if hasattr(bound, "ge") else []
        words += [f"at most {_plain(bound.le)}"] if hasattr(bound, "le") else []
    return words


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


WHOLE = "an object in braces; {} takes every default"


def in_words(error: ValidationError, *, names: Mapping[str, str] | None = None) -> str:
    """The first mistake, unknown keys before others: they are the likely cause of the rest.

    `names` holds what the user calls a key, where that is not our name.
    """
    found = sorted(error.errors(), key=lambda one: one["type"] != "extra_forbidden")[0]
    place = tuple(step for step in found["loc"] if isinstance(step, str))
    index = "".join(f"[{step}]" for step in found["loc"] if isinstance(step, int))  # into a list
    if found["type"] == "extra_forbidden":
        return _unknown(place)
    if found["type"] == "json_invalid":  # what Python's reader lets pass and pydantic's does not
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
    """The key that `key` may be meant for: one beside it, or one elsewhere that is still nearer."""
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
