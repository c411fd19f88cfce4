"""How a setting is declared, read from text, checked, and described in an error message.

The options of the stages (luigi.cfg, flags) and the GAN definitions (models/*.json) are strict pydantic models alike:
`StrictModel` says what that means. `value_type`, `bounds`, `first_mistake` and `nearest` word the errors of both.
"""

import difflib
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipeline.errors import UserError

TRUE, FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
KIND_WORDS: dict[type, str] = {int: "a whole number", float: "a number", bool: "true or false"}
VALUE_WORDS = KIND_WORDS | {str: "text"}
LIST_WORDS: dict[type, str] = {float: "numbers, separated by commas"}
_ADDED = "added"  # marks a field whose default is not part of the content key


class StrictModel(BaseModel):
    """An immutable, hashable model. A value of another type ("64" for 64), NaN and an unknown name are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True)


@dataclass(frozen=True, kw_only=True)
class ValueType:
    """What a field may hold: `tuple[Literal["a", "b"], ...]` is a list of str, each of them "a" or "b"."""

    base_type: type  # int, float, bool or str; of a list, the type of its items
    choices: tuple[str, ...] = ()  # the only values that are allowed; empty if any value of the type is
    is_list: bool = False
    may_be_none: bool = False


def value_type(annotation: Any) -> ValueType:
    """What a field with this type annotation may hold."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ValueType(base_type=str, choices=arguments)
    if origin is tuple:
        return replace(value_type(arguments[0]), is_list=True)
    if type(None) in arguments:
        return replace(value_type(next(each for each in arguments if each is not type(None))), may_be_none=True)
    return ValueType(base_type=annotation)


def bounds(field: FieldInfo) -> list[str]:
    """The bounds of a field in words: `["at least 1", "at most 50"]`."""
    words = []
    for bound in field.metadata:
        words += [f"at least {plain_number(bound.ge)}"] if hasattr(bound, "ge") else []
        words += [f"at most {plain_number(bound.le)}"] if hasattr(bound, "le") else []
    return words


def plain_number(number: float) -> str:
    """A number as people write it: 20000, 0.05."""
    return str(number) if isinstance(number, int) else f"{number:g}"


def first_mistake(error: ValidationError) -> ErrorDetails:
    """The first of the mistakes in `error`; unknown names come before others, as they may be the cause of the rest."""
    return sorted(error.errors(), key=lambda mistake: mistake["type"] != "extra_forbidden")[0]


