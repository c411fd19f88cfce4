"""What a row of the download says of the class of its picture: a class, a subfolder, a query."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

FOLDERS = ("folder", "imagefolder")  # sources whose titles are paths below a folder
Row = Mapping[str, Any]
# In the order in which they are asked for; empty text where a row says nothing
KINDS: Mapping[str, Callable[[Row], str]] = {
    "class": lambda row: str(row.get("class") or ""),
    "subfolder": lambda row: row["title"].rpartition("/")[0].partition("/")[0] if row["engine"] in FOLDERS else "",
    "query": lambda row: str(row["query"]),
}


def describe_class(row: Row) -> list[str]:
    """All that a `row` of images.jsonl says of the class of its picture, a text for each of `KINDS`."""
    return [of(row) for of in KINDS.values()]


class ClassesDigest:
    """A digest of what the rows of saved pictures say of their classes, in whichever order they come; it takes no
    memory for a row."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, row: Row) -> None:
        """Take `row` into account, once for each picture."""
        text = json.dumps([row["id"], *describe_class(row)])
        self._sum += int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")

    def hexdigest(self) -> str:
        """The digest of all rows so far, 64 hex digits."""
        return f"{self._sum % 2**256:064x}"
