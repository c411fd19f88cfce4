"""Stands in for `options --json` and `remember --json`: the settings of the filter's page, kept in a file."""

import json
from pathlib import Path
from typing import Any

DEFAULTS = {
    "filter.threshold": "auto",
    "filter.precision": "0.95",
    "filter.unsure": "0.05",
    "filter.method": "cnn",
    "classifier.backbone": "none",
}


def answer(gate: Path, words: list[str]) -> list[dict[str, Any]]:
    """What the command prints; `words` that are name=value are saved."""
    saved = gate.with_suffix(".settings")
    known = json.loads(saved.read_text()) if saved.exists() else {}
    known |= dict(word.split("=", 1) for word in words if "=" in word)
    saved.write_text(json.dumps(known))
    facts = {"meaning": "", "expected": "", "type": "text", "choices": []}
    return [
        {"name": name, "value": known.get(name, default), "default": default, **facts}
        | {"origin": "remembered from the last run" if name in known else "default"}
        for name, default in DEFAULTS.items()
    ]
