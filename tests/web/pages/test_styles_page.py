"""The pages of style transfers over HTTP: names are escaped, damage hides nothing else, older ones have pages."""

import json
import shutil

import pytest
from bs4 import BeautifulSoup

from pipeline.web.pages import styles_page
from tests.web.api.test_styles_api import API, server  # noqa: F401  # a fixture

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def finished(server):  # noqa: F811
    """The server, with a finished transfer that is called SCRIPT; and the folder of its picture."""
    server.gate.write_text("done")
    id = server.post(content=(f"{SCRIPT}.png",), name=SCRIPT).json()["id"]
    server.until(id, lambda found: found["state"] == "done")
    out = server.studio.styles.work(server.studio.styles.find(id).dataset) / "out"
    (folder,) = (path for path in out.iterdir() if (path / "picture.png").exists())
    return server, id, folder


def page(server, path):  # noqa: F811
    answer = server.client.get(path)
    assert answer.status_code == 200
    assert SCRIPT not in answer.text
    return BeautifulSoup(answer.text, "lxml")


def test_names_are_escaped_and_the_network_is_named(finished):
    server, id, _ = finished  # noqa: F811
    listed = page(server, "/styles")
    assert listed.find(class_="card").a.get_text() == SCRIPT
    assert "script_.png, in one style" in listed.get_text()
    found = page(server, f"/styles/{id}")
    assert found.h1.get_text() == SCRIPT
    assert "Compared by EfficientNetLite0: embedded; by MobileNet's measure" in found.get_text()
    assert found.find("a", string="Download")["href"] == f"{API}/{id}/pictures/0/picture.png"
    assert found.find("img", class_="film")["src"].endswith("film.gif")


@pytest.mark.parametrize("number", ["-1", "7"])
def test_a_picture_that_is_not_there_shows_another(finished, number):
    server, id, _ = finished  # noqa: F811
    assert page(server, f"/styles/{id}?picture={number}").find(id="picture")


def test_a_line_that_is_not_whole_ends_the_curves_only(finished):
    server, id, folder = finished  # noqa: F811
    with (folder / "stats.jsonl").open("a") as file:
        file.write('{"step": 3, "size": 1')
    found = page(server, f"/styles/{id}")
    assert found.find("button", string="Delete")
    assert "style" in found.find(class_="chart").get_text()


def test_samples_of_a_dataset_are_named(server, bare_dataset):  # noqa: F811
    bare_dataset.publish("gan", None, {"generator": "9" * 64}, lambda rows, work: None)
    server.gate.write_text("done")
    id = server.post(content=(), dataset="cats", options=json.dumps({"size": 64})).json()["id"]
    found = page(server, f"/styles/{id}")
    assert found.find("a", string="cats")["href"] == "/d/cats/"
    assert found.find("dt", string="size").find_next("dd").get_text() == "64"
    assert "samples of cats, in one style" in page(server, "/styles").get_text()


def test_a_transfer_without_its_pictures_says_nothing_of_them(finished):
    server, _, folder = finished  # noqa: F811
    shutil.rmtree(folder.parent.parent)
    assert page(server, "/styles").find(class_="card").find_all("p", class_="dim") == []


def test_older_transfers_are_on_further_pages(server, monkeypatch):  # noqa: F811
    monkeypatch.setattr(styles_page, "ON_PAGE", 2)
    ids = [server.post().json()["id"] for _ in range(3)]
    pages = [page(server, f"/styles?page={number}") for number in (1, 2)]
    shown = [[card.a["href"].removeprefix("/styles/") for card in each.find_all(class_="card")] for each in pages]
    assert shown == [ids[:0:-1], ids[:1]]
    assert pages[0].find("a", string="older")["href"] == "?page=2"
    assert pages[1].find("a", string="newer")["href"] == "?page=1"
    assert server.client.get("/styles?page=0").status_code == 422
