"""Datasets over REST: made from pictures, words and addresses, filled, archived, restored and deleted."""

import io
import json
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from pipeline.web.app import make_app
from pipeline.web.security import AccessRules
from tests.web.test_uploads import png, zipped

REPOSITORY = Path(__file__).parent.parent.parent.parent
API = "/api/v1/datasets"


@pytest.fixture
def real(fake_dataset, monkeypatch):
    """A client of a server with the real commands."""
    monkeypatch.chdir(fake_dataset.folder)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    site = fake_dataset.site(sys.executable, "-m", "tasks")
    access_rules = AccessRules(host="127.0.0.1", port=8090)
    return TestClient(make_app(site, access_rules), base_url="http://127.0.0.1:8090", raise_server_exceptions=False)


def pictures(*contents):
    return [("pictures", (name, io.BytesIO(data), "image/png")) for name, data in contents]


def remembered(folder, dataset):
    rows = json.loads((folder / "data" / dataset / "settings.json").read_text())
    return {name: row["value"] for name, row in rows.items()}


def test_pictures_make_a_dataset_and_more_can_be_added(fake_dataset, real):
    sent = pictures(("tabby.png", png(1)), ("notes.txt", b"text"), ("more.zip", zipped(("a/b.png", png(2)))))
    form = {"name": "tabbies", "source": "pictures", "settings": '{"normalize.size": "32"}'}
    made = real.post(API, data=form, files=sent)
    assert (made.status_code, made.headers["location"]) == (201, f"{API}/tabbies")
    assert (made.json()["added"], made.json()["left_out"], made.json()["page"]) == (2, 1, "/d/tabbies/")
    uploads = fake_dataset.folder / "data" / "tabbies" / "uploads"
    known = remembered(fake_dataset.folder, "tabbies")
    assert known["download.sources"] == "folder"
    assert (fake_dataset.folder / known["download.folder"]).samefile(uploads)
    assert known["normalize.size"] == "32"
    assert real.get(f"{API}/tabbies").json()["next"] == {"text": "run: make squares", "page": "/d/tabbies/"}
    again = real.post(f"{API}/tabbies/pictures", files=pictures(("c.png", png(3)), ("d.png", png(1)))).json()
    assert (again["added"], again["same"], again["note"]) == (
        1,
        1,
        "1 picture stored; 1 there already; the next run uses them",
    )
    assert len(list(uploads.iterdir())) == 3


def test_an_upload_without_a_picture_does_not_make_an_empty_folder_a_source(fake_dataset, real):
    answer = real.post(f"{API}/cats/pictures", files=pictures(("a.txt", b"text"))).json()
    assert (answer["added"], answer["left_out"]) == (0, 1)
    assert not (fake_dataset.folder / "data" / "cats" / "settings.json").exists()


def test_a_dataset_is_archived_restored_and_deleted(fake_dataset, real):
    assert real.get(f"{API}/cats/holdings").json()["text"].startswith("0 labels, 0 pictures, 0 trainings")
    archive = real.delete(f"{API}/cats").json()["archive"]
    listed = real.get(API).json()
    assert (listed["datasets"], [each["archive"] for each in listed["archived"]]) == ([], [archive])
    assert real.post(f"{API}/{archive}/restore", json={}).status_code == 200
    assert real.delete(f"{API}/cats", params={"permanently": "true"}).status_code == 200
    assert real.get(f"{API}/cats").status_code == 404
    assert not list((fake_dataset.folder / "data").rglob("*.png"))


