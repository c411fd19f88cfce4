"""The routes, requested like a browser does."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.web.labelling.label_sync import LabelSync
from tests.web.fake_dataset import picture_id

REPOSITORY = Path(__file__).parent.parent.parent


def post_label(client, number, label, previous=None, **more):
    body = {"labels": [{"id": picture_id(number), "label": label, "previous": [previous]}]}
    return client.post("/d/cats/labels", json=body, **more)


def test_home_page_lists_datasets_with_counts(fake_dataset, client):
    fake_dataset.label({picture_id(1): "on"})
    shown = client.get("/").text
    assert 'href="/d/cats/"' in shown
    assert '<b data-of="squares">30</b> squares' in shown


def test_view_returns_squares_with_their_facts(fake_dataset, client):
    found = client.get("/d/cats/pictures?view=all&count=10").json()
    assert found["total"] == 30
    assert len(found["pictures"]) == 10
    first = found["pictures"][0]
    assert (first["id"], first["title"], first["host"]) == (picture_id(0), "picture 0", "host0.example")
    assert (first["score"], first["label"]) == (None, None)


def test_label_is_on_the_disk_before_the_response(fake_dataset, client):
    answer = post_label(client, 3, "on")
    assert answer.status_code == 200
    assert answer.json()["labels"] == {picture_id(3): "on"}
    (logged,) = fake_dataset.logged()
    assert (logged["id"], logged["label"], logged["how"]) == (picture_id(3), "on", "page")


def test_squares_are_cached_forever(fake_dataset, client):
    answer = client.get(f"/d/cats/square/{picture_id(1)}?v=1")
    assert answer.headers["content-type"] == "image/png"
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/", "/d/cats/label", "/d/cats/summary", "/d/cats/changes", "/d/cats/pictures"])
def test_every_route_responds(fake_dataset, client, path):
    assert client.get(path).status_code == 200


def test_get_requests_change_nothing(fake_dataset, client):
    before = sorted(fake_dataset.folder.rglob("*"))
    for path in ("/d/cats/labels", "/d/cats/plan", "/d/cats/run", "/d/cats/stop", "/d/cats/lookup"):
        assert client.get(path).status_code == 405
    for path in ("/", "/d/cats/label", "/d/cats/summary", "/d/cats/changes", "/d/cats/pictures"):
        client.get(path)
    assert sorted(fake_dataset.folder.rglob("*")) == before


RUBBISH = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 50_000,
    b'{"labels": []}',
    b'{"labels": [{}]}',
    b'{"labels": [1, 2]}',
    b'{"labels": {"id": "x"}}',
    b'{"labels": [{"id": "x", "label": "on", "previous": [null]}]}',
    b'{"labels": [{"id": "../../../../etc/passwd", "label": "on", "previous": [null]}]}',
]


@pytest.mark.parametrize("body", RUBBISH, ids=range(len(RUBBISH)))
def test_invalid_body_gives_one_line_error(fake_dataset, client, body):
    answer = client.post("/d/cats/labels", content=body, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert "\n" not in answer.json()["error"]
    assert fake_dataset.logged() == []


@pytest.mark.parametrize("label", ["yes", "", "ON", 1, True, ["on"], {"on": 1}])
def test_label_must_be_a_known_value(fake_dataset, client, label):
    answer = post_label(client, 0, label)
    assert answer.status_code == 422
    assert "label" in answer.json()["error"]
    assert fake_dataset.logged() == []


def test_unknown_square_is_named_and_nothing_is_labelled(fake_dataset, client):
    label_edits = [{"id": picture_id(number), "label": "on", "previous": [None]} for number in (0, 999)]
    answer = client.post("/d/cats/labels", json={"labels": label_edits})
    assert answer.status_code == 404
    assert answer.json()["unknown"] == [picture_id(999)]
    assert fake_dataset.logged() == []


def test_labels_are_refused_with_503_while_squares_cannot_be_read(fake_dataset, client):
    client.get("/d/cats/pictures")
    away = fake_dataset.folder / "away"
    fake_dataset.store("normalize").root.rename(away)
    assert post_label(client, 3, "on").status_code == 503
    away.rename(fake_dataset.store("normalize").root)
    assert post_label(client, 3, "on").status_code == 200


@pytest.mark.parametrize("known", ["crawled", "raw", "labelled"])
def test_earlier_square_can_still_be_labelled(fake_dataset, client, known):
    fake_dataset.draw(40)
    fake_dataset.publish(
        "normalize", [], {"images": "fewer"}, lambda rows, work: fake_dataset.square(home_rows(20), work)
    )
    if known == "labelled":
        fake_dataset.label({picture_id(999): "on"})
        fake_dataset.label({picture_id(999): None})
    if known == "raw":
        (fake_dataset.data / "raw" / picture_id(999)[:2]).mkdir(parents=True)
        (fake_dataset.data / "raw" / picture_id(999)[:2] / f"{picture_id(999)}.png").touch()
    number = 35 if known == "crawled" else 999
    assert post_label(client, number, "off").status_code == 200
    assert fake_dataset.log.effective() == {picture_id(number): "off"}


def home_rows(count):
    return [{"id": picture_id(number)} for number in range(count)]


@pytest.mark.parametrize("name", ["nothing", "%2e%2e", "..%2fcats", "cats%2f..", "cats%00", ".", "%2fetc", "CATS"])
def test_unknown_dataset_gives_404(fake_dataset, client, name):
    for path in (f"/d/{name}/label", f"/d/{name}/summary", f"/d/{name}/square/{picture_id(0)}"):
        assert client.get(path).status_code in (404, 405)


HOSTILE = ["x", "../manifest.json", "..%2fmanifest.json", "%2e%2e%2fimages.jsonl", "*", "%00"]


@pytest.mark.parametrize("kind", ["square", "original"])
@pytest.mark.parametrize("name", HOSTILE)
def test_files_outside_the_dataset_are_not_served(fake_dataset, client, kind, name):
    assert client.get(f"/d/cats/{kind}/{name}").status_code == 404


@pytest.mark.parametrize("path", ["../app.py", "%2e%2e/app.py", "..%2fapp.py", "/etc/passwd", "%2fetc%2fpasswd"])
def test_static_files_are_only_scripts_and_styles(client, path):
    assert client.get(f"/static/{path}").status_code == 404


def test_damaged_log_gives_one_line_error(fake_dataset, client):
    fake_dataset.label({picture_id(0): "on"})
    fake_dataset.damage()
    answer = post_label(client, 1, "on")
    assert answer.status_code == 409
    assert "`python -m tasks labels repair --dataset cats`" in answer.json()["error"]
    for path in ("/", "/d/cats/label", "/d/cats/pictures", "/d/cats/pictures?view=on"):
        assert client.get(path).status_code == 200
    problem = client.get("/d/cats/summary").json()["problem"]
    assert "line 2" in problem
    assert "`python -m tasks labels repair --dataset cats`" in problem
    assert "line 2" in client.get("/d/cats/changes").json()["problem"]


def test_changes_during_a_request_are_reported_later(fake_dataset, client, monkeypatch):
    """A label given just after the changes were read must not be lost."""
    revision = client.get("/d/cats/changes").json()["revision"]
    since = LabelSync.since

    def then_labelled(self, revision):
        found = since(self, revision)
        fake_dataset.label({picture_id(1): "on"})
        return found

    with monkeypatch.context() as patched:
        patched.setattr(LabelSync, "since", then_labelled)
        first = client.get(f"/d/cats/changes?since={revision}").json()
    second = client.get(f"/d/cats/changes?since={first['revision']}").json()
    assert (first["labels"], second["labels"]) == ({}, {picture_id(1): "on"})


def test_full_disk_gives_one_line_error(fake_dataset, client, monkeypatch):
    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipeline.labels.log._write_synced", full)
    answer = post_label(client, 1, "on")
    assert answer.status_code == 409
    assert "free some space" in answer.json()["error"]


def test_dataset_without_squares_names_the_command(fake_dataset, client):
    (fake_dataset.folder / "data" / "dogs" / "runs").mkdir(parents=True)
    assert "run: make squares" in client.get("/").text
    assert "make run DATASET=dogs" in client.get("/d/dogs/label").text
    assert client.get("/d/dogs/pictures").json()["pictures"] == []
    assert client.get("/d/dogs/summary").json()["pictures"] == 0


@pytest.mark.parametrize("way", ["gone", "short", "nonsense"])
def test_damaged_squares_give_one_line_error(fake_dataset, client, way):
    rows = fake_dataset.store("normalize").newest().folder / "images.jsonl"
    whole = rows.read_text()
    if way == "gone":
        (rows.parent / "manifest.json").unlink()
    else:
        rows.write_text(whole[:-5] if way == "short" else "{" * len(whole))
    for path in ("/d/cats/label",) if way == "nonsense" else ("/", "/d/cats/label"):  # the list reads no rows
        shown = client.get(path).text
        assert "the squares are damaged" in shown
        assert "no squares" not in shown
    for path in ("summary", "changes"):
        problem = client.get(f"/d/cats/{path}").json()["problem"]
        assert "rerun normalize --dataset cats" in problem
        assert "\n" not in problem
    assert post_label(client, 3, "on").status_code == 503
    if way != "gone":
        rows.write_text(whole)
        assert post_label(client, 3, "on").status_code == 200


def test_dataset_name_with_special_characters_is_escaped(fake_dataset, client):
    name = "ピカ <b>&\"'chu"
    (fake_dataset.folder / "data" / name / "runs").mkdir(parents=True)
    assert "<b>" not in client.get("/").text
    assert client.get("/d/%E3%83%94%E3%82%AB%20%3Cb%3E&%22'chu/label").status_code == 200


def test_internal_error_hides_its_traceback_from_the_browser(fake_dataset, client, monkeypatch):
    monkeypatch.setattr("pipeline.web.labelling.views.order", lambda *arguments, **keywords: 1 / 0)
    answer = client.get("/d/cats/pictures?view=all")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_wrong_address_gives_an_error_page(client):
    answer = client.get("/d/nothing/label", headers={"accept": "text/html,*/*"})
    assert answer.status_code == 404
    assert "there is no such dataset" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("name", "says"), [("cast", "did you mean &#39;cats&#39;?"), ("nothing", "known are: cats")])
def test_wrong_dataset_in_the_address_is_answered_with_the_nearest(client, name, says):
    answer = client.get(f"/d/{name}/label", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert f"there is no such dataset; {says}" in answer.text


def test_lookup_omits_missing_squares(fake_dataset, client):
    answer = client.post("/d/cats/lookup", json={"ids": [picture_id(999), picture_id(1)]})
    assert [picture["id"] for picture in answer.json()["pictures"]] == [picture_id(1)]


def test_web_does_not_import_tensorflow_or_tasks():
    heavy = {"tensorflow", "keras", "sklearn", "matplotlib", "luigi", "tasks"}
    code = f"import sys, pipeline.web.server; print(sorted(set(sys.modules) & {heavy}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
