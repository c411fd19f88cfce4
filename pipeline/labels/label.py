"""One label: what somebody said about one picture, and when."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

VALUES = ("on", "off", "unsure")
_ID = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Label:
    """A row of the label log. `label` is 'on', 'off' or 'unsure'; None takes an earlier label back."""

    id: str  # the picture's: SHA-256 of its raw bytes, in hex
    label: str | None
    time: str  # ISO 8601, UTC
    how: str  # 'page', 'folder', 'seed', ...

    def row(self) -> dict[str, Any]:
        """The JSON object that stands for it in the log."""
        return asdict(self)


def fault(row: dict[str, Any]) -> str:
    """What is wrong with `row` as a label, in words; empty when nothing is."""
    if not isinstance(row.get("id"), str) or not _ID.fullmatch(row["id"]):
        return f"id {row.get('id')!r} is not 64 hex digits"
    if "label" not in row or row["label"] not in (*VALUES, None):
        return f"label {row.get('label')!r} is none of {', '.join(VALUES)}, null"
    return ""


def now() -> str:
    """This moment, as labels write it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