ADDRESSES = "https://example.org/a.png\r\n\nhttps://example.org/b.png"
SOURCES = {
    "words": ({"query": "red mushroom,toadstool"}, {"download.query": "red mushroom,toadstool"}),
    "site": ({"site": "https://example.org/"}, {"download.sources": "site", "download.site": "https://example.org/"}),
    "addresses": ({"addresses": ADDRESSES}, {"download.sources": "urls"}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_a_dataset_is_made_from_other_sources(fake_dataset, client, monkeypatch, source):
    saved = {}
    monkeypatch.setattr(
        "pipeline.web.settings_process.SettingsProcess.remember", lambda self, values: saved.update(values)
    )
    given, settings = SOURCES[source]
    assert client.post(API, json={"name": "toads", "source": source, **given}).status_code == 201
    assert settings.items() <= saved.items()
    assert (fake_dataset.folder / "data" / "toads" / "runs").is_dir()
    if source == "addresses":
        assert Path(saved["download.urls"]).read_text() == "https://example.org/a.png\n\nhttps://example.org/b.png\n"


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"name": "../evil"}, 422, "expected letters, digits"),
        ({"name": "🐱"}, 422, "expected letters, digits"),
        ({"name": "luigid"}, 422, "this name is reserved"),
        ({"name": "cats"}, 409, "choose another name"),
        ({"query": " , "}, 422, "query is empty"),
        ({"source": "folder", "folder": "/nowhere"}, 422, "no such folder"),
        ({"source": "site", "site": "javascript:alert(1)"}, 422, "expected the first page"),
        ({"source": "addresses", "addresses": "ftp://x"}, 422, "at least one line"),
        ({"source": "magic"}, 422, "source: Input should be"),
        ({"settings": {"normalize.size": "5"}}, 422, "normalize.size = 5: expected a whole number, at least 16"),
        ({"settings": {"gna.epochs": "5"}}, 422, "there is no option 'gna.epochs'"),
        ({"extra": 1}, 422, "extra"),
    ],
)
def test_a_wrong_dataset_is_one_line_and_leaves_nothing(fake_dataset, client, change, status, says):
    before = sorted(fake_dataset.folder.rglob("*"))
    answer = client.post(API, json={"name": "toads", "source": "words", "query": "toad"} | change)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.json()
    assert sorted(fake_dataset.folder.rglob("*")) == before


@pytest.mark.parametrize("kind", ["zip", "command"])
def test_a_dataset_that_cannot_be_made_leaves_nothing(fake_dataset, client, kind):
    """The zip is broken, or the command that saves the settings fails, which `false` does."""
    content = b"PK\x03\x04 no zip" if kind == "zip" else png()
    answer = client.post(API, data={"name": "toads", "source": "pictures"}, files=pictures(("x.zip", content)))
    assert answer.status_code == 409
    assert not (fake_dataset.folder / "data" / "toads").exists()


def test_folders_are_named_on_this_machine_alone(fake_dataset):
    rules = AccessRules(host="0.0.0.0", port=8090, token="secret")
    client = TestClient(make_app(fake_dataset.site(), rules), base_url="http://127.0.0.1:8090")
    client.get("/?token=secret")
    answer = client.post(API, json={"name": "toads", "source": "folder", "folder": "/tmp"})
    assert answer.status_code == 403
    for name, text in (("download.folder", "/tmp"), ("download.allow_private", "true"), ("gan.extractor", "a/b")):
        body = {"name": "toads", "source": "words", "query": "toad", "settings": {name: text}}
        assert (answer := client.post(API, json=body)).status_code == 422
        assert answer.json()["error"].startswith(f"{name}: only a server that listens on this machine alone")
        assert client.post(f"{API}/cats/settings", json={"values": {name: text}}).json() == answer.json()
    assert "/tmp" not in client.get("/new").text
    assert client.get("/new/folder", params={"path": "/tmp"}).status_code == 403


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing", 404), ("/nothing/holdings", 404), ("/..%2fcats", 404), ("?state=odd", 422)]
)
def test_an_unknown_dataset_is_not_found(client, path, status):
    assert client.get(f"{API}{path}").status_code == status


def test_many_pictures_of_one_upload_are_not_held_in_memory(real, monkeypatch):
    held = []
    monkeypatch.setattr(
        "pipeline.web.api.datasets_api._fill",
        lambda form, store: held.extend(file.size for file in form.getlist("pictures") if not file.file._rolled),
    )
    sent = pictures(*((f"{number}.png", bytes(300_000)) for number in range(20)), ("small.png", png()))
    assert real.post(f"{API}/cats/pictures", files=sent).status_code == 200
    assert held == [len(png())]


def test_files_of_another_name_and_requests_without_any_are_refused(client):
    assert client.post(f"{API}/cats/pictures", files={"evil": ("a.png", png())}).status_code == 422
    assert client.post(f"{API}/cats/pictures", json={}).status_code == 415
    assert client.post(f"{API}/cats/pictures", files={"pictures": ("", b"")}).status_code in (400, 422)
