"""Races over REST, and the blind vote behind the link of a race."""

import io
import json
import re

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from pipeline.web.app import app_of, make_app
from pipeline.web.security import AccessRules
from pipeline.web.studio import Studio
from tests.web import fake_trainings

BASE = "http://192.168.1.5:8090"
TOKEN = "a-token-of-this-test"


def draw(*, dataset, key, seed, count):
    """Samples of one colour that follows from the training and the seed."""
    return [np.full((16, 16, 3), (int(key[:2], 16), seed % 256, 9), np.uint8) for _ in range(count)]


@pytest.fixture
def studio(fake_dataset):
    return Studio(fake_dataset.site(), AccessRules(host="0.0.0.0", port=8090, token=TOKEN), draw=draw)


@pytest.fixture
def app(studio):
    return app_of(studio)


@pytest.fixture
def host(app):
    client = TestClient(app, base_url=BASE)
    client.get(f"/?token={TOKEN}")
    return client


@pytest.fixture
def race(studio, fake_dataset, host):
    """A race with two trainings and an uploaded picture, before its vote is opened."""
    made = host.post("/api/v1/races", json={"title": "Cats", "rule": {"size": 16, "minutes": 0.05}}).json()
    for name, seed in (("one", 0), ("two", 1)):
        key = fake_trainings.training(fake_dataset, name, seed=seed)
        answer = host.post(f"/api/v1/races/{made['id']}/entries", json={"dataset": "cats", "training": key})
        assert answer.status_code == 201
    upload(host, made["id"], picture())
    studio.races.painter.wait()
    return host.get(f"/api/v1/races/{made['id']}").json()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(file, "PNG")
    return file.getvalue()


def upload(host, race_id, data):
    return host.post(f"/api/v1/races/{race_id}/entries", files={"file": ("a.png", data)}, data={"name": "guest"})


def move(host, race, state):
    return host.patch(f"/api/v1/races/{race['id']}", json={"state": state})


def voter(app, race):
    client = TestClient(app, base_url=BASE)
    return client, client.get(f"{race['link']}/ballot").json()


def test_entries_show_what_they_do_not_keep_of_the_rule(race):
    one, two, guest = race["entries"]
    assert one["problems"] == two["problems"] == ["trained 1 of at most 0.05 minutes"]
    assert guest["problems"][0].startswith("unverified")
    assert two["facts"]["seeds"] == [0, 1]
    assert {each["tile"] for each in race["entries"]} == {"drawn"}


def test_two_voters_change_and_close_and_see_the_counts(app, host, race):
    assert move(host, race, "open").status_code == 200
    (ann, hers), (bob, his) = voter(app, race), voter(app, race)
    assert not set(hers["tiles"]) & set(his["tiles"])
    for client, ballot, number in ((ann, hers, 0), (bob, his, 1), (ann, hers, 2)):
        answer = client.post(f"{race['link']}/vote", json={"choice": [ballot["tiles"][number]]})
        assert (answer.status_code, answer.json()["choice"]) == (200, [ballot["tiles"][number]])
        assert "results" not in answer.json()
    assert host.get(f"/api/v1/races/{race['id']}/results").status_code == 409
    assert host.get(f"/api/v1/races/{race['id']}").json()["voters"] == 2
    assert move(host, race, "closed").status_code == 200
    assert bob.post(f"{race['link']}/vote", json={"choice": [his["tiles"][0]]}).status_code == 409
    results = ann.get(f"{race['link']}/ballot").json()
    assert sum(each["first"] for each in results["results"]) == results["voters"] == 2
    assert {each["tile"] for each in results["results"]} == set(hers["tiles"])
    assert move(host, race, "open").status_code == 409


