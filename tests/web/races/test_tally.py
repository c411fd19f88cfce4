"""Votes are counted: first places, Borda points, ties."""

import pytest

from pipeline.web.races.tally import tally


def scores(entries, choices, *, ranking):
    return [(each.id, each.place, each.first, each.points) for each in tally(entries, choices, ranking=ranking)]


def test_first_places_decide_a_vote_for_one_tile():
    found = tally("abc", [("b",), ("b",), ("c",)], ranking=False)
    assert [(each.id, each.place, each.first) for each in found] == [("b", 1, 2), ("c", 2, 1), ("a", 3, 0)]


def test_entries_with_the_same_figures_share_a_place_and_the_next_place_is_left_out():
    found = tally("abc", [("a",), ("b",)], ranking=False)
    assert [(each.id, each.place) for each in found] == [("a", 1), ("b", 1), ("c", 3)]


def test_points_decide_a_ranking_even_against_first_places():
    choices = [("a", "b", "c"), ("a", "b", "c"), ("b", "c", "a"), ("b", "c", "a"), ("c", "b", "a")]
    assert scores("abc", choices, ranking=True) == [("b", 1, 2, 7.0), ("a", 2, 2, 4.0), ("c", 2 + 1, 1, 4.0)]


def test_entries_that_a_voter_did_not_rank_share_the_points_that_are_left():
    assert scores("abcd", [("c",)], ranking=True) == [
        ("c", 1, 1, 3.0),
        ("a", 2, 0, 1.0),
        ("b", 2, 0, 1.0),
        ("d", 2, 0, 1.0),
    ]


@pytest.mark.parametrize("choice", [(), ("gone",), ("gone", "gone")])
def test_a_choice_without_an_entry_counts_for_nobody(choice):
    assert scores("ab", [choice], ranking=True) == [("a", 1, 0, 0.0), ("b", 1, 0, 0.0)]


def test_an_entry_counts_once_in_a_choice():
    assert scores("ab", [("b", "b", "a")], ranking=True) == [("b", 1, 1, 1.0), ("a", 2, 0, 0.0)]
