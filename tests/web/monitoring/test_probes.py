"""/healthz and /metrics: what they say, who may ask, and what they do not read."""

import shutil
from datetime import date

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from pipeline import night_record
from pipeline.night_record import SUMMARY, NightSummary, Turn
from pipeline.store.jsonl import dump_row
from pipeline.web.app import make_app
from pipeline.web.monitoring import health
from pipeline.web.security import AccessRules
from tests.web.fake_dataset import picture_id

TOKEN = "a-token-of-this-test"
PATHS = ("/healthz", "/metrics")


@pytest.fixture
def fake_dataset(bare_dataset):
    return bare_dataset


def figures(client) -> dict[tuple, float]:
    """Every sample by its name and labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    found = text_string_to_metric_families(answer.text)
    return {(each.name, *each.labels.values()): each.value for family in found for each in family.samples}


def test_metrics_are_those_of_the_cards(fake_dataset, client):
    fake_dataset.draw(5)
    fake_dataset.label({picture_id(1): "on", picture_id(2): "off", picture_id(3): "unsure"})
    found = figures(client)
    assert found["ganmill_datasets",] == 1
    assert found["ganmill_squares", "cats"] == 5
    assert found["ganmill_pictures", "cats"] == 5
    assert [found["ganmill_labels", "cats", label] for label in ("on", "off", "skip")] == [1, 1, 1]
    assert found["ganmill_jobs", "queued"] == 0
    assert found["ganmill_disk_free_bytes",] > 0
    assert ("ganmill_stage_seconds", "cats", "normalize") in found
    assert not any(name[0].startswith("ganmill_night") for name in found)


def test_metrics_say_how_the_last_run_ended(fake_dataset, client):
    record = fake_dataset.data / "runs" / "20260102-030405-000000-7" / "record.jsonl"
    record.parent.mkdir()
    rows = [{"event": "start", "time": "2026-01-02T03:04:05.000+00:00", "pid": 7, "born": 1.0, "host": ""}]
    rows += [{"event": "end", "time": "2026-01-02T04:04:05.000+00:00", "outcome": "failed", "error": "no network"}]
    record.write_text("".join(map(dump_row, rows)))
    found = figures(client)
    assert (found["ganmill_last_run", "cats", "failed"], found["ganmill_last_run", "cats", "done"]) == (1, 0)
    assert found["ganmill_last_run_start_time_seconds", "cats"] == 1767323045


def test_metrics_say_how_the_last_night_went(fake_dataset, client):
    turns = (Turn(subject="cats", outcome="done", seconds=60.0), Turn(subject="dogs", outcome="hung", seconds=30.0))
    ended = "2026-11-30T05:00:00+00:00"
    summary = NightSummary(date=date(2026, 11, 30), began=ended, ended=ended, turns=turns, bytes=77, budget="over")
    night_record.write(fake_dataset.folder / "data" / "nightly" / "2026-11-30" / SUMMARY, summary)
    other = TestClient(
        make_app(fake_dataset.site(), AccessRules(host="127.0.0.1", port=8090)), base_url=client.base_url
    )
    found = figures(other)
    assert (found["ganmill_night_subjects", "done"], found["ganmill_night_subjects", "hung"]) == (1, 1)
    assert found["ganmill_night_end_time_seconds",] == 1796014800
    assert (found["ganmill_night_seconds",], found["ganmill_night_bytes",]) == (90, 77)
    assert found["ganmill_night_over_budget",] == 1


def test_metrics_tell_nothing_of_a_dataset_but_its_name(fake_dataset, client):
    fake_dataset.draw(2)
    fake_dataset.label({picture_id(1): "on"})
    text = client.get("/metrics").text
    assert str(fake_dataset.folder) not in text
    assert picture_id(1) not in text
    assert "host0.example" not in text


def test_programs_need_no_token(fake_dataset):
    app = make_app(fake_dataset.site(), AccessRules(host="0.0.0.0", port=8090, token=TOKEN))
    client = TestClient(app, base_url="http://192.168.1.5:8090", follow_redirects=False)
    for path in PATHS:
        for host in ("192.168.1.5:8090", "localhost:8090"):
            assert client.get(path, headers={"host": host}).status_code == 200
        assert client.get(f"{path}/").status_code == 401
    assert client.get("/").status_code == 401


def test_other_names_other_sites_and_changes_are_refused(client):
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    for path in PATHS:
        assert client.get(path, headers={"host": "evil.example"}).status_code == 421
        assert client.get(path, headers=headers).status_code == 403
        assert client.post(path, json={}).status_code == 405


def test_healthz_is_fine_while_the_folders_can_be_reached(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "datasets": 1})


def test_healthz_says_which_folder_is_missing(fake_dataset, client):
    (fake_dataset.folder / "data").rename(fake_dataset.folder / "elsewhere")
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "failing", "error": "data: No such file or directory"}


def test_healthz_says_that_a_file_is_where_a_folder_should_be(fake_dataset, client):
    shutil.rmtree(fake_dataset.folder / "models", ignore_errors=True)
    (fake_dataset.folder / "models").write_text("")
    assert client.get("/healthz").json()["error"] == "models: Not a directory"


def test_healthz_says_that_the_disk_is_full(client, monkeypatch):
    monkeypatch.setattr(health, "LEAST_FREE", 1 << 62)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["error"]) == (503, "data: the disk is full")