def test_nothing_that_a_voter_gets_before_the_end_names_an_entry(app, host, race):
    move(host, race, "open")
    client, ballot = voter(app, race)
    said = client.get(race["link"]).text + json.dumps(ballot)
    assert not [each for each in race["entries"] if each["name"] in said or each["id"] in said]
    sizes = set()
    for id in ballot["tiles"]:
        answer = client.get(f"{race['link']}/tile/{id}.png")
        assert not {"etag", "last-modified", "content-disposition"} & set(answer.headers)
        shown = Image.open(io.BytesIO(answer.content))
        sizes.add(shown.size)
        assert shown.info == {}
    assert len(sizes) == 1
    assert client.get(f"{race['link']}/ballot").json()["tiles"] == ballot["tiles"]


def test_link_opens_the_vote_and_nothing_else(app, host, race):
    move(host, race, "open")
    client, _ = voter(app, race)
    assert client.get(race["link"]).status_code == 200
    assert client.get(f"{race['link']}/static/vote.js").status_code == 200
    for path in ("/", "/races", f"/races/{race['id']}", "/api/v1/races", "/static/base.css", "/vote/wrong", "/vote/"):
        assert client.get(path).status_code == 401
    for path in ("static/label.css", "static/..%2Fapp.py", "entries"):
        assert client.get(f"{race['link']}/{path}").status_code == 404
    assert client.get(race["link"], headers={"host": "evil.example"}).status_code == 421
    assert client.post(f"{race['link']}/vote", json={}, headers={"origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("body", [{}, {"state": None}, {"state": "won"}, {"counts": True}])
def test_a_change_that_says_nothing_or_something_unknown_is_refused(host, race, body):
    assert host.patch(f"/api/v1/races/{race['id']}", json=body).status_code == 422


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_uploaded_files_that_are_no_pictures_are_refused_in_a_line(host, race, data):
    answer = upload(host, race["id"], data)
    assert answer.status_code == 409
    assert "PNG or JPEG" in answer.json()["error"]


def test_an_upload_is_one_however_its_content_type_is_written(host, race):
    """Otherwise its body, of a gigabyte perhaps, would be taken for JSON and held in memory."""
    part = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + picture() + b"\r\n--x--\r\n"
    )
    headers = {"content-type": "Multipart/Form-Data; boundary=x"}
    assert host.post(f"/api/v1/races/{race['id']}/entries", content=part, headers=headers).status_code == 201


def test_votes_survive_a_restart_and_a_torn_line(app, host, race, fake_dataset):
    move(host, race, "open")
    client, ballot = voter(app, race)
    client.post(f"{race['link']}/vote", json={"choice": ballot["tiles"][:1]})
    votes = fake_dataset.folder / "data" / ".races" / race["id"] / "votes.jsonl"
    with votes.open("ab") as file:
        file.write(b'{"voter": "')
    again = make_app(fake_dataset.site(), AccessRules(host="0.0.0.0", port=8090, token=TOKEN), draw=draw)
    later = TestClient(again, base_url=BASE, cookies=client.cookies)
    assert later.get(f"{race['link']}/ballot").json()["choice"] == ballot["tiles"][:1]
    second, second_ballot = voter(again, race)
    assert second.post(f"{race['link']}/vote", json={"choice": second_ballot["tiles"][:1]}).status_code == 200
    assert len(votes.read_text().splitlines()) == 3
    assert host.get(f"/api/v1/races/{race['id']}").json()["unreadable"] == 1
    assert "1 line of data/.races" in host.get(f"/races/{race['id']}").text


def test_trainings_that_may_enter_are_shown_with_their_newest_sheets(host, race):
    page = host.get(f"/races/{race['id']}?dataset=cats").text
    sheets = re.findall('src="(/api/v1/datasets/cats/trainings/[^"]+)"', page)
    assert len(sheets) == 2
    for address in sheets:
        assert address.endswith("/sheets/3")
        assert host.get(address).headers["content-type"] == "image/png"


def test_pages_of_the_host_show_races_and_results(host, race):
    assert "Cats" in host.get("/races").text
    assert "Enter 001-dcgan-16px" in host.get(f"/races/{race['id']}?dataset=cats").text
    move(host, race, "open")
    move(host, race, "closed")
    assert "Results" in host.get(f"/races/{race['id']}").text
