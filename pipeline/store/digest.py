"""SHA-256 digests of values, files and sets."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_HEX = re.compile("[0-9a-f]{64}")


def is_digest(value: Any) -> bool:
    """Whether `value` is text that can be a hex SHA-256, as the id of every picture is."""
    return isinstance(value, str) and bool(_HEX.fullmatch(value))


def of_value(value: Any) -> str:
    """The SHA-256 in hex of a JSON value, independent of the order of its fields."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def of_bytes(blob: bytes) -> str:
    """The SHA-256 in hex of `blob`."""
    return hashlib.sha256(blob).hexdigest()


def of_file(path: Path) -> str:
    """The SHA-256 in hex of a file's content, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def of_set(items: Iterable[Any]) -> str:
    """The SHA-256 in hex of JSON values as a set: independent of order and repetition."""
    return of_json_texts(sorted({json.dumps(item, sort_keys=True) for item in items}))


def of_json_texts(texts: Iterable[str]) -> str:
    """What `of_set` gives of values whose JSON texts are these, each once and in ascending order: there may be more of
    them than memory should hold.
    """
    found = hashlib.sha256(b"[")
    for number, text in enumerate(texts):
        found.update(("," * (number > 0) + json.dumps(text, ensure_ascii=False)).encode())
    found.update(b"]")  # together the JSON list of the texts
    return found.hexdigest()
