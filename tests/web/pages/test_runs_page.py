"""The page of runs and trainings, and the comparison, without their scripts."""

import json

import pytest
from bs4 import BeautifulSoup

from pipeline.web.trainings.notes import RUN, change_note
from tests.web.fake_trainings import run, samples, training

HOSTILE = "\"'></td></title><script>alert(1)</script>{{ 1234567 * 9 }}"
FIRST, SECOND = "20260101-000000-000000-1", "20260102-000000-000000-1"


@pytest.fixture
def fake_dataset(bare_dataset):
    """These tests need no squares."""
    return bare_dataset


def get(client, path):
    answer = client.get(f"/d/cats/{path}")
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "lxml")


def words(tag):
    return " ".join(tag.get_text(" ").split())


def ended(fake_dataset, name, key, *, outcome="done", error="", **settings):
    given = json.dumps({option.replace("__", "."): value for option, value in settings.items()})
    run(
        fake_dataset,
        name,
        {"event": "options", "settings": given, "labels": "", "once": name == SECOND},
        {"event": "stage", "stage": "download", "outcome": "reused", "made": "30 pictures"},
        {"event": "stage", "stage": "gan", "outcome": "ran", "key": key, "made": "3 epochs"},
        {"event": "end", "outcome": outcome, "error": error, "seconds": 65.0},
    )


def test_dataset_without_runs_says_so(client):
    assert "Nothing has run yet" in words(get(client, "runs").main)
    assert "Nothing has been trained yet" in words(get(client, "runs?list=trainings").main)


def test_row_says_when_how_long_what_changed_and_how_good(fake_dataset, client):
    key = training(fake_dataset)
    samples(fake_dataset, key)
    ended(fake_dataset, FIRST, key)
    ended(fake_dataset, SECOND, key, outcome="failed", error="the disk is full", gan__seed=8)
    second, first = get(client, "runs").select("tbody tr")
    assert "2026-01-01 00:00 UTC 1 min 05 s" in words(first)
    assert "ran gan" in words(first)
    assert "reused download" in words(first)
    assert "KID 0.100 ± 0.010 (reals against reals 0.001: worse than reals) by textures-64" in words(first)
    assert "failed the disk is full" in words(second)
    assert "gan.seed 0 → 8" in words(second)
    assert "trial" in words(second)


def test_filter_of_the_address_is_that_of_the_page(fake_dataset, client):
    ended(fake_dataset, FIRST, "")
    ended(fake_dataset, SECOND, "", outcome="failed", error="x")
    shown = get(client, "runs?show=failed&text=2026")
    assert [row["id"] for row in shown.select("tbody tr")] == [f"run-{SECOND}"]
    assert shown.select_one("#show option[selected]").text == "failed"
    assert shown.find(id="text")["value"] == "2026"


def test_many_runs_are_paged(fake_dataset, client):
    for number in range(53):
        run(fake_dataset, f"20260101-000000-{number:06d}-1", {"event": "end", "outcome": "done"})
    first = get(client, "runs")
    assert len(first.select("tbody tr")) == 50
    (older,) = [link["href"] for link in first.select(".pages a")]
    assert len(get(client, f"runs{older}").select("tbody tr")) == 3


def test_trainings_are_listed_with_their_state(fake_dataset, client):
    training(fake_dataset, "one")
    training(fake_dataset, "two", finished=False)
    rows = get(client, "runs?list=trainings").select("tbody tr")
    assert ["unfinished" in words(rows[0]), "done" in words(rows[1])] == [True, True]


def test_hostile_texts_stay_texts(fake_dataset, client):
    key = training(fake_dataset, definition=HOSTILE)
    ended(fake_dataset, FIRST, key, outcome="failed", error=HOSTILE, download__site=HOSTILE)
    ended(fake_dataset, SECOND, key, download__site=HOSTILE + "2")
    change_note(fake_dataset.data, RUN, FIRST, name=HOSTILE, note=HOSTILE)
    for path in ("runs", "runs?list=trainings", f"compare?runs={FIRST}&runs={SECOND}"):
        shown = get(client, path)
        assert all(tag.get("src", "").startswith("/static/") for tag in shown.find_all("script"))
        assert "11111103" not in shown.text


def test_comparison_shows_settings_scores_and_curves_of_each_extractor_apart(fake_dataset, client):
    keys = [training(fake_dataset, "a", extractor="old-64"), training(fake_dataset, "b", extractor="new-64", seed=4)]
    for name, key, extractor in zip((FIRST, SECOND), keys, ("old-64", "new-64"), strict=True):
        samples(fake_dataset, key, extractor=extractor)
        ended(fake_dataset, name, key, gan__seed=4 if name == SECOND else 0)
    shown = get(client, f"compare?runs={FIRST}&runs={SECOND}")
    assert [words(tag) for tag in shown.select("caption")] == ["by old-64", "by new-64"]
    assert len(shown.select("#charts svg.chart")) == 2
    assert "Scores of different extractors cannot be compared" in words(shown.main)
    assert [words(cell) for cell in shown.select_one(".differences tbody tr").find_all("td")] == ["0", "4"]
    assert "Not the same latents" in words(shown.main)
    assert "Not the same latents" in words(get(client, f"compare?trainings={keys[0][:12]},{keys[1][:12]}").main)


def test_comparison_of_one_asks_for_another(fake_dataset, client):
    ended(fake_dataset, FIRST, "")
    answer = client.get(f"/d/cats/compare?runs={FIRST}", headers={"accept": "text/html"})
    assert answer.status_code == 409
    assert "choose 2 to 6" in answer.text
