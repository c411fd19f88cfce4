"""What the last labels did: the sentences above the grid."""

import shutil

import pytest

from pipeline.web.dataset_view import last_gain, newer
from pipeline.web.picture_index import CatalogueCache
from tests.web.drawn_home import picture_id


def scores(home, **changed):
    found = dict.fromkeys(home.ids(30), 0.9) | {picture_id(number): 0.1 for number in range(20, 30)}
    return found | {picture_id(int(name[1:])): value for name, value in changed.items()}


def summary(client):
    return client.get("/d/cats/summary").json()


def test_before_any_filter_there_is_nothing_to_say(client):
    assert (summary(client)["gain"], summary(client)["filtered"], summary(client)["newer"]) == ("", False, 0)


def test_one_filter_has_nothing_to_be_compared_with(home, client):
    home.filter(scores(home))
    assert summary(client)["gain"] == ""


def test_two_filters_with_other_labels_are_compared(home, client):
    labels = {picture_id(0): "on", picture_id(1): "off"}
    home.filter(scores(home))
    home.filter(scores(home, p5=0.2, p6=0.3, p25=0.8), labels=labels)
    expected = "The last 2 labels changed 4 of 30 decisions (3 on pictures without a label)."
    assert summary(client)["gain"] == expected


def test_two_filters_with_the_same_labels_are_not(home):
    home.filter(scores(home), labels={picture_id(0): "on"})
    home.filter(scores(home, p5=0.2), labels={picture_id(0): "on"})
    place = home.place()
    assert last_gain(place, CatalogueCache(place).now()) is None


def test_labels_newer_than_the_filter_are_counted_those_taken_back_too(home, client):
    home.filter(scores(home), labels={picture_id(0): "on", picture_id(1): "off"})
    home.label({picture_id(1): "off", picture_id(2): "on", picture_id(3): "unsure"})
    assert summary(client)["newer"] == 3  # one taken back, two given
    assert newer(CatalogueCache(home.place()).now(), {picture_id(0): "on", picture_id(1): "off"}) == 0


@pytest.mark.parametrize(
    ("made", "hint", "enough"), [({}, "", False), ({"hint": "More.", "enough": True}, "More.", True)]
)
def test_what_the_classifier_advises_is_passed_on_where_it_is_there(home, client, made, hint, enough):
    home.classifier(**made)
    assert (summary(client)["hint"], summary(client)["enough"]) == (hint, enough)


def test_there_are_not_enough_labels_while_the_filter_has_a_notice(home, client):
    home.classifier(hint="average precision 0.9 from 80; 40 more may add 0.001: hardly worth it", enough=True)
    home.filter(scores(home), notice="precision 0.95 is expected but not shown yet: some 40 more labels would show it")
    assert summary(client)["enough"] is False
    assert summary(client)["hint"] == (
        "Average precision 0.9 from 80; 40 more may add 0.001: hardly worth it."
        " Precision 0.95 is expected but not shown yet: some 40 more labels would show it."
    )
    home.filter(scores(home), labels={picture_id(0): "on"})
    assert summary(client)["hint"] == "Average precision 0.9 from 80; 40 more may add 0.001: hardly worth it."
    assert summary(client)["enough"] is True


def test_a_filter_that_is_gone_costs_the_sentence_and_not_the_page(home, client):
    home.filter(scores(home))
    home.filter(scores(home), labels={picture_id(0): "on"})
    assert summary(client)["gain"]
    shutil.rmtree(home.shelf("filter").root)
    assert (summary(client)["gain"], summary(client)["filtered"]) == ("", False)
