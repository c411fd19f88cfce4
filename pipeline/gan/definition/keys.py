"""The keys of a definition: where each stands, what it takes and what it means, told from the parts themselves."""

import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.gan.definition.document import shown
from pipeline.gan.definition.parts import Definition

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
    if is_part(field):
        return f"an object in braces, with keys out of {', '.join(field.annotation.model_fields)}"
    if typing.get_origin(field.annotation) is typing.Literal:
        return _takes_item(field.annotation)
    if typing.get_origin(field.annotation) is tuple:
        return _takes_list(typing.get_args(field.annotation)[0])
    example = [f"for example {_plain(field.default)}"] if field.annotation in (int, float) else []
    return ", ".join([WORDS[field.annotation], *_bounds(field), *example])


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
