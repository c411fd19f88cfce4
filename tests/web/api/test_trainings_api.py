"""REST: trainings, their statistics, sheets and films."""

import os

import pytest

from pipeline.report.trainings import SHEETS
from tests.web.fake_trainings import samples, training

BASE = "/api/v1/datasets/cats/trainings"


@pytest.fixture
def fake_dataset(bare_dataset):
    """These tests need no squares."""
    return bare_dataset


def folder(fake_dataset, key):
    return fake_dataset.folder / "generated" / "cats" / SHEETS / key[:12]


def test_list_and_detail_say_the_same(fake_dataset, client):
    key = training(fake_dataset)
    samples(fake_dataset, key)
    (listed,) = client.get(BASE).json()["trainings"]
    detail = client.get(f"{BASE}/{key[:12]}").json()
    assert listed == {name: detail[name] for name in listed}
    assert listed["score"]["extractor"] == "textures-64"


def test_every_link_of_a_training_answers(fake_dataset, client):
    key = training(fake_dataset)
    (folder(fake_dataset, key) / "training.gif").write_bytes(b"GIF89a")
    (folder(fake_dataset, key) / "training.mp4").write_bytes(b"....ftyp")
    detail = client.get(f"{BASE}/{key[:12]}").json()
    links = {name: client.get(url) for name, url in detail["links"].items() if url.startswith("/api")}
    assert {name: answer.status_code for name, answer in links.items()} == dict.fromkeys(links, 200)
    assert links["film.gif"].headers["content-type"] == "image/gif"
    assert "attachment" in links["film.mp4"].headers["content-disposition"]
    assert links["generator"].content == b"weights"


def test_sheet_is_a_png_that_is_cached_by_its_version(fake_dataset, client):
    key = training(fake_dataset)
    sheet = client.get(f"{BASE}/{key[:12]}").json()["sheets"][1]
    answer = client.get(sheet["url"])
    assert answer.content == (folder(fake_dataset, key) / "epoch-0001.png").read_bytes()
    assert "immutable" in answer.headers["cache-control"]
    assert "immutable" not in client.get(sheet["url"].partition("?")[0]).headers["cache-control"]


def test_new_sheet_of_a_running_training_appears(fake_dataset, client):
    key = training(fake_dataset, epochs=1, finished=False)
    assert len(client.get(f"{BASE}/{key[:12]}").json()["sheets"]) == 2
    data = (folder(fake_dataset, key) / "epoch-0001.png").read_bytes()
    (folder(fake_dataset, key) / "epoch-0002.png").write_bytes(data)
    assert [sheet["epoch"] for sheet in client.get(f"{BASE}/{key[:12]}").json()["sheets"]] == [0, 1, 2]


def test_statistics_are_thinned(fake_dataset, client):
    key = training(fake_dataset, epochs=3)
    found = client.get(f"{BASE}/{key[:12]}/stats").json()
    assert (found["of"], [row["epoch"] for row in found["rows"]]) == (3, [1, 2, 3])


@pytest.mark.parametrize("part", ["sheets/99", "film", "film?format=webm"])
def test_what_is_not_there_is_said_in_one_line(fake_dataset, client, part):
    key = training(fake_dataset)
    answer = client.get(f"{BASE}/{key[:12]}/{part}")
    assert answer.status_code == 404
    assert "there is no" in answer.json()["error"]


def test_file_that_is_no_picture_or_is_elsewhere_is_not_sent(fake_dataset, client, tmp_path):
    key = training(fake_dataset, epochs=1, finished=False)
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"\x89PNG\r\n\x1a\nsecret")
    os.symlink(secret, folder(fake_dataset, key) / "epoch-0007.png")
    (folder(fake_dataset, key) / "epoch-0008.png").write_text("<script>")
    os.symlink(secret, folder(fake_dataset, key) / "training.gif")
    assert [client.get(f"{BASE}/{key[:12]}/{part}").status_code for part in ("sheets/7", "sheets/8", "film")] == [
        404
    ] * 3


@pytest.mark.parametrize(
    ("url", "status"),
    [
        (f"{BASE}/xyz", 422),
        (f"{BASE}/{'0' * 12}", 404),
        (f"{BASE}/{'0' * 12}/sheets/-1", 422),
        (f"{BASE}/{'0' * 12}/film?format=exe", 422),
        ("/api/v1/datasets/dogs/trainings", 404),
    ],
)
def test_bad_requests_are_refused_with_a_line(client, url, status):
    answer = client.get(url)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}


def test_every_answer_is_in_the_description(client):
    paths = client.get("/api/openapi.json").json()["paths"]
    ours = [each["get"] for path, each in paths.items() if "/trainings" in path and "get" in each]
    assert len(ours) >= 7
    for operation in ours:
        assert {"200", "404"} <= set(operation["responses"])
