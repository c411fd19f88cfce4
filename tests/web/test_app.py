"""The routes, asked as a browser asks them."""

import pytest

from tests.web.drawn_home import picture_id


def mark(client, number, label, was=None, **more):
    body = {"marks": [{"id": picture_id(number), "label": label, "was": [was]}]}
    return client.post("/d/cats/marks", json=body, **more)


def test_the_first_page_lists_the_datasets_with_their_counts(home, client):
    home.label({picture_id(1): "on"})
    shown = client.get("/").text
    assert 'href="/d/cats/"' in shown
    assert '<td class="number">30</td>' in shown


def test_a_view_has_pictures_with_all_that_is_known_of_them(home, client):
    found = client.get("/d/cats/pictures?view=all&count=10").json()
    assert found["total"] == 30
    assert len(found["pictures"]) == 10
    first = found["pictures"][0]
    assert (first["id"], first["title"], first["host"]) == (picture_id(0), "picture 0", "host0.example")
    assert (first["score"], first["label"]) == (None, None)


def test_a_mark_is_on_the_disk_when_it_is_answered(home, client):
    answer = mark(client, 3, "on")
    assert answer.status_code == 200
    assert answer.json()["labels"] == {picture_id(3): "on"}
    (logged,) = home.logged()
    assert (logged["id"], logged["label"], logged["how"]) == (picture_id(3), "on", "page")


def test_squares_are_kept_by_the_browser_for_ever(home, client):
    answer = client.get(f"/d/cats/square/{picture_id(1)}?v=1")
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/", "/d/cats/", "/d/cats/summary", "/d/cats/changes", "/d/cats/pictures"])
def test_every_page_answers(home, client, path):
    assert client.get(path).status_code == 200
