"""The routes, asked as a browser asks them."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.web.label_sync import LabelSync
from tests.web.drawn_home import picture_id

REPOSITORY = Path(__file__).parent.parent.parent


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


def test_no_page_changes_anything(home, client):
    before = sorted(home.folder.rglob("*"))
    for path in ("/d/cats/marks", "/d/cats/plan", "/d/cats/run", "/d/cats/stop", "/d/cats/lookup"):
        assert client.get(path).status_code == 405
    for path in ("/", "/d/cats/", "/d/cats/summary", "/d/cats/changes", "/d/cats/pictures"):
        client.get(path)
    assert sorted(home.folder.rglob("*")) == before


RUBBISH = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 50_000,
    b'{"marks": []}',
    b'{"marks": [{}]}',
    b'{"marks": [1, 2]}',
    b'{"marks": {"id": "x"}}',
    b'{"marks": [{"id": "x", "label": "on", "was": [null]}]}',
    b'{"marks": [{"id": "../../../../etc/passwd", "label": "on", "was": [null]}]}',
]


@pytest.mark.parametrize("body", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_is_refused_in_one_line(home, client, body):
    answer = client.post("/d/cats/marks", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert "\n" not in answer.json()["error"]
    assert home.logged() == []


@pytest.mark.parametrize("label", ["yes", "", "ON", 1, True, ["on"], {"on": 1}])
def test_a_label_is_one_of_four_things(home, client, label):
    answer = mark(client, 0, label)
    assert answer.status_code == 422
    assert "label" in answer.json()["error"]
    assert home.logged() == []


def test_a_picture_that_is_not_there_is_named_and_nothing_is_labelled(home, client):
    marks = [{"id": picture_id(number), "label": "on", "was": [None]} for number in (0, 999)]
    answer = client.post("/d/cats/marks", json={"marks": marks})
    assert answer.status_code == 404
    assert answer.json()["unknown"] == [picture_id(999)]
    assert home.logged() == []


def test_marks_wait_while_the_squares_cannot_be_read(home, client):
    client.get("/d/cats/pictures")
    away = home.folder / "away"
    home.shelf("normalize").root.rename(away)
    assert mark(client, 3, "on").status_code == 503
    away.rename(home.shelf("normalize").root)
    assert mark(client, 3, "on").status_code == 200


@pytest.mark.parametrize("known", ["crawled", "raw", "labelled"])
def test_a_picture_that_was_there_once_is_labelled(home, client, known):
    home.draw(40)
    home.publish("normalize", [], {"images": "fewer"}, lambda rows, work: home.square(home_rows(20), work))
    if known == "labelled":
        home.label({picture_id(999): "on"})
        home.label({picture_id(999): None})
    if known == "raw":
        (home.data / "raw" / picture_id(999)[:2]).mkdir(parents=True)
        (home.data / "raw" / picture_id(999)[:2] / f"{picture_id(999)}.png").touch()
    number = 35 if known == "crawled" else 999
    assert mark(client, number, "off").status_code == 200
    assert home.log.effective() == {picture_id(number): "off"}


def home_rows(count):
    return [{"id": picture_id(number)} for number in range(count)]


@pytest.mark.parametrize("name", ["nothing", "%2e%2e", "..%2fcats", "cats%2f..", "cats%00", ".", "%2fetc", "CATS"])
def test_only_datasets_that_are_there_are_served(home, client, name):
    for path in (f"/d/{name}/", f"/d/{name}/summary", f"/d/{name}/square/{picture_id(0)}"):
        assert client.get(path).status_code in (404, 405)


HOSTILE = ["x", "../manifest.json", "..%2fmanifest.json", "%2e%2e%2fimages.jsonl", "*", "%00"]


@pytest.mark.parametrize("kind", ["square", "original"])
@pytest.mark.parametrize("name", HOSTILE)
def test_only_pictures_of_the_dataset_are_served(home, client, kind, name):
    assert client.get(f"/d/cats/{kind}/{name}").status_code == 404


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "%2fetc%2fpasswd"])
def test_nothing_but_scripts_and_styles_is_static(client, path):
    assert client.get(f"/static/{path}").status_code == 404


def test_a_damaged_log_is_one_line_and_no_fault(home, client):
    home.label({picture_id(0): "on"})
    home.damage()
    answer = mark(client, 1, "on")
    assert answer.status_code == 409
    assert "`python -m tasks labels repair --dataset cats`" in answer.json()["error"]
    for path in ("/", "/d/cats/", "/d/cats/pictures", "/d/cats/pictures?view=on"):
        assert client.get(path).status_code == 200
    problem = client.get("/d/cats/summary").json()["problem"]
    assert "line 2" in problem
    assert "`python -m tasks labels repair --dataset cats`" in problem
    assert "line 2" in client.get("/d/cats/changes").json()["problem"]


def test_what_comes_in_between_is_told_the_next_time(home, client, monkeypatch):
    """A label that is given just after the changes were read must not be passed over."""
    revision = client.get("/d/cats/changes").json()["revision"]
    since = LabelSync.since

    def then_labelled(self, revision):
        found = since(self, revision)
        home.label({picture_id(1): "on"})
        return found

    with monkeypatch.context() as patched:
        patched.setattr(LabelSync, "since", then_labelled)
        first = client.get(f"/d/cats/changes?since={revision}").json()
    second = client.get(f"/d/cats/changes?since={first['revision']}").json()
    assert (first["labels"], second["labels"]) == ({}, {picture_id(1): "on"})


def test_a_full_disk_is_one_line(home, client, monkeypatch):
    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.labels.log._write_synced", full)
    answer = mark(client, 1, "on")
    assert answer.status_code == 409
    assert "free some space" in answer.json()["error"]


def test_a_dataset_without_squares_says_which_command_fetches_them(home, client):
    (home.folder / "data" / "dogs" / "runs").mkdir(parents=True)
    assert "make run DATASET=dogs" in client.get("/").text
    assert "make run DATASET=dogs" in client.get("/d/dogs/").text
    assert client.get("/d/dogs/pictures").json()["pictures"] == []
    assert client.get("/d/dogs/summary").json()["pictures"] == 0


@pytest.mark.parametrize("way", ["gone", "short", "nonsense"])
def test_damaged_squares_are_one_line_and_not_a_lack_of_squares(home, client, way):
    rows = home.shelf("normalize").newest().folder / "images.jsonl"
    whole = rows.read_text()
    if way == "gone":
        (rows.parent / "manifest.json").unlink()
    else:
        rows.write_text(whole[:-5] if way == "short" else "{" * len(whole))
    for path in ("/", "/d/cats/"):
        shown = client.get(path).text
        assert "the squares are damaged" in shown
        assert "no squares" not in shown
    for path in ("summary", "changes"):
        problem = client.get(f"/d/cats/{path}").json()["problem"]
        assert "rerun normalize --dataset cats" in problem
        assert "\n" not in problem
    assert mark(client, 3, "on").status_code == 503
    if way != "gone":
        rows.write_text(whole)
        assert mark(client, 3, "on").status_code == 200


def test_a_name_with_odd_characters_has_a_page_and_is_only_text(home, client):
    name = "ピカ <b>&\"'chu"
    (home.folder / "data" / name / "runs").mkdir(parents=True)
    assert "<b>" not in client.get("/").text
    assert client.get("/d/%E3%83%94%E3%82%AB%20%3Cb%3E&%22'chu/").status_code == 200


def test_a_fault_of_ours_does_not_show_the_browser_where(home, client, monkeypatch):
    monkeypatch.setattr("pipeline.web.views.order", lambda *arguments, **keywords: 1 / 0)
    answer = client.get("/d/cats/pictures?view=all")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_who_opens_a_wrong_address_gets_a_page_that_says_so(client):
    answer = client.get("/d/nothing/", headers={"accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert "there is no such dataset" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_looking_up_pictures_leaves_out_those_that_are_gone(home, client):
    answer = client.post("/d/cats/lookup", json={"ids": [picture_id(999), picture_id(1)]})
    assert [picture["id"] for picture in answer.json()["pictures"]] == [picture_id(1)]


def test_the_page_loads_no_network_library_and_nothing_of_the_tasks():
    heavy = {"tensorflow", "keras", "sklearn", "matplotlib", "luigi", "tasks"}
    code = f"import sys, pipeline.web.server; print(sorted(set(sys.modules) & {heavy}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
