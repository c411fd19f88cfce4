"""Read JSON text, and report a syntax error in one line that says where it is."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

MAX_BYTES = 1 << 18  # bytes of a file
MAX_SHOWN = 60  # characters of a value in a message
COMMON_CAUSES = "a comma too many, a comment, or single quotes?"


class DefinitionError(UserError):
    """A definition that cannot be used, with where in its text the mistake is, as far as that is known."""

    def __init__(self, text: str, *, path: Sequence[str | int] = (), line: int | None = None) -> None:
        super().__init__(text)
        self.path = tuple(path)  # the keys that lead to the field in the user's JSON; empty for the whole definition
        self.line = line  # of the text, from 1; None if only the field is known

    @property
    def pointer(self) -> str:
        """The JSON pointer (RFC 6901) of the field; empty for the whole definition."""
        return json_pointer(self.path)


class DuplicateKey:
    """The value of a key that appears twice: by JSON's own rule the last one wins, which hides a mistake."""


def read_text(path: Path) -> str:
    """Read the text file `path`, without the byte-order mark that some editors write.

    Errors: a `UserError` if the file cannot be read, is too large, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise UserError(f"{path}: has more than {MAX_BYTES:,} bytes; a definition has a few hundred")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not JSON: not UTF-8 text from byte {error.start} on; save it as UTF-8") from None


def parse_json(text: str, source: str) -> Any:
    """Parse the JSON `text`; a `UserError` names the `source` of the text, such as its file."""
    if not text.strip():
        raise UserError(f"{source}: is empty; a definition that takes every default is {{}}")
    try:
        tree = json.loads(text, object_pairs_hook=_object_from_pairs)
        duplicate = _duplicate_key_path(tree)
    except json.JSONDecodeError as error:
        path = f"line {error.lineno}, column {error.colno}"
        raise DefinitionError(
            f"{source}: not JSON at {path}: {error.msg} ({COMMON_CAUSES})", line=error.lineno
        ) from None
    except RecursionError:
        raise UserError(f"{source}: JSON that cannot be read: too many nested brackets") from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise UserError(f"{source}: JSON that cannot be read: a number with thousands of digits") from None
    if duplicate:
        raise DefinitionError(f"{source}: {dotted(duplicate)} appears twice; delete one of the two", path=duplicate)
    return tree


def json_pointer(path: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901) of a field: `/settings/gan.epochs`; empty for the whole."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def short_json(value: Any) -> str:
    """`value` as JSON text in one line, cut to `MAX_SHOWN` characters for a message."""
    text = json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def dotted(path: tuple[str | int, ...]) -> str:
    """The path of a field as messages write it: generator.optimizer.learning_rate."""
    return ".".join(key if str(key).isidentifier() else repr(key) for key in map(str, path))


def _object_from_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        result[key] = DuplicateKey() if key in result else value
    return result


def _duplicate_key_path(tree: Any) -> tuple[str | int, ...]:
    """The path of the first key that appears twice; empty if there is none."""
    if not isinstance(tree, dict | list):
        return ()
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, DuplicateKey):
            return (key,)
        if inner := _duplicate_key_path(value):
            return (key, *inner)
    return ()