def similar(name: str, known: Iterable[str]) -> str:
    """The one of `known` that `name` is probably a misspelling of; empty if there is none."""
    folded = {each.casefold(): each for each in sorted(known, reverse=True)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[near[0]] if near else ""


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'epochs'?`, or the list of known names if none is similar."""
    known = sorted(known)
    found = similar(name, known)
    return f"did you mean '{found}'?" if found else f"known are: {', '.join(known)}"


def option(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    significant: bool = True,
    added: bool = False,
) -> Any:
    """A field of an `Options` class, with values from `low` to `high`.

    Args:
        default: Its value if it is not given.
        meaning: What it is, for help, docs/settings.md and errors.
        low: The least value.
        high: The greatest value.
        significant: Whether it changes what a stage makes, and not only how fast or where it works. The content key
            depends on significant options alone.
        added: It came after artifacts of the stage had been made: its default leaves their content keys as they are.
    """
    # What is excluded is left out of model_dump(), and so of Options.significant()
    extra: Any = {_ADDED: True} if added else None
    return Field(default, description=meaning, ge=low, le=high, exclude=not significant, json_schema_extra=extra)


class Options(StrictModel):
    """The base of the options of each stage. A value that is not allowed is a `UserError`: `epochs = 0: expected …`."""

    def significant(self) -> dict[str, Any]:
        """The values that the stage's output depends on, as JSON has them, in the order of the class."""
        fields = type(self).model_fields
        return {
            name: as_json(value)
            for name, value in self.model_dump().items()
            if value != fields[name].default or not _is_added(fields[name])
        }

    @classmethod
    def left_out(cls, name: str) -> Any:
        """The value of the option `name`, as JSON has it, where `significant` leaves it out: an added one's default."""
        field = cls.model_fields.get(name)
        return as_json(field.default) if field and _is_added(field) else None

    @model_validator(mode="wrap")
    @classmethod
    def _explain_mistakes(cls, values: Any, check: ModelWrapValidatorHandler["Options"]) -> "Options":
        try:
            return check(values)
        except ValidationError as error:
            raise UserError(cls._explanation(first_mistake(error), values)) from None

    @classmethod
    def _explanation(cls, mistake: ErrorDetails, values: Any) -> str:
        if not mistake["loc"]:
            return f"expected the options of a stage by name, not {values!r}"
        name = str(mistake["loc"][0])
        if mistake["type"] == "extra_forbidden":
            return f"there is no option '{name}'; {nearest(name, cls.model_fields)}"
        own = mistake["type"] == "value_error"  # raised by a validator of the class, which says what it expects
        expectation = str(mistake["ctx"]["error"]) if own else expected(cls.model_fields[name])
        value = values[name]
        shown = as_text(value) if isinstance(value, tuple) else value
        return f"{name} = {shown!r}: expected {expectation}{_nearest_choice(mistake, cls.model_fields[name])}"


def _is_added(field: FieldInfo) -> bool:
    return isinstance(field.json_schema_extra, dict) and _ADDED in field.json_schema_extra


def _nearest_choice(mistake: ErrorDetails, field: FieldInfo) -> str:
    """`; did you mean 'bing'?` if the wrong word is similar to one that is allowed."""
    word, choices = str(mistake["input"]), value_type(field.annotation).choices
    found = similar(word, choices)
    return f"; did you mean '{found}' for '{word}'?" if found else ""


def field_of(options: type[Options], name: str, stage: str) -> FieldInfo:
    """The field called `name`. Errors: a `UserError` that suggests the nearest name if there is none."""
    if name not in options.model_fields:
        raise UserError(f"{stage} has no option '{name}'; {nearest(name, options.model_fields)}")
    return options.model_fields[name]


def parse(field: FieldInfo, text: str, where: str) -> Any:
    """The value that `text` (from luigi.cfg or the command line) gives `field`; bounds are checked by the model.

    Errors: a `UserError` that begins with `where` if the text does not have the form that the field takes.
    """
    kind, text = value_type(field.annotation), text.strip()
    try:
        text.encode()  # a name of bytes that are not UTF-8 could not be written to any file of a run
        if "\0" in text:  # no process takes it as an argument
            raise ValueError(text)
        if kind.may_be_none and text.lower() in ("", "auto", "none"):
            return None
        if kind.is_list:
            return tuple(PARSERS[kind.base_type](part.strip()) for part in text.split(",") if part.strip())
        return PARSERS[kind.base_type](text)
    except (ValueError, OverflowError):
        raise UserError(f"{where} = {text!r}: expected {expected(field)}") from None


def _parse_bool(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise ValueError(text)
    return text.lower() in TRUE


def _parse_int(text: str) -> int:
    float(number := int(text))  # raises OverflowError for hundreds of digits, which no stage could compute with
    return number


PARSERS: dict[type, Callable[[str], Any]] = {int: _parse_int, float: float, bool: _parse_bool, str: str}


def accepted(field: FieldInfo) -> str:
    """The values that an option accepts, in words: 'a whole number, at least 1, or auto'."""
    kind = value_type(field.annotation)
    if kind.choices:
        names = ", ".join(kind.choices)
        words = [f"one or more of {names}, separated by commas" if kind.is_list else f"one of {names}"]
    else:
        words = [LIST_WORDS.get(kind.base_type, "a list, a,b,c") if kind.is_list else VALUE_WORDS[kind.base_type]]
    return ", ".join([*words, *bounds(field), *(["or auto"] if kind.may_be_none else [])])


def expected(field: FieldInfo) -> str:
    """The same with an example: 'a whole number, at least 1, for example 100'."""
    has_example = field.default not in (None, "", ())
    return accepted(field) + (f", for example {as_text(field.default)}" if has_example else "")


def as_json(value: Any) -> Any:
    """`value` as JSON has it: tuples become lists."""
    return list(value) if isinstance(value, tuple) else value


def as_text(value: Any) -> str:
    """`value` as it is written in luigi.cfg."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "auto" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
