"""What a host and voters do with races: make one, enter trainings, open it, vote, close it, look at the results."""

import dataclasses
import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException

from pipeline.errors import UserError
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import timestamp
from pipeline.text import to_plain_line
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.races import blind
from pipeline.web.races.admission import HOUR, MINUTE, NEW_VOTERS, VOTES, Allowance
from pipeline.web.races.ballots import BallotBox, Refused
from pipeline.web.races.ballots import Votes as VotesNow
from pipeline.web.races.candidates import candidate
from pipeline.web.races.race import (
    CLOSED,
    DRAWN,
    FAILED,
    MAX_ENTRIES,
    ONE,
    OPEN,
    PREPARING,
    RANKING,
    WAITING,
    Entry,
    Facts,
    Race,
    Rule,
)
from pipeline.web.races.race_store import VOTES as VOTES_FILE
from pipeline.web.races.race_store import RaceStore
from pipeline.web.races.tally import Score, tally
from pipeline.web.races.tile_painter import LONGEST_LINE, Draw, TilePainter
from pipeline.web.races.tiles import SAMPLES, tile_of_samples, tile_of_upload

MAX_NAME = 80  # characters of a title, and of the name of an uploaded entry
MAX_SEED = 2**31
LOG = logging.getLogger("uvicorn.error")
UNCOUNTED = "how many trainings of its kind were begun was not counted again at the close"


@dataclass(frozen=True, kw_only=True)
class Ballot:
    """A race as one voter sees it."""

    race: Race
    tiles: Mapping[str, str]  # the voter's ids of tiles, in the voter's order, with the entry of each
    choice: tuple[str, ...]  # the voter's ids of the tiles that the voter chose
    changes_left: int


