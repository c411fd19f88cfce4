"""One option: a dataclass field that knows its help, its bounds, and how to read itself from text."""

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable
from typing import Any

from pipeline.errors import UserError

TRUE, FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def option(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float = -math.inf,
    high: float = math.inf,
    significant: bool = True,
) -> Any:
    """A field of an options dataclass. `significant=False`: it changes how fast or where, never what comes out."""
    metadata = {"help": help, "choices": choices, "low": low, "high": high, "significant": significant}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The base of every options dataclass: values are checked once, when it is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check(field, getattr(self, field.name))

    def significant(self) -> dict[str, Any]:
        """The JSON values that the stage's output depends on."""
        return {
            field.name: as_json(getattr(self, field.name))
            for field in dataclasses.fields(self)
            if field.metadata["significant"]
        }


def as_json(value: Any) -> Any:
    """`value` as JSON has it: tuples become lists."""
    return list(value) if isinstance(value, tuple) else value


def as_text(value: Any) -> str:
    """`value` as it is written in luigi.cfg."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "auto" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'epochs'?`, or all that is known when nothing is near."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(known)}"


def field_of(options: type[Options], name: str, stage: str) -> dataclasses.Field[Any]:
    """The field called `name`; a `UserError` that names the nearest right one if there is none."""
    fields = {field.name: field for field in dataclasses.fields(options)}
    if name not in fields:
        raise UserError(f"{stage} has no option '{name}'; {nearest(name, fields)}")
    return fields[name]


def kind_of(field: dataclasses.Field[Any]) -> tuple[Any, bool]:
    """The plain type of a field and whether it may be None: `float | None` is `(float, True)`."""
    arguments = typing.get_args(field.type)
    if type(None) in arguments:
        return next(kind for kind in arguments if kind is not type(None)), True
    return typing.get_origin(field.type) or field.type, False


def parse(field: dataclasses.Field[Any], text: str, where: str) -> Any:
    """The value that `text` (from luigi.cfg or the command line) gives `field`; `where` names it in the error."""
    kind, optional = kind_of(field)
    text = text.strip()
    try:
        if optional and text.lower() in ("", "auto", "none"):
            return None
        if kind is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return _truth(text) if kind is bool else kind(text)
    except ValueError:
        raise UserError(f"{where} = {text!r}: expected {expected(field)}") from None


def _truth(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise ValueError(text)
    return text.lower() in TRUE


def expected(field: dataclasses.Field[Any]) -> str:
    """What a field takes, in words: 'a whole number, at least 1, for example 100'."""
    kind, optional = kind_of(field)
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", tuple: "a list, a,b,c"}
    words = [f"one of {', '.join(field.metadata['choices'])}" if field.metadata["choices"] else names[kind]]
    if field.metadata["low"] > -math.inf:
        words.append(f"at least {field.metadata['low']:g}")
    if field.metadata["high"] < math.inf:
        words.append(f"at most {field.metadata['high']:g}")
    if optional:
        words.append("or auto")
    if field.default not in (None, "", ()):
        default: Any = field.default
        shown = ",".join(default) if kind is tuple else str(default)
        words.append(f"for example {shown.lower() if kind is bool else shown}")
    return ", ".join(words)


def check(field: dataclasses.Field[Any], value: Any) -> None:
    """Raise a `UserError` that names field, value and what would do, unless `value` is right for `field`."""
    if not _right(field, value):
        raise UserError(f"{field.name} = {value!r}: expected {expected(field)}")


def _right(field: dataclasses.Field[Any], value: Any) -> bool:
    kind, optional = kind_of(field)
    if value is None:
        return optional
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        return False
    choices, parts = field.metadata["choices"], value if kind is tuple else (value,)
    if kind in (int, float):
        return math.isfinite(value) and field.metadata["low"] <= value <= field.metadata["high"]
    return not choices or all(part in choices for part in parts)
