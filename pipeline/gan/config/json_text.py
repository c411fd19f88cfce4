"""The text of a JSON file as values, and what is wrong with the text itself, in one line that says where."""

import json
from pathlib import Path
from typing import Any

from pipeline.errors import UserError

MOST = 1 << 18  # bytes of a file
LONGEST = 60  # characters of a value that a message shows
USUAL_FAULTS = "a comma too many, a comment, or single quotes?"


class Twice:
    """Stands where a key was given a second time: JSON's own rule, that the last one wins, hides a mistake."""


def read_text(path: Path) -> str:
    """What the file `path` holds, without the byte-order mark that some editors begin with."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST + 1)
        if len(data) > MOST:
            raise UserError(f"{path}: has more than {MOST:,} bytes, and a definition has some hundreds")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not JSON: no text in UTF-8 from byte {error.start} on; save it as UTF-8") from None


def parse_document(text: str, where: str) -> Any:
    """The values in the JSON `text`; `where` names it in a `UserError`."""
    if not text.strip():
        raise UserError(f"{where}: is empty; a definition that takes every default is {{}}")
    try:
        tree = json.loads(text, object_pairs_hook=_object)
        twice = _twice(tree)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"{where}: not JSON at {place}: {error.msg} ({USUAL_FAULTS})") from None
    except RecursionError:
        raise UserError(f"{where}: not JSON that can be read: too many brackets inside each other") from None
    except ValueError:  # Python reads no number of more than 4300 digits
        raise UserError(f"{where}: not JSON that can be read: a number with thousands of digits") from None
    if twice:
        raise UserError(f"{where}: {dotted(twice)} stands there twice; delete one of the two")
    return tree


def shown(value: Any) -> str:
    """`value` as JSON has it, in one line and not too long for a message."""
    text = json.dumps(value, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def dotted(place: tuple[str | int, ...]) -> str:
    """Where a key stands, as messages write it: generator.optimizer.learning_rate."""
    return ".".join(key if str(key).isidentifier() else repr(key) for key in map(str, place))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = Twice() if key in found else value
    return found


def _twice(tree: Any) -> tuple[str | int, ...]:
    """Where the first key that was given twice stands; empty if there is none."""
    if not isinstance(tree, dict | list):
        return ()
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, Twice):
            return (key,)
        if below := _twice(value):
            return (key, *below)
    return ()
