"""The gallery, the runs and the comparison in a real browser."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from filelock import FileLock

from pipeline.report.trainings import SHEETS
from pipeline.web.trainings.notes import RUN, read_notes
from tests.web.browser import MARKS, press, wait_for
from tests.web.fake_trainings import run, samples, sheet, training
from tests.web.waiting import until

pytestmark = MARKS
FIRST, SECOND = "20260101-000000-000000-1", "20260102-000000-000000-1"
SERIOUS = ("serious", "critical")  # of the impacts that axe knows
SHOWN = "document.querySelector('.side .caption').textContent"


def fill(fake_dataset):
    """Two runs with trainings that draw from the same latents; returns the ids of the trainings."""
    ids = []
    for name, epochs, kept in ((FIRST, 3, 40), (SECOND, 5, 30)):
        scores = {id: 0.9 if number < kept else 0.1 for number, id in enumerate(fake_dataset.ids(70))}
        filter = fake_dataset.filter(scores, images=70)
        key = training(fake_dataset, name, epochs=epochs, run=name)
        samples(fake_dataset, key)
        run(
            fake_dataset,
            name,
            {"event": "options", "settings": json.dumps({"gan.epochs": epochs}), "labels": ""},
            {"event": "stage", "stage": "filter", "outcome": "ran", "key": filter.manifest.key},
            {"event": "stage", "stage": "gan", "outcome": "ran", "key": key},
            {"event": "end", "outcome": "done", "seconds": 65.0},
        )
        ids.append(key[:12])
    return ids


def opened(profile, live_server, path, condition):
    tab = profile.new_page()
    tab.goto(f"{live_server.address}/d/cats/{path}")
    wait_for(tab, condition)
    return tab


def test_the_place_of_the_slider_is_on_one_line_in_a_narrow_window(profile, live_server):
    fill(live_server.fake_dataset)
    tab = opened(profile, live_server, "gallery", f"{SHOWN}.startsWith('epoch')")
    tab.set_viewport_size({"width": 400, "height": 900})
    tab.evaluate("document.getElementById('where').textContent = 'epoch 150'")
    line = "parseFloat(getComputedStyle(document.getElementById('where')).lineHeight)"
    assert tab.evaluate(f"document.getElementById('where').getBoundingClientRect().height / {line}") < 1.5


def test_slider_keys_and_one_latent_through_all_epochs(profile, live_server):
    first, second = fill(live_server.fake_dataset)
    page = f"gallery?training={first}&beside={second}"
    tab = opened(profile, live_server, page, f"{SHOWN}.startsWith('epoch 3')")
    assert tab.text_content("#where") == "epoch 5"  # the other training has more epochs
    press(tab, ["Home", "ArrowRight"])
    wait_for(tab, f"{SHOWN} === 'epoch 1, 640 images seen'")
    assert [
        f"/{id}/sheets/1?" in image.get_attribute("src")
        for id, image in zip((first, second), tab.query_selector_all(".side[data-training] img"), strict=True)
    ] == [True, True]
    tab.click(".side[data-training] img", position={"x": 70, "y": 10})
    wait_for(tab, "document.querySelectorAll('.strip canvas').length === 4 + 6")
    cell = tab.input_value("#cell")
    tab.click(".strip-line:last-of-type button[data-epoch='4']")
    wait_for(tab, "document.getElementById('where').textContent === 'epoch 4'")
    tab.reload()
    wait_for(tab, "document.querySelectorAll('.strip canvas').length === 10")
    assert (tab.text_content("#where"), tab.input_value("#cell")) == ("epoch 4", cell)
    tab.select_option("#by", "images")
    assert tab.text_content("#where") == "2,560 images seen"


@pytest.mark.long
def test_playing_ends_at_the_last_sheet_and_new_sheets_appear_by_themselves(profile, live_server):
    fake_dataset = live_server.fake_dataset
    key = training(fake_dataset, epochs=2, finished=False)
    store = fake_dataset.store("gan")
    store.work(key, resume=False)
    with FileLock(store.root / f".lock-{key[:12]}"):
        tab = opened(profile, live_server, "gallery", f"{SHOWN}.startsWith('epoch 2')")
        assert tab.text_content(".side .state") == "running"
        tab.select_option("#speed", "8")
        tab.focus("#slider")
        press(tab, ["Home", "Space"])
        wait_for(tab, "document.getElementById('where').textContent === 'epoch 2'")
        wait_for(tab, "document.getElementById('play-text').textContent === 'Play'")
        folder = fake_dataset.folder / "generated" / "cats" / SHEETS / key[:12]
        (folder / "epoch-0003.png").write_bytes(sheet(3))
        wait_for(tab, f"{SHOWN}.startsWith('epoch 3')")


def test_runs_are_starred_named_and_compared(profile, live_server):
    fill(live_server.fake_dataset)
    tab = opened(profile, live_server, "runs", "document.querySelectorAll('tbody tr').length === 2")
    tab.click(f"#run-{FIRST} .star")
    wait_for(tab, f"document.querySelector('#run-{FIRST} .star').textContent === '★'")
    tab.fill(f"#run-{FIRST} .name", "short one")
    tab.press(f"#run-{FIRST} .name", "Enter")
    until(lambda: read_notes(live_server.fake_dataset.data)[RUN, FIRST].name == "short one")
    assert read_notes(live_server.fake_dataset.data)[RUN, FIRST].star
    wait_for(tab, "document.getElementById('toast').textContent === 'Saved.'")
    assert tab.is_disabled("#compare")
    for box in tab.query_selector_all(".choose-one"):
        box.check()
    tab.click("#compare")
    wait_for(tab, f"location.pathname.endsWith('/compare') && {SHOWN}.startsWith('epoch')")
    wait_for(tab, "document.querySelectorAll('#kept .thumbs img').length > 0")
    assert "10 only in B: short one" in tab.text_content("#kept")
    press(tab, ["Home"])
    wait_for(
        tab, "[...document.querySelectorAll('.side .caption')].every((each) => each.textContent.startsWith('epoch 0'))"
    )


@pytest.mark.long
def test_pages_have_no_serious_faults_for_people_with_disabilities(chromium, live_server):
    first, second = fill(live_server.fake_dataset)
    pages = {
        f"gallery?training={first}&beside={second}#cell=3": "document.querySelectorAll('.strip canvas').length === 10",
        f"compare?runs={FIRST}&runs={SECOND}": "document.querySelectorAll('#kept .thumbs img').length > 0",
        "runs": "true",
        "runs?list=trainings": "true",
    }
    for scheme in ("light", "dark"):
        context = chromium.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": 400, "height": 900})
        for path, condition in list(pages.items())[:: 1 if scheme == "light" else 2]:
            tab = opened(context, live_server, path, condition)
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} scrolls sideways"
            found = [each for each in Axe().run(tab).response["violations"] if each["impact"] in SERIOUS]
            assert [(path, each["id"], each["nodes"][0]["html"]) for each in found] == []
        context.close()
