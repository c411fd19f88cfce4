"""The label page in a browser: views, batches, runs, zoom, keys and the phone layout."""

import pytest

from tests.web.browser import ALL_SAVED, MARKS, open_tab, press, saved_labels, wait_for, wait_until_saved
from tests.web.fake_dataset import FakeDataset, picture_id
from tests.web.live_server import LiveServer

pytestmark = MARKS


def test_page_labels_a_row_and_the_rest(profile, live_server):
    tab = open_tab(profile, live_server)
    press(tab, "n")
    press(tab, ["Shift+Y"])
    wait_until_saved(tab)
    columns = len(live_server.fake_dataset.log.effective())
    assert 1 < columns < 20
    press(tab, ["r", "n"])
    wait_until_saved(tab)
    assert live_server.fake_dataset.log.effective() == dict.fromkeys(
        live_server.fake_dataset.ids(70), "off"
    ) | dict.fromkeys(live_server.fake_dataset.ids(columns), "on")
    press(tab, "z")
    wait_until_saved(tab)
    assert len(live_server.fake_dataset.log.effective()) == columns


@pytest.mark.long
def test_page_batch_is_stable_and_the_next_one_differs(profile, live_server):
    tab = open_tab(profile, live_server, "")
    first = tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)")
    assert len(first) == 60
    assert tab.locator(".tile .why").first.text_content() in ("random", "different")
    press(tab, "ynyn")
    wait_until_saved(tab)
    tab.reload()
    tab.wait_for_selector(".tile")
    assert tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)") == first
    press(tab, "]")
    wait_for(tab, f"document.querySelector('.tile').dataset.id !== '{first[0]}'")
    second = tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)")
    assert not set(first[:4]) & set(second)
    press(tab, "[")
    wait_for(tab, f"document.querySelector('.tile').dataset.id === '{first[0]}'")
    assert tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)") == first
    assert len(saved_labels(tab)) == 4
    assert tab.is_disabled("[data-act=previous]")
    tab.reload()
    tab.wait_for_selector(".tile")
    assert tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)") == first
    press(tab, "]")
    wait_for(tab, f"document.querySelector('.tile').dataset.id === '{second[0]}'")


def test_page_up_and_down_scroll_the_grid(profile, live_server):
    tab = open_tab(profile, live_server, "")
    tab.set_viewport_size({"width": 400, "height": 500})
    first = tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)")
    press(tab, ["PageDown"])
    wait_for(tab, "window.scrollY > 100")
    assert tab.eval_on_selector_all(".tile", "tiles => tiles.map((tile) => tile.dataset.id)") == first


def test_page_escapes_crawled_text_and_links_are_safe(profile, tmp_path):
    fake_dataset = FakeDataset(tmp_path)
    evil = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    fake_dataset.draw(4, titles={0: evil}, rows={0: {"query": evil}, 1: {"page": "javascript:document.title='run'"}})
    server = LiveServer(fake_dataset).start()
    try:
        tab = open_tab(profile, server)
        faults = []
        tab.on("pageerror", lambda error: faults.append(str(error)))
        press(tab, ["Enter"])
        assert evil in tab.text_content("#zoom-title")
        assert tab.locator("#zoom-facts img, #zoom-facts script").count() == 0
        link = tab.locator("#page-link")
        assert link.get_attribute("href") == "https://host0.example/page/0"
        assert (link.get_attribute("rel"), link.get_attribute("target")) == ("noopener noreferrer", "_blank")
        press(tab, ["ArrowRight"])
        assert link.is_hidden()
        assert tab.title() == "cats: labels"
        assert not faults
    finally:
        server.kill()


def test_page_zoom_shows_the_original_and_labels_it(profile, live_server):
    tab = open_tab(profile, live_server)
    press(tab, ["Enter"])
    wait_for(tab, "document.getElementById('zoom-picture').naturalWidth === 40")
    press(tab, "yn")
    wait_until_saved(tab)
    assert live_server.fake_dataset.log.effective() == {picture_id(0): "on", picture_id(1): "off"}
    assert tab.text_content("#zoom-title") == "picture 2"


def test_page_on_a_phone_has_low_bars_and_labels_in_the_zoom(profile, live_server):
    live_server.fake_dataset.filter(
        dict.fromkeys(live_server.fake_dataset.ids(70), 0.9), notice="precision 0.95 is expected but not shown yet"
    )
    tab = profile.new_page()
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(live_server.page + "#view=all")
    tab.wait_for_selector(".tile")
    wait_for(tab, ALL_SAVED)
    bars = "[...document.querySelectorAll('header, nav, footer')].reduce((sum, bar) => sum + bar.offsetHeight, 0)"
    assert tab.evaluate(bars) < 844 / 3
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.is_hidden("#sort")
    tab.click("#more")
    assert tab.is_visible("#sort")
    assert tab.is_visible("#brush")
    tab.click("[data-act=zoom]")
    for label in ("on", "off", "unsure"):
        tab.click(f"#zoom-acts [data-act={label}]")
    wait_until_saved(tab)
    assert live_server.fake_dataset.log.effective() == dict(
        zip(live_server.fake_dataset.ids(3), ("on", "off", "unsure"), strict=True)
    )
    assert tab.text_content("#zoom-title") == "picture 3"
    tab.click("#zoom-close")
    press(tab, ["Enter", "Enter"])
    assert tab.is_hidden("#zoom")
    assert len(live_server.fake_dataset.log.effective()) == 3


