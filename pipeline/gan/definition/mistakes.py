"""What pydantic finds wrong in a definition, as one line that names the key, the value and what would do."""

from collections.abc import Mapping
from difflib import get_close_matches

from pydantic import ValidationError

from pipeline.gan.definition.document import dotted, shown
from pipeline.gan.definition.keys import Place, field_at, keys, part_at, places_of, takes
from pipeline.options.option import nearest

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
