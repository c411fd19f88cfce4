"""What a race consists of: a rule, entries, a seed that is fixed when the race is made, and a kind of vote."""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from pipeline.text import counted

PREPARING, OPEN, CLOSED = "preparing", "open", "closed"
ONE, RANKING = "one", "ranking"  # a voter chooses one tile, or puts tiles in order
WAITING, DRAWN, FAILED = "waiting", "drawn", "failed"  # the tile of an entry
ENTRY_ID = re.compile("[0-9A-Za-z_-]+")  # names the file of a tile
MAX_ENTRIES = 24  # more tiles than this cannot be compared on one page
UNVERIFIED = "unverified: it was uploaded, so nothing here shows how it was made"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What every entry must keep to; None where the rule says nothing."""

    size: int  # pixels of a sample's side
    dataset: str | None = None
    minutes: float | None = None  # at most, of training
    epochs: int | None = None  # at most


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of the training of an entry."""

    dataset: str
    key: str  # the content key of the training
    training: str  # its name for people: 001-dcgan-32px
    definition: str
    size: int
    epochs: int
    minutes: float
    seed: int | None
    seeds: tuple[int, ...] = ()  # of all finished trainings of this definition, dataset and size
    begun: int = 0  # trainings of this definition, dataset and size that were ever begun, deleted ones too


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One of those that race. Without `facts` it was uploaded."""

    id: str
    name: str
    facts: Facts | None = None
    tile: str = WAITING
    error: str = ""  # why the tile could not be drawn

    @property
    def verified(self) -> bool:
        """Whether the tile was drawn here, from a generator and the race's seed."""
        return self.facts is not None


@dataclass(frozen=True, kw_only=True)
class Race:
    """A race as it is on the disk."""

    id: str
    title: str
    created: str  # ISO 8601, UTC
    rule: Rule
    seed: int  # of every tile
    ballot: str
    token: str  # in the link for voters
    secret: str  # from which the voters' image addresses and orders follow
    state: str = PREPARING
    closed: str = ""
    archived: bool = False
    entries: tuple[Entry, ...] = field(default=())

    def entry(self, id: str) -> Entry | None:
        """The entry with this id, or None."""
        return next((each for each in self.entries if each.id == id), None)

    def with_entry(self, changed: Entry) -> "Race":
        """The race with `changed` in place of the entry of the same id."""
        entries = tuple(changed if each.id == changed.id else each for each in self.entries)
        return dataclasses.replace(self, entries=entries)

    @property
    def obstacle(self) -> str:
        """Why voting cannot be opened; empty if it can."""
        if len(self.entries) < 2:
            return "a race needs at least two entries"
        if failed := [each.name for each in self.entries if each.tile == FAILED]:
            return f"the tile of {', '.join(failed)} could not be drawn: try again, or remove the entry"
        if waiting := sum(each.tile == WAITING for each in self.entries):
            return f"{counted(waiting, 'tile')} {'is' if waiting == 1 else 'are'} still being drawn"
        return ""


def problems(entry: Entry, rule: Rule) -> list[str]:
    """What an entry does not keep of the rule, a line each; empty if it keeps everything."""
    facts = entry.facts
    if facts is None:
        return [UNVERIFIED]
    found = []
    if rule.dataset and facts.dataset != rule.dataset:
        found.append(f"trained on the dataset {facts.dataset}; the rule says {rule.dataset}")
    if facts.size != rule.size:
        found.append(f"its samples have {facts.size} px; the rule says {rule.size} px")
    if rule.minutes is not None and facts.minutes > rule.minutes:
        found.append(f"trained {in_minutes(facts.minutes)} of at most {in_minutes(rule.minutes)} minutes")
    if rule.epochs is not None and facts.epochs > rule.epochs:
        found.append(f"trained {facts.epochs} of at most {rule.epochs} epochs")
    return found


def in_minutes(minutes: float) -> str:
    """Minutes for people, with at most two decimals."""
    return f"{minutes:.2f}".rstrip("0").rstrip(".")


def luck(facts: Facts) -> str:
    """How many tries stand behind an entry, in words."""
    finished = ", ".join(map(str, facts.seeds)) or "none"
    return (
        f"{counted(max(facts.begun, len(facts.seeds)), 'training')} of this definition, dataset and size begun;"
        f" finished with the {'seed' if len(facts.seeds) == 1 else 'seeds'} {finished}"
    )


def to_row(race: Race) -> dict[str, Any]:
    """The JSON object of a race."""
    return dataclasses.asdict(race)


def from_row(row: Mapping[str, Any]) -> Race:
    """The race of a JSON object. Errors: `ValueError` if it is none, which no page could show."""
    made = _SHAPE.validate_json(json.dumps(row, ensure_ascii=False).encode())
    if made.state not in (PREPARING, OPEN, CLOSED) or made.ballot not in (ONE, RANKING):
        raise ValueError("neither state nor kind of vote is known")
    if not (made.token and made.secret) or not all(ENTRY_ID.fullmatch(each.id) for each in made.entries):
        raise ValueError("not a race")
    return made


_SHAPE = TypeAdapter(Race)
