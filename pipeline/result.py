"""What every stage returns."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """The outcome of one stage.

    `outputs` maps a name to the SHA-256 (hex) of a part of the stage's content that others read; what hangs below
    runs again only when the digest it reads changes. `summary` holds the few JSON figures a person wants to see.
    """

    outputs: dict[str, str]
    summary: dict[str, Any] = field(default_factory=dict)
