"""The page of the filter: figures of thresholds, squares around them, settings."""

import re
import shutil
import sys

import pytest
from fastapi.testclient import TestClient

from pipeline.filter.threshold import STEP
from pipeline.web.app import make_app
from pipeline.web.pages import filter_page
from pipeline.web.security import AccessRules
from tests.web.conftest import FAKE_TASKS, PORT
from tests.web.fake_dataset import FakeDataset, picture_id
from tests.web.fake_filter import labels_by_score, publish_filter, spread_scores

COUNT = 60


@pytest.fixture
def filtered(tmp_path):
    """Sixty squares with a filter and its evidence."""
    made = FakeDataset(tmp_path)
    made.draw(COUNT)
    scores = spread_scores(made.ids(COUNT))
    publish_filter(made, scores, labels_by_score(scores, 20))
    return made


@pytest.fixture
def web(filtered):
    site = filtered.site(sys.executable, str(FAKE_TASKS), str(filtered.folder / "gate"))
    app = make_app(site, AccessRules(host="127.0.0.1", port=PORT))
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False)


def text_of(page):
    return re.sub(r"\s+", " ", re.sub("<[^>]*>", "", page))


def test_page_table_and_label_page_show_the_numbers_of_the_stage(filtered, web):
    summary = filtered.store("filter").newest().manifest.summary
    page = text_of(web.get("/d/cats/filter").text)
    counts = web.get("/d/cats/summary").json()["counts"]
    rows = {row["threshold"]: row for row in web.get("/d/cats/filter/table").json()["rows"]}
    row = rows[summary["threshold"]]
    for name, key in (("kept", "kept"), ("rejected", "rejected"), ("borderline", "unsure")):
        assert row[name] == counts[name] == summary[key]
    assert f"{summary['kept']} of {COUNT}" in page
    assert f"{summary['unsure']} borderline, {summary['rejected']} rejected" in page
    assert f"{summary['expected_precision']:.3f}" in page
    assert (row["precision"], row["recall"]) == (
        round(summary["expected_precision"], 4),
        round(summary["expected_recall"], 4),
    )
    for words in row["words"]:
        assert f"{words[:1].upper()}{words[1:]}." in page


def test_table_of_another_band_and_precision(web):
    narrow, wide = (web.get(f"/d/cats/filter/table?unsure={band}").json() for band in (0.0, 0.2))
    assert {row["borderline"] for row in narrow["rows"]} == {0}
    assert max(row["borderline"] for row in wide["rows"]) > 0
    low, high = (web.get(f"/d/cats/filter/table?precision={target}").json()["auto"] for target in (0.6, 0.99))
    assert low < high


@pytest.mark.parametrize("query", ["unsure=.5", "unsure=-1", "precision=.4", "precision=x"])
def test_values_out_of_bounds_are_refused(web, query):
    assert web.get(f"/d/cats/filter/table?{query}").status_code == 422


def test_squares_around_every_threshold_come_by_score(filtered, web):
    found = web.get("/d/cats/filter/squares").json()
    rows = [dict(zip(found["fields"], row, strict=True)) for row in found["squares"]]
    assert len(rows) == COUNT
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    assert {row["label"] for row in rows} == {None, "on", "off"}


def test_many_squares_are_not_all_sent(web, monkeypatch):
    monkeypatch.setattr("pipeline.web.labelling.filter_figures.SIDE_TILES", 1)
    monkeypatch.setattr(filter_page, "STEP", 0.5)
    assert 3 <= len(web.get("/d/cats/filter/squares").json()["squares"]) <= 18


def test_page_without_a_filter_says_what_to_do(fake_dataset, client):
    page = client.get("/d/cats/filter")
    assert "Label about 30 squares on target and 50 off target" in text_of(page.text)
    assert client.get("/d/cats/filter/table").status_code == 409
    assert client.get("/d/dogs/filter").status_code == 404


def test_page_of_a_filter_that_keeps_everything_says_so(fake_dataset, client):
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.5), threshold=None)
    assert "This filter keeps every square" in client.get("/d/cats/filter").text
    assert "filter.method = cnn" in client.get("/d/cats/filter/table").json()["error"]


def test_page_without_squares_says_so(fake_dataset, client):
    (fake_dataset.folder / "data" / "dogs" / "runs").mkdir(parents=True)
    assert "There are no squares yet" in client.get("/d/dogs/filter").text


def test_deleted_classifier_gives_one_line_and_the_page_stays(filtered, web):
    shutil.rmtree(filtered.store("classifier").root)
    assert web.get("/d/cats/filter").status_code == 200
    answer = web.get("/d/cats/filter/table")
    assert (answer.status_code, "run the filter again" in answer.json()["error"]) == (409, True)


def test_new_filter_gets_a_new_table(filtered, web):
    first = web.get("/d/cats/filter/table").json()
    assert web.get("/d/cats/filter/table").json() == first
    publish_filter(filtered, dict.fromkeys(filtered.ids(COUNT), 0.9), {picture_id(0): "on", picture_id(1): "off"})
    assert web.get("/d/cats/filter/table").json()["filter"] != first["filter"]


def test_settings_are_saved_by_the_command_and_shown_with_their_origin(web):
    before = web.get("/d/cats/filter/settings").json()
    assert before["settings"]["filter.threshold"]["value"] == "auto"
    assert {choice["value"] for choice in before["backbones"]} >= {"auto", "none", "MobileNet"}
    saved = web.post("/d/cats/filter/settings", json={"settings": {"filter.threshold": "0.62"}}).json()["settings"]
    assert saved["filter.threshold"]["value"] == "0.62"
    assert saved["filter.threshold"]["origin"] == "remembered from the last run"
    assert saved["filter.precision"]["origin"] == "default"


@pytest.mark.parametrize(
    ("settings", "status", "says"),
    [
        ({"gan.epochs": "3"}, 409, "gan.epochs is no setting of this page"),
        ({"filter.threshold": "7"}, 409, "filter.threshold"),
        ({"filter.precision": "much"}, 409, "filter.precision"),
        ({}, 422, "settings"),
        ({"filter.threshold": 0.5}, 422, "settings"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(web, settings, status, says):
    answer = web.post("/d/cats/filter/settings", json={"settings": settings})
    assert (answer.status_code, says in answer.json()["error"]) == (status, True)


def test_step_of_the_slider_is_that_of_the_stage():
    assert filter_page.STEP == STEP
