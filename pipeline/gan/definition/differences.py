"""What a definition says that the defaults do not."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

from pipeline.gan.definition.document import dotted
from pipeline.gan.definition.keys import Place, keys, meaning
from pipeline.gan.definition.parts import Definition
from pipeline.gan.definition.reading import as_tree

FOR_PEOPLE = "description"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A key, as messages write it, with a value of its own; values are as JSON has them."""

    key: str
    value: Any
    default: Any
    meaning: str


def differences(definition: Definition) -> list[Difference]:
    """Every key of `definition` that has not its default, in the order of the file."""
    own, usual = as_tree(definition), as_tree(Definition())
    return [
        Difference(key=dotted(place), value=_at(own, place), default=_at(usual, place), meaning=meaning(place))
        for place in keys()
        if place != (FOR_PEOPLE,) and _at(own, place) != _at(usual, place)
    ]


def _at(tree: dict[str, Any], place: Place) -> Any:
    return reduce(lambda found, key: found[key], place, tree)
