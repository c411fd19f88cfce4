"""Races from their making to their results, with many voters at once and with limits for each address."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from starlette.exceptions import HTTPException

from pipeline.web.races import blind
from pipeline.web.races.admission import VOTES
from pipeline.web.races.ballots import Refused
from pipeline.web.races.race import ONE, RANKING, Rule
from pipeline.web.races.race_desk import RaceDesk
from tests.web import fake_trainings

ADDRESS = "2001:db8:1:2::/64"


def draw(*, dataset, key, seed, count):
    return [np.full((16, 16, 3), int(key[:2], 16), np.uint8) for _ in range(count)]


@pytest.fixture
def fake_dataset(bare_dataset):
    return bare_dataset


@pytest.fixture
def desk(fake_dataset):
    return RaceDesk(fake_dataset.data.parent / ".races", paths=fake_dataset.site().paths, draw=draw)


def opened(desk, fake_dataset, ballot=ONE):
    """An open race of three trainings."""
    race = desk.create(title="Cats", rule=Rule(size=16), ballot=ballot)
    for name in ("one", "two", "three"):
        desk.enter(race.id, "cats", fake_trainings.training(fake_dataset, name))
    desk.painter.wait()
    return desk.open(race.id)


def new_voter(race):
    return blind.voter_of(race, blind.new_cookie(race))


def vote(desk, race, voter, *entries, address=""):
    chosen = [blind.tile_id(race, voter, race.entries[number].id) for number in entries]
    return desk.vote(race, voter, chosen, address=address)


def test_rankings_are_counted_by_points(desk, fake_dataset):
    race = opened(desk, fake_dataset, RANKING)
    for ranking in ((0, 1, 2), (1, 2, 0), (1,)):
        vote(desk, race, new_voter(race), *ranking)
    found = {each.id: (each.place, each.first, each.points) for each in desk.results(desk.close(race.id))}
    assert [found[entry.id] for entry in race.entries] == [(2, 1, 2.5), (1, 2, 5.0), (3, 0, 1.5)]


def test_a_vote_for_one_tile_takes_no_ranking_and_no_tile_of_another_voter(desk, fake_dataset):
    race = opened(desk, fake_dataset)
    voter = new_voter(race)
    with pytest.raises(Refused, match="choose one tile"):
        vote(desk, race, voter, 0, 1)
    other = blind.tile_id(race, new_voter(race), race.entries[0].id)
    for chosen in ([], [other], [blind.tile_id(race, voter, race.entries[0].id)] * 2):
        with pytest.raises(Refused, match="each once"):
            desk.vote(race, voter, chosen, address="")


def test_no_vote_is_lost_when_many_vote_at_once(desk, fake_dataset):
    race = opened(desk, fake_dataset)
    voters = [new_voter(race) for _ in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: vote(desk, race, voters[at % 40], at // 40), range(80)))
    votes = desk.votes(race)
    assert (len(votes.choices), sum(votes.rows.values()), votes.unreadable) == (40, 80, 0)
    assert sum(each.first for each in desk.results(desk.close(race.id))) == 40


def test_requests_of_one_address_are_limited_and_those_of_this_machine_are_not(desk, fake_dataset):
    race = opened(desk, fake_dataset)
    voter = new_voter(race)
    for address, refused in (("", 0), (ADDRESS, 1), ("192.0.2.1", 1)):
        taken = 0
        for _ in range(VOTES + 1):
            try:
                vote(desk, race, voter, 0, address=address)
                taken += 1
            except Refused:
                pass
        assert taken == VOTES + 1 - refused


def test_new_voters_of_one_address_are_limited(desk, fake_dataset, monkeypatch):
    race = opened(desk, fake_dataset)
    monkeypatch.setattr(desk._new_voters, "most", 2)
    first = new_voter(race)
    vote(desk, race, first, 0, address=ADDRESS)
    vote(desk, race, new_voter(race), 0, address=ADDRESS)
    with pytest.raises(Refused, match="from this address"):
        vote(desk, race, new_voter(race), 0, address=ADDRESS)
    vote(desk, race, first, 1, address=ADDRESS)
    vote(desk, race, new_voter(race), 0, address="")
    assert len(desk.votes(race).choices) == 3


def test_race_closes_even_if_its_trainings_cannot_be_counted_and_says_so(desk, fake_dataset, monkeypatch):
    race = opened(desk, fake_dataset)

    def gone(dataset):
        raise HTTPException(404, "there is no such dataset")

    monkeypatch.setattr(desk, "_paths", gone)
    closed = desk.close(race.id)
    assert {each.error for each in closed.entries} == {
        "how many trainings of its kind were begun was not counted again at the close: there is no such dataset"
    }
    assert [each.facts for each in closed.entries] == [each.facts for each in race.entries]


def test_error_of_the_program_at_the_close_is_logged_and_shown(desk, fake_dataset, monkeypatch, caplog):
    race = opened(desk, fake_dataset)
    monkeypatch.setattr(desk, "_paths", lambda dataset: None)
    closed = desk.close(race.id)
    assert closed.entries[0].error.endswith("AttributeError; the server's console shows details")
    assert "could not be counted" in caplog.text
