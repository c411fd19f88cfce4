"""SHA-256 digests of values, files and sets."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

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


class HashingFile:
    """Passes what is written on to a file, and computes its SHA-256."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._sha256 = file, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        """Write `data`."""
        self._sha256.update(data)
        return self._file.write(data)

    def hexdigest(self) -> str:
        """The SHA-256 in hex of all that was written."""
        return self._sha256.hexdigest()


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