def test_page_held_key_labels_once_and_rest_applies_once(profile, live_server):
    tab = open_tab(profile, live_server)
    for _ in range(5):
        tab.keyboard.down("y")
    tab.keyboard.up("y")
    wait_until_saved(tab)
    assert live_server.fake_dataset.log.effective() == {picture_id(0): "on"}
    tab.select_option("#reach", "rest")
    press(tab, "n")
    wait_until_saved(tab)
    assert len(live_server.fake_dataset.log.effective()) == 2
    tab.click("[data-act=off]")
    wait_until_saved(tab)
    assert len(live_server.fake_dataset.log.effective()) == 70
    assert tab.input_value("#reach") == "one"
    tab.click(f".tile[data-id='{picture_id(5)}']")
    tab.select_option("#reach", "row")
    tab.click("[data-act=on]")
    tab.click("[data-act=unsure]")
    wait_until_saved(tab)
    assert list(live_server.fake_dataset.log.effective().values()).count("unsure") == 1


def test_page_remembers_the_tile_size(profile, live_server):
    tab = open_tab(profile, live_server)
    before = tab.locator(".tile").first.bounding_box()["width"]
    press(tab, "++++")
    tab.reload()
    tab.wait_for_selector(".tile")
    assert tab.locator(".tile").first.bounding_box()["width"] > before


@pytest.mark.long
def test_page_run_survives_a_killed_server(profile, live_server):
    tab = open_tab(profile, live_server)
    tab.click("#update")
    tab.wait_for_selector("#plan-steps td:has-text('labels changed: 8 → 9')")
    tab.click("#plan-start")
    wait_for(tab, "document.getElementById('run-line').textContent === 'classifier 50 %'")
    assert tab.text_content("#run-note") == "learning"
    live_server.kill()
    live_server.start()
    (live_server.fake_dataset.folder / "gate").write_text("kept 12 of 70 at a score of 0.500 or above")
    wait_for(tab, "document.getElementById('run-line').textContent.startsWith('filter kept 12 of 70')")
    assert (live_server.fake_dataset.folder / "gate.runs").read_text() == "run --dataset cats --until filter\n"


@pytest.mark.long
def test_page_run_can_be_stopped_and_a_failure_is_shown(profile, live_server):
    tab = open_tab(profile, live_server)
    tab.click("#update")
    tab.click("#plan-start")
    tab.wait_for_selector("#run[data-state=running]")
    wait_for(tab, "document.getElementById('run-line').textContent === 'classifier 50 %'")
    tab.click("#run-stop")
    tab.wait_for_selector("#run[data-state=stopped]")
    (live_server.fake_dataset.folder / "gate").write_text("failed: the classifier needs 8 of each")
    tab.click("#update")
    tab.click("#plan-start")
    tab.wait_for_selector("#run[data-state=failed]")
    assert "needs 8 of each" in tab.text_content("#run-line")


def test_page_updates_scores_and_label_effect_of_a_new_filter(profile, live_server):
    fake_dataset = live_server.fake_dataset
    scores = dict.fromkeys(fake_dataset.ids(70), 0.9)
    fake_dataset.filter(scores)
    tab = open_tab(profile, live_server)
    assert tab.text_content(f".tile[data-id='{picture_id(3)}'] .score") == "0.90 ± 0.05"
    press(tab, "yn")
    wait_until_saved(tab)
    wait_for(tab, "document.getElementById('gain').textContent.includes('2 labels are newer than the filter')")
    fake_dataset.filter(scores | {picture_id(3): 0.2}, labels=fake_dataset.log.effective(), spread=None)
    fake_dataset.classifier(hint="More labels would change little.", enough=True)
    wait_for(tab, f"document.querySelector(\".tile[data-id='{picture_id(3)}'] .score\").textContent === '0.20'")
    wait_for(tab, "document.getElementById('gain').textContent.includes('The last 2 labels changed 2 of 70 decisions')")
    wait_for(tab, "document.getElementById('gain').textContent.includes('More labels would change little.')")
    assert saved_labels(tab) == {picture_id(0): "on", picture_id(1): "off"}
    tab.click("[data-view=rejected]")
    wait_for(tab, "document.getElementById('where').textContent === '1–2 of 2'")