class RaceDesk:
    """The races of a site.

    Args:
        root: The folder of the races.
        paths: The folders of an existing dataset; it raises an error for other names.
        draw: Draws the samples of a tile.
    """

    def __init__(self, root: Path, *, paths: Callable[[str], DatasetPaths], draw: Draw) -> None:
        self.store = RaceStore(root)
        self.painter = TilePainter(self._paint, self._note_failure)
        self._paths, self._draw = paths, draw
        self._boxes: dict[str, BallotBox] = {}
        self._new_voters, self._votes = Allowance(NEW_VOTERS, HOUR), Allowance(VOTES, MINUTE)

    def opens(self, path: str) -> bool:
        """Whether a path is that of a vote, with its token; such a path needs no other token."""
        _, vote, token, *_ = [*path.split("/", 3), "", ""]
        return vote == "vote" and self.store.by_token(token) is not None

    def create(self, *, title: str, rule: Rule, ballot: str = ONE) -> Race:
        """Make a race. Its seed is random and fixed from now on, so nobody can have chosen a training by it."""
        race = Race(
            id=secrets.token_hex(6),
            title=to_plain_line(title, MAX_NAME),
            created=timestamp(),
            rule=rule,
            seed=secrets.randbelow(MAX_SEED),
            ballot=ballot,
            token=secrets.token_urlsafe(24),
            secret=secrets.token_hex(32),
        )
        return self.store.create(race)

    def enter(self, race_id: str, dataset: str, key: str) -> Entry:
        """Enter a training; its tile is drawn in the background."""
        facts = candidate(self._paths(dataset), key)
        name = f"{facts.dataset} {facts.training}"
        entry = self._add(race_id, Entry(id=secrets.token_hex(6), name=name, facts=facts))
        self.painter.request(race_id, entry.id)
        return entry

    def upload(self, race_id: str, name: str, data: bytes) -> Entry:
        """Enter a picture from elsewhere, marked as unverified."""
        rule = self._preparing(self.store.read(race_id)).rule
        tile = tile_of_upload(data, rule.size)
        entry = Entry(id=secrets.token_hex(6), name=to_plain_line(name.strip(), MAX_NAME) or "uploaded", tile=DRAWN)
        write_whole(self.store.tile(race_id, entry.id), tile)
        return self._add(race_id, entry)

    def remove(self, race_id: str, entry_id: str) -> None:
        """Take an entry out of a race that is still being prepared."""

        def change(race: Race) -> Race:
            left = tuple(each for each in self._preparing(race).entries if each.id != entry_id)
            return dataclasses.replace(race, entries=left)

        self.store.change(race_id, change)
        self.store.tile(race_id, entry_id).unlink(missing_ok=True)

    def draw_missing(self, race: Race, *, failed: bool = False) -> None:
        """Ask for the tiles that are not drawn yet, as after a restart; with `failed` also for those that failed."""
        for entry in race.entries:
            if entry.tile == WAITING or (failed and entry.tile == FAILED):
                self.painter.request(race.id, entry.id)

    def open(self, race_id: str) -> Race:
        """Open the vote: from now on the entries are fixed."""

        def change(race: Race) -> Race:
            if obstacle := self._preparing(race).obstacle:
                raise UserError(f"the vote cannot be opened: {obstacle}")
            return dataclasses.replace(race, state=OPEN)

        return self.store.change(race_id, change)

    def prepare_again(self, race_id: str) -> Race:
        """Go back from an open vote to its entries, as long as nobody has voted."""

        def change(race: Race) -> Race:
            if race.state != OPEN:
                raise UserError("this race is not open")
            if self.votes(race).choices:
                raise UserError("somebody has voted already, so the entries stay as they are; make another race")
            return dataclasses.replace(race, state=PREPARING)

        return self.store.change(race_id, change)

    def close(self, race_id: str) -> Race:
        """Close the vote for good: once the counts are known, nobody may vote knowing them."""

        def change(race: Race) -> Race:
            if race.state != OPEN:
                raise UserError("only an open vote can be closed")
            return self._with_tries(dataclasses.replace(race, state=CLOSED, closed=timestamp()))

        return self.store.change(race_id, change)

    def archive(self, race_id: str, archived: bool) -> Race:
        """Put a race away, or take it back into the list. Its link and its state stay."""
        return self.store.change(race_id, lambda race: dataclasses.replace(race, archived=archived))

    def votes(self, race: Race) -> VotesNow:
        """All votes of a race; for hosts only after it was closed, except for their number."""
        box = self._boxes.setdefault(race.id, BallotBox(self.store.folder(race.id) / VOTES_FILE))
        return box.votes()

    def results(self, race: Race) -> list[Score]:
        """The scores of the entries; raises `UserError` until the race is closed."""
        if race.state != CLOSED:
            raise UserError("there are no counts until the host closes the vote")
        choices = self.votes(race).choices.values()
        return tally([each.id for each in race.entries], choices, ranking=race.ballot == RANKING)

    def ballot(self, race: Race, voter: str) -> Ballot:
        """What this voter sees."""
        votes, tiles = self.votes(race), blind.tiles(race, voter)
        chosen = votes.choices.get(voter, ())
        own = tuple(blind.tile_id(race, voter, id) for id in chosen if race.entry(id))
        return Ballot(race=race, tiles=tiles, choice=own, changes_left=votes.changes_left(voter))

    def vote(self, race: Race, voter: str, chosen: Sequence[str], *, address: str) -> Ballot:
        """Record the vote of `voter`, by the voter's ids of tiles; raises `Refused` with a line for the voter.

        `address` is a key of `connections`; an empty one, of this machine and of tunnels that end on it, has no limit.
        """
        if address and not self._votes.take(address):
            raise Refused("too many votes come from this address; try again in a minute")
        choice = _choice(race, blind.tiles(race, voter), chosen)
        with self.store.locked(race.id):
            if self.store.read(race.id).state != OPEN:
                raise Refused("the vote is not open")
            self.votes(race)  # makes the box
            admit = lambda: not address or self._new_voters.take(f"{race.id} {address}")  # noqa: E731  # of new voters only
            self._boxes[race.id].cast(voter, choice, admit=admit)
        return self.ballot(race, voter)

    def _add(self, race_id: str, entry: Entry) -> Entry:
        def change(race: Race) -> Race:
            entries = self._preparing(race).entries
            if len(entries) >= MAX_ENTRIES:
                raise UserError(f"a race has {MAX_ENTRIES} entries at most")
            if entry.facts and any(each.facts and each.facts.key == entry.facts.key for each in entries):
                raise UserError(f"{entry.name} is in this race already")
            return dataclasses.replace(race, entries=(*entries, entry))

        try:
            self.store.change(race_id, change)
        except UserError:
            self.store.tile(race_id, entry.id).unlink(missing_ok=True)
            raise
        return entry

    def _preparing(self, race: Race) -> Race:
        if race.state != PREPARING:
            raise UserError("the entries of this race are fixed, as its vote was opened")
        return race

    def _paint(self, race_id: str, entry_id: str) -> None:
        race = self.store.read(race_id)
        entry = race.entry(entry_id)
        if entry is None or entry.facts is None or entry.tile == DRAWN:
            return
        samples = self._draw(dataset=entry.facts.dataset, key=entry.facts.key, seed=race.seed, count=SAMPLES)
        write_whole(self.store.tile(race_id, entry_id), tile_of_samples(samples, race.rule.size))
        self._note(race_id, entry_id, tile=DRAWN, error="")

    def _note_failure(self, race_id: str, entry_id: str, error: str) -> None:
        self._note(race_id, entry_id, tile=FAILED, error=error)

    def _note(self, race_id: str, entry_id: str, *, tile: str, error: str) -> None:
        def change(race: Race) -> Race:
            entry = race.entry(entry_id)
            return race.with_entry(dataclasses.replace(entry, tile=tile, error=error)) if entry else race

        self.store.change(race_id, change)

    def _with_tries(self, race: Race) -> Race:
        """The race with how many trainings of each kind there are by now, and with which seeds."""
        for entry in race.entries:
            if entry.facts:
                race = race.with_entry(self._counted_again(entry, entry.facts))
        return race

    def _counted_again(self, entry: Entry, facts: Facts) -> Entry:
        """The entry with its tries of now. Closing must not depend on them: what prevents it is noted in the entry."""
        try:
            now = candidate(self._paths(facts.dataset), facts.key)
        except (UserError, HTTPException, OSError) as error:
            reason = error.detail if isinstance(error, HTTPException) else str(error)
            return dataclasses.replace(entry, error=to_plain_line(f"{UNCOUNTED}: {reason}", LONGEST_LINE))
        except Exception as error:
            LOG.exception("the trainings of an entry could not be counted")
            reason = f"{type(error).__name__}; the server's console shows details"
            return dataclasses.replace(entry, error=f"{UNCOUNTED}: {reason}")
        seeds = tuple(sorted({*facts.seeds, *now.seeds}))
        return dataclasses.replace(entry, facts=dataclasses.replace(facts, seeds=seeds, begun=now.begun))


def _choice(race: Race, tiles: Mapping[str, str], chosen: Sequence[str]) -> tuple[str, ...]:
    if not chosen or any(id not in tiles for id in chosen) or len(set(chosen)) != len(chosen):
        raise Refused("choose among the tiles of this page, each once")
    if race.ballot == ONE and len(chosen) > 1:
        raise Refused("choose one tile")
    return tuple(tiles[id] for id in chosen)
