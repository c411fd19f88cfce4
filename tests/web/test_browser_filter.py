"""The page of the filter in a browser: drag the threshold, by mouse and by keys, and save it."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.web.browser import MARKS, wait_for
from tests.web.fake_filter import labels_by_score, publish_filter, spread_scores

pytestmark = MARKS
READY = "document.getElementById('waiting').textContent === ''"
SAVE_READY = "!document.getElementById('backbone').disabled"


@pytest.fixture
def filtered(live_server):
    """A live server whose dataset has a filter, and the scores of its squares."""
    scores = spread_scores(live_server.fake_dataset.ids(70))
    publish_filter(live_server.fake_dataset, scores, labels_by_score(scores, 20))
    return live_server


def open_filter(profile, live_server, state=""):
    tab = profile.new_page()
    tab.goto(f"{live_server.address}/d/cats/filter{state}")
    wait_for(tab, READY)
    wait_for(tab, SAVE_READY)
    return tab


def tiles(tab, side):
    """The scores of the tiles on one side, as they are shown."""
    return tab.eval_on_selector_all(
        f"#tiles-{side} .square", "tiles => tiles.map((tile) => Number(tile.innerText.split(/\\s/)[0]))"
    )


def kept(tab):
    return int(tab.text_content("#kept"))


@pytest.mark.long
def test_threshold_is_dragged_by_mouse_and_tiles_and_figures_follow(profile, filtered):
    tab = open_filter(profile, filtered)
    asked = []
    tab.on("request", lambda request: asked.append(request.url) if "/filter/" in request.url else None)
    summary = filtered.fake_dataset.store("filter").newest().manifest.summary
    assert kept(tab) == summary["kept"]
    assert tab.text_content("#recall") == f"{summary['expected_recall']:.3f}"
    before = tab.text_content("#words")
    box = tab.locator("#histogram").bounding_box()
    tab.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 30)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 30, steps=6)
    tab.mouse.up()
    assert tab.input_value("#threshold") == "0.25"
    assert kept(tab) > summary["kept"]
    assert tab.text_content("#words") != before
    assert float(tab.text_content("#precision")) < summary["expected_precision"]
    low, high = tiles(tab, "rejected"), tiles(tab, "kept")
    assert low == sorted(low, reverse=True)
    assert high == sorted(high)
    assert low[0] <= 0.2
    assert high[0] >= 0.3
    assert tab.locator(".tiles .square.on .label").count() > 0
    assert asked == []


def test_threshold_is_moved_by_keys_linked_and_saved(profile, filtered):
    tab = open_filter(profile, filtered, "#threshold=.62")
    assert tab.input_value("#threshold") == "0.62"
    tab.focus("#threshold")
    for _ in range(4):
        tab.keyboard.press("ArrowRight")
    assert tab.input_value("#threshold-number") == "0.640"
    assert "0.640, keeps" in tab.get_attribute("#threshold", "aria-valuetext")
    wait_for(tab, "location.hash.includes('threshold=0.640')")
    assert "filter.threshold = 0.64 (now auto, default)" in tab.text_content("#saved")
    tab.click("#save")
    wait_for(tab, "document.getElementById('saved').textContent.startsWith('Saved. The next run')")
    saved = json.loads((filtered.fake_dataset.folder / "gate.settings").read_text())
    assert saved == {"filter.threshold": "0.64"}
    assert tab.is_disabled("#save")
    tab.reload()
    wait_for(tab, SAVE_READY)
    assert tab.input_value("#threshold") == "0.64"


@pytest.mark.long
def test_automatic_threshold_band_and_backbone(profile, filtered):
    tab = open_filter(profile, filtered)
    tab.fill("#target", "0.6")
    wait_for(tab, "document.getElementById('auto-words').textContent.startsWith('With precision 0.6 ')")
    low = tab.text_content("#use-auto")
    tab.fill("#target", "0.99")
    wait_for(tab, "document.getElementById('auto-words').textContent.startsWith('With precision 0.99 ')")
    assert tab.text_content("#use-auto") != low
    tab.click("#use-auto")
    assert f"Auto: {float(tab.input_value('#threshold')):.3f}" == tab.text_content("#use-auto")
    tab.fill("#unsure", "0.2")
    wait_for(tab, READY)
    wait_for(tab, "Number(document.getElementById('borderline').textContent) > 5")
    tab.select_option("#backbone", "MobileNet")
    tab.click("#save")
    wait_for(tab, "document.getElementById('saved').textContent.includes('trains the classifier again')")
    saved = json.loads((filtered.fake_dataset.folder / "gate.settings").read_text())
    assert saved == {"filter.precision": "0.99", "filter.unsure": "0.2", "classifier.backbone": "MobileNet"}


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_pages_fit_every_window_and_are_accessible(chromium, filtered, scheme):
    context = chromium.new_context(bypass_csp=True, color_scheme=scheme)  # axe-core is run as a script of the page
    tab = open_filter(context, filtered)
    tab.click("summary")
    assert problems(tab) == []
    tab.goto(f"{filtered.address}/d/cats/label#view=all")
    tab.wait_for_selector(".tile")
    assert problems(tab) == []
    tab.set_viewport_size({"width": 1400, "height": 860})
    tab.click("#why-open")
    tab.fill("#why-search", "picture 3")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("#why-found .answer")
    assert problems(tab) == []
    context.close()


def problems(tab):
    """What axe-core finds serious, and the widths at which the page scrolls sideways."""
    found = [each for each in Axe().run(tab).response["violations"] if each["impact"] in ("serious", "critical")]
    wide = []
    for width in (1400, 800, 400):
        tab.set_viewport_size({"width": width, "height": 860})
        if tab.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(width)
    return [(each["id"], each["nodes"][0]["html"]) for each in found] + wide
