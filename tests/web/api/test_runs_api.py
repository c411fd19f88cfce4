"""REST: runs, and the notes on runs and trainings."""

import json

import pytest

from pipeline.web.trainings.notes import FILE
from tests.web.fake_trainings import run, training

BASE = "/api/v1/datasets/cats"
NAME = "20260101-000000-000000-1"
DONE = {"event": "end", "outcome": "done", "seconds": 60.0}


@pytest.fixture
def fake_dataset(bare_dataset):
    """These tests need no squares."""
    return bare_dataset


def test_runs_are_paged_newest_first(fake_dataset, client):
    for day in range(1, 6):
        run(fake_dataset, f"2026010{day}-000000-000000-1", DONE)
    found = client.get(f"{BASE}/runs?start=1&count=2").json()
    assert (found["total"], found["start"]) == (5, 1)
    assert [each["name"][:8] for each in found["runs"]] == ["20260104", "20260103"]


def test_run_has_all_its_settings(fake_dataset, client):
    run(fake_dataset, NAME, {"event": "options", "settings": json.dumps({"gan.seed": 4}), "labels": "abc"}, DONE)
    found = client.get(f"{BASE}/runs/{NAME}").json()
    assert (found["settings"]["gan.seed"], found["settings"]["normalize.size"], found["labels"]) == (4, 64, "abc")
    assert (found["outcome"], found["seconds"]) == ("done", 60.0)


def test_note_is_on_the_disk_before_the_response_and_shown_by_the_run(fake_dataset, client):
    run(fake_dataset, NAME, DONE)
    answer = client.put(f"{BASE}/notes/run/{NAME}", json={"star": True, "name": "first <b>"})
    assert answer.json() == {"star": True, "name": "first <b>", "note": ""}
    (row,) = (fake_dataset.data / FILE).read_text().splitlines()
    assert json.loads(row)["name"] == "first <b>"
    client.put(f"{BASE}/notes/run/{NAME}", json={"note": "too dark"})
    assert client.get(f"{BASE}/runs").json()["runs"][0]["note"] == {
        "star": True,
        "name": "first <b>",
        "note": "too dark",
    }


def test_training_can_have_a_note(fake_dataset, client):
    key = training(fake_dataset)
    client.put(f"{BASE}/notes/training/{key[:12]}", json={"name": "sharp"})
    assert client.get(f"{BASE}/trainings/{key[:12]}").json()["note"]["name"] == "sharp"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"run/{NAME}", {"star": "yes"}, 422),
        (f"run/{NAME}", {"name": "x" * 81}, 422),
        (f"run/{NAME}", {"note": "x" * 2001}, 422),
        (f"run/{NAME}", {"colour": 1}, 422),
        (f"run/{NAME}", [], 422),
        ("run/nobody", {"star": True}, 404),
        ("training/000000000000", {"star": True}, 404),
        (f"dataset/{NAME}", {"star": True}, 422),
    ],
)
def test_bad_notes_are_refused_and_write_nothing(fake_dataset, client, path, body, status):
    run(fake_dataset, NAME, DONE)
    answer = client.put(f"{BASE}/notes/{path}", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert not (fake_dataset.data / FILE).exists()


def test_other_sites_may_not_write_notes(fake_dataset, client):
    run(fake_dataset, NAME, DONE)
    foreign = {"origin": "https://evil.example"}
    assert client.put(f"{BASE}/notes/run/{NAME}", json={"star": True}, headers=foreign).status_code == 403


@pytest.mark.parametrize(
    "query", ["count=0", "count=101", "start=-1", "show=everything", "sort=best", f"text={'x' * 201}"]
)
def test_bad_queries_are_refused(client, query):
    assert client.get(f"{BASE}/runs?{query}").status_code == 422


def test_unknown_run_is_not_found(client):
    assert client.get(f"{BASE}/runs/nobody").status_code == 404
