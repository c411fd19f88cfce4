"""The result that every stage returns."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one stage.

    `outputs` maps a name to the SHA-256 (hex) of a part of the stage's content: a later stage that reads this part runs
    again only if the digest changes. `summary` contains the few JSON figures that a person wants to see. `unfinished`
    says how far the stage came if its time was over (`40 of 100 epochs`): the next run continues it.
    """

    outputs: dict[str, str]
    summary: dict[str, Any] = field(default_factory=dict)
    unfinished: str = ""
