"""Votes on the disk: appended, limited, whole after a crash."""

import pytest

from pipeline.web.races import ballots
from pipeline.web.races.ballots import MAX_CHANGES, BallotBox, Refused


@pytest.fixture
def box(tmp_path):
    return BallotBox(tmp_path / "votes.jsonl")


def test_the_last_vote_of_a_voter_counts_and_the_earlier_one_stays_on_the_disk(box):
    box.cast("ann", ("x",))
    box.cast("bob", ("y",))
    assert box.cast("ann", ("y",)).choices == {"ann": ("y",), "bob": ("y",)}
    assert len(box.path.read_text().splitlines()) == 3


def test_the_same_vote_again_writes_nothing(box):
    box.cast("ann", ("x",))
    before = box.path.read_bytes()
    box.cast("ann", ("x",))
    assert box.path.read_bytes() == before


def test_a_vote_can_be_changed_only_so_often(box):
    for number in range(MAX_CHANGES):
        votes = box.cast("ann", (str(number),))
    assert votes.changes_left("ann") == 0
    with pytest.raises(Refused, match="stays as it is"):
        box.cast("ann", ("other",))
    assert box.votes().choices == {"ann": (str(MAX_CHANGES - 1),)}


def test_a_race_takes_only_so_many_voters_but_those_who_have_voted_may_change(box, monkeypatch):
    monkeypatch.setattr(ballots, "MAX_VOTERS", 2)
    box.cast("ann", ("x",))
    box.cast("bob", ("x",))
    with pytest.raises(Refused, match="no more"):
        box.cast("eve", ("x",))
    assert box.cast("bob", ("y",)).choices == {"ann": ("x",), "bob": ("y",)}


def test_admission_is_asked_for_new_voters_only(box):
    box.cast("ann", ("x",))
    with pytest.raises(Refused, match="address"):
        box.cast("bob", ("x",), admit=lambda: False)
    assert box.cast("ann", ("y",), admit=lambda: False).choices == {"ann": ("y",)}


@pytest.mark.parametrize("torn", [b'{"voter": "', b"\xff\n", b'{"voter": 3, "choice": ["x"]}\n', b"[]\n"])
def test_a_line_that_cannot_be_read_counts_for_nobody_and_swallows_no_vote(box, torn):
    box.cast("ann", ("x",))
    with box.path.open("ab") as file:
        file.write(torn)
    assert box.votes().unreadable == 1
    assert box.cast("bob", ("y",)).choices == {"ann": ("x",), "bob": ("y",)}
    assert BallotBox(box.path).votes() == box.votes()
