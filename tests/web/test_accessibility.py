"""Every page in Chromium: axe-core finds nothing serious, nothing scrolls sideways, and the console shows no error."""

import sys

import pytest

from pipeline.store.digest import of_value
from tests.web import chains, fake_trainings
from tests.web.browser import MARKS, WINDOWS, problems, wait_for, watched_tab
from tests.web.conftest import FAKE_TASKS
from tests.web.fake_dataset import FakeDataset
from tests.web.live_server import LiveServer

pytestmark = MARKS
KEYS = [of_value(["gan", name]) for name in ("one", "two")]  # of the trainings of the cats
# The address of each page, and what is there when its script has filled it
PAGES = {
    "home": ("/", "main"),
    "overview": ("/d/cats/#stage=gan", "#stage-gan"),
    "overview, failed": ("/d/dogs/", "#part-outcome .alarm"),
    "overview, training": ("/d/birds/", "#sheet img"),
    "label": ("/d/cats/label", ".tile"),
    "gallery": ("/d/cats/gallery", ".sheet img[src]"),
    "runs": ("/d/dogs/runs", "main table"),
    "compare": (f"/d/cats/compare?trainings={KEYS[0][:12]}&trainings={KEYS[1][:12]}", "main"),
    "jobs": ("/jobs", "main"),
    "races": ("/races", "#new"),
    "API": ("/api/docs", "#swagger *"),
    "not found": ("/d/cows/", "[role=alert]"),
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A server with a dataset that is done, one whose run failed, and one that trains."""
    folder = tmp_path_factory.mktemp("studio")
    cats, dogs, birds = (FakeDataset(folder, name) for name in ("cats", "dogs", "birds"))
    chains.trained(cats)
    fake_trainings.samples(cats, fake_trainings.training(cats, "two", seed=1), seed=1)
    chains.filtered(dogs)
    stopped = {"event": "stage", "stage": "gan", "outcome": "failed", "error": "the disk is full"}
    chains.ended(dogs, "failed", stopped)
    chains.filtered(birds)
    progress = {"event": "progress", "stage": "gan", "done": 4, "total": 10, "note": "epoch 4 of 10"}
    chains.at_work(birds, {"event": "stage_start", "stage": "gan", "key": chains.advance(birds, 4)}, progress)
    server = LiveServer(cats, sys.executable, str(FAKE_TASKS), str(folder / "gate")).start()
    yield server
    server.kill()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_fits_its_window_and_shows_no_error(profile, studio, name):
    address, filled = PAGES[name]
    tab, errors = watched_tab(profile)
    tab.goto(studio.address + address)
    tab.wait_for_selector(filled)
    assert [each for width, scheme in WINDOWS for each in problems(tab, width, scheme)] == []
    assert errors == []


def test_current_tab_is_in_sight_in_a_narrow_window(profile, studio):
    tab, _ = watched_tab(profile)
    tab.set_viewport_size({"width": 400, "height": 900})
    tab.goto(studio.address + "/d/cats/settings")
    wait_for(tab, "document.querySelector('.frame [aria-current]').getBoundingClientRect().right <= 400")
    assert tab.evaluate("document.querySelector('.frame [aria-current]').getBoundingClientRect().left") >= 0


def test_what_is_wrong_with_a_page_is_found(profile, studio):
    tab, errors = watched_tab(profile)
    tab.goto(studio.address + "/")
    tab.evaluate(
        "document.querySelector('main').append(document.createElement('img'), document.createElement('button'));"
        " document.querySelector('main').style.width = '3000px';"
        " document.querySelector('img').src = 'http://pictures.example/1.png'"
    )
    found = "\n".join(problems(tab, 400, "dark"))
    assert "image-alt" in found
    assert "button-name" in found
    assert "px wide" in found
    assert any("Content Security Policy" in error for error in errors)
