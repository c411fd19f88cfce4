"""Races on the disk: what is read again is what was written, and a damaged file takes no other race with it."""

import json
import secrets

import pytest

from pipeline.web.races.race import Entry, Facts, Race, Rule
from pipeline.web.races.race_store import RaceStore

FACTS = Facts(
    dataset="cats", key="a" * 64, training="001", definition="dcgan", size=16, epochs=2, minutes=1.5, seed=None
)


def made(store):
    """A race with an entry of each kind."""
    entries = (Entry(id="0" * 12, name="one", facts=FACTS), Entry(id="1" * 12, name="guest"))
    return store.create(
        Race(
            id=secrets.token_hex(6),
            title="Cats",
            created="2026-01-01T00:00:00+00:00",
            rule=Rule(size=16, minutes=30),
            seed=5,
            ballot="one",
            token="token",
            secret="secret",
            entries=entries,
        )
    )


def test_race_is_read_as_it_was_written(tmp_path):
    race = made(RaceStore(tmp_path))
    assert RaceStore(tmp_path).all() == [race]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": None},
        {"seed": "x"},
        {"rule": {"size": 16, "minutes": "x"}},
        {"archived": "x"},
        {"title": "\ud800"},
        {"token": "\ud800"},
        {"entries": 5},
        {"entries": [{"id": 5, "name": "one"}]},
        {"entries": [{"id": "../../cats/labels", "name": "one"}]},
        {"entries": [{"id": "a", "name": "one", "facts": {"epochs": "x"}}]},
        {"state": "won"},
    ],
)
def test_race_that_no_page_could_show_is_damaged_and_others_are_found(tmp_path, change):
    store = RaceStore(tmp_path)
    race, other = made(store), made(store)
    path = store.folder(race.id) / "race.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert store.find(race.id) is None
    assert (store.all(), store.damaged()) == ([other], [race.id])
