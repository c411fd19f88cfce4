"""The overview page without a browser: never without a picture, whatever the state; nothing unescaped."""

import re

import pytest
from fastapi.testclient import TestClient

from pipeline.web.app import make_app
from pipeline.web.security import AccessRules
from tests.web import chains, fake_trainings
from tests.web.conftest import PORT
from tests.web.fake_dataset import FakeDataset
from tests.web.fake_live_training import advance

EVIL = "<img src=x onerror=alert(1)>"
STAGE = {"event": "stage", "stage": "gan", "outcome": "failed", "error": "x"}


@pytest.fixture
def fake(tmp_path):
    return FakeDataset(tmp_path)


def client_of(fake, *command):
    app = make_app(fake.site(*command), AccessRules(host="127.0.0.1", port=PORT))
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=True)


def best(page):
    """The kind of the best pictures on a page, and their addresses."""
    kind = re.search(r'id="best" data-kind="(\w*)"', page)
    return kind and kind[1], list(re.findall(r'<img class="pixels[^>]* src="([^"]+)"', page))


@pytest.mark.parametrize("run", ["none", "done", "failed", "stopped", "next", "running"])
@pytest.mark.parametrize("kind", chains.STATES)
def test_page_shows_the_best_pictures_there_are_in_every_state(fake, kind, run):
    chains.STATES[kind](fake)
    if run in chains.ENDS:
        chains.ended(fake, run)
    elif run == "running":
        chains.at_work(fake, {"event": "stage_start", "stage": "gan", "key": "a" * 64})
    client = client_of(fake)
    page = client.get("/d/cats/")
    assert page.status_code == 200
    assert (f'data-state="{run}"') in page.text
    shown, addresses = best(page.text)
    assert shown == kind
    if not kind:
        assert "There is no picture yet" in page.text
    for address in addresses[:2]:
        assert client.get(address.replace("&amp;", "&")).headers["content-type"].startswith("image/")


def test_page_and_parts_have_the_same_parts(fake):
    chains.trained(fake)
    client = client_of(fake)
    parts = re.findall(r'id="(part-\w+)"', client.get("/d/cats/parts").text)
    assert parts == re.findall(r'id="(part-\w+)"', client.get("/d/cats/").text)
    assert len(parts) == 6


def test_a_failed_run_says_why_shows_both_logs_as_text_and_what_to_do(fake):
    chains.filtered(fake)
    folder = chains.ended(fake, "failed", {**STAGE, "error": EVIL}, {"event": "note", "stage": "gan", "text": EVIL})
    (folder / "log.txt").write_text(f"Traceback\n  {EVIL}\n\x1b[31mred\n")
    page = client_of(fake).get("/d/cats/").text
    assert "The last run failed" in page
    assert "gan failed: the disk is full" in page
    assert "run again" in page
    assert "Traceback" in page
    assert "&lt;img src=x" in page
    assert EVIL not in page
    assert "\x1b" not in page


def test_a_run_that_needs_labels_leads_to_the_label_page(fake):
    chains.squares(fake)
    chains.ended(fake, "next")
    page = client_of(fake).get("/d/cats/").text
    assert "The last run waits for you" in page
    assert "label 30 on target and 50 off target" in page
    assert '<a href="/d/cats/label">label 80 more</a>' in page


def test_names_and_alarms_of_others_are_text(fake):
    chains.filtered(fake)
    fake_trainings.samples(fake, fake_trainings.training(fake, definition=EVIL, extractor=EVIL))
    page = client_of(fake, *chains.planning(fake, gan=EVIL)).get("/d/cats/").text
    assert EVIL not in page


def test_figures_of_each_stage_are_on_the_page_with_its_artifact(fake):
    chains.trained(fake)
    page = client_of(fake).get("/d/cats/").text
    assert "12 of 30 kept" in page
    assert "KID 0.100 ± 0.010" in page
    assert "textures-64" in page
    assert "worse than reals" in page
    assert str(fake.paths().generate.latest().folder) in page


def test_what_is_different_since_the_run_before_names_settings_kept_and_kid(fake):
    chains.trained(fake)
    fake.filter(dict.fromkeys(fake.ids(30), 0.9), kept=30, images=30)
    fake_trainings.samples(fake, fake_trainings.training(fake, "two", seed=1), seed=1, kid=0.04)
    page = client_of(fake).get("/d/cats/").text
    assert "Different from the run before" in page
    for text in ("<dt>kept squares</dt><dd>12 → 30</dd>", "<dt>gan.seed</dt><dd>0 → 1</dd>"):
        assert text in page
    assert "0.100 ± 0.010 → 0.040 ± 0.010, by textures-64: better by 0.060" in page


def test_a_training_at_work_shows_its_sheet_curves_and_alarm(fake):
    chains.filtered(fake)
    key = advance(fake, 4)
    chains.at_work(fake, {"event": "stage_start", "stage": "gan", "key": key})
    page = client_of(fake).get("/d/cats/").text
    assert "the newest sample sheet, of epoch 4" in page
    assert "epoch 4 of 4" in page
    assert re.search(r'class="alarm" role="alert">alarm since epoch 3: samples differ only 0.10 times', page)
    assert "KID by textures-64" in page
    assert 'role="img"' in page


def test_the_curves_of_a_finished_training_are_beside_its_samples(fake):
    chains.trained(fake)
    page = client_of(fake).get("/d/cats/").text
    beside = page[page.index('class="beside"') :]
    assert "KID by textures-64" in beside[beside.index('id="course"') :]
    assert "<details" not in beside[: beside.index('data-chart="')]


@pytest.mark.parametrize(
    "part",
    ["shown/samples/..%2F..png", "shown/samples/aaaaaaaaaaaa.png", "found/..%2F..%2Flabels.jsonl", "found/" + "a" * 64],
)
def test_pictures_that_are_not_there_are_not_found(fake, part):
    chains.trained(fake)
    assert client_of(fake).get(f"/d/cats/{part}").status_code == 404


def test_an_unknown_dataset_is_not_found(fake):
    chains.new(fake)
    assert client_of(fake).get("/d/dogs/").status_code == 404
