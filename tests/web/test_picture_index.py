"""What the page knows of a dataset while stages are made, deleted and gone back to."""

import dataclasses
import shutil

import pytest

from pipeline.web.picture_index import CatalogueCache
from tests.web.drawn_home import DrawnHome, picture_id


@pytest.fixture
def keeper(home):
    return CatalogueCache(home.place())


def test_pictures_are_joined_with_the_crawl_and_the_scores(home, keeper):
    home.filter(dict.fromkeys(home.ids(30), 0.75))
    found = keeper.now().by_id[picture_id(4)]
    assert (found.title, found.source, found.host) == ("picture 4", "bing: cat", "host0.example")
    assert (found.score.score, found.score.spread) == (0.75, 0.05)
    assert keeper.now().threshold == 0.5


def test_it_is_read_once_as_long_as_nothing_is_made(keeper):
    assert keeper.now() is keeper.now()


def test_a_new_filter_is_seen(home, keeper):
    assert keeper.now().filter is None
    home.filter(dict.fromkeys(home.ids(30), 0.75))
    assert keeper.now().by_id[picture_id(0)].probability == 0.75


def test_going_back_to_earlier_labels_goes_back_to_their_scores(home, keeper):
    first = home.filter(dict.fromkeys(home.ids(30), 0.25))
    home.filter(dict.fromkeys(home.ids(30), 0.75), labels={picture_id(0): "on"})
    assert keeper.now().by_id[picture_id(0)].probability == 0.75
    home.shelf("filter").point_latest(first.folder)
    assert keeper.now().by_id[picture_id(0)].probability == 0.25


def test_a_filter_of_other_squares_does_not_count(home, keeper):
    home.filter(dict.fromkeys(home.ids(30), 0.75))
    home.draw(20)
    assert len(keeper.now().pictures) == 20
    assert keeper.now().filter is None


def test_the_squares_that_the_settings_name_come_before_newer_ones(home):
    chosen = home.shelf("normalize").newest().folder
    home.draw(20)
    place = dataclasses.replace(home.place(), chosen=lambda: chosen)
    assert len(CatalogueCache(place).now().pictures) == 30


def test_squares_that_are_gone_leave_those_that_are_there(home, keeper):
    chosen = home.shelf("normalize").newest().folder
    keeper.place = dataclasses.replace(keeper.place, chosen=lambda: chosen)
    home.draw(20)
    assert len(keeper.now().pictures) == 30
    shutil.rmtree(chosen)
    assert len(keeper.now().pictures) == 20
    shutil.rmtree(home.shelf("normalize").root)
    assert keeper.now().pictures == ()


def test_a_crawl_or_a_filter_that_is_gone_costs_only_its_facts(home, keeper):
    home.filter(dict.fromkeys(home.ids(30), 0.75))
    keeper.now()
    shutil.rmtree(home.shelf("download").root)
    shutil.rmtree(home.shelf("filter").root)
    found = keeper.now().by_id[picture_id(4)]
    assert (len(keeper.now().pictures), found.title, found.score) == (30, "", None)


def test_nothing_at_all_is_an_empty_catalogue(tmp_path):
    assert CatalogueCache(DrawnHome(tmp_path).place()).now().pictures == ()


@pytest.mark.parametrize(
    "page", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://[", "//x", ""]
)
def test_only_web_addresses_become_links(tmp_path, page):
    home = DrawnHome(tmp_path)
    home.draw(1, rows={0: {"page": page, "url": page}})
    facts = CatalogueCache(home.place()).now().pictures[0].facts()
    assert (facts["page"], facts["url"]) == ("", "")


def test_a_page_that_is_open_survives_what_gc_deletes(home, client):
    shown = client.get("/d/cats/pictures?view=all").json()["pictures"]
    shutil.rmtree(home.shelf("normalize").root)
    shutil.rmtree(home.shelf("download").root)
    assert client.get(f"/d/cats/square/{shown[0]['id']}").status_code == 404
    assert client.get("/d/cats/changes").status_code == 200
    assert client.get("/d/cats/summary").json()["pictures"] == 0
    answer = client.post("/d/cats/marks", json={"marks": [{"id": shown[0]["id"], "label": "on", "was": [None]}]})
    assert (answer.status_code, "unknown" in answer.json()) == (503, False)
    assert home.logged() == []
