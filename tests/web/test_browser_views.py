"""The label page in a browser: views, search and history always agree; originals; why a picture is not in."""

import pytest

from tests.web.browser import MARKS, open_tab, press, saved_labels, wait_for, wait_until_saved
from tests.web.fake_dataset import picture_id

pytestmark = MARKS
PRESSED = "[...document.querySelectorAll('.view[aria-pressed=true]')].map((button) => button.dataset.view).join()"
IDS = "[...document.querySelectorAll('.tile')].map((tile) => tile.dataset.id)"


def state(tab):
    """The pressed tab, the view in the address, and the squares of the grid: read at one moment."""
    return tab.evaluate(f"[{PRESSED}, new URLSearchParams(location.hash.slice(1)).get('view'), {IDS}]")


def publish_scores(live_server):
    ids = live_server.fake_dataset.ids(70)
    scores = {id: number / 70 for number, id in enumerate(ids)}
    live_server.fake_dataset.filter(scores, unsure=0.1)
    views = {"rejected": ids[:28], "borderline": ids[28:42], "kept": ids[42:], "all": ids}
    return {view: set(squares) for view, squares in views.items()}


def test_tab_address_and_grid_agree_while_answers_come_late_and_in_another_order(profile, live_server):
    views = publish_scores(live_server)
    tab = open_tab(profile, live_server)
    held = []
    tab.route("**/pictures?view=kept*", lambda route: held.append(route))
    tab.click("[data-view=kept]")
    wait_for(tab, "document.querySelector('[data-view=kept]').getAttribute('aria-busy') === 'true'")
    assert state(tab)[:2] == ["all", "all"]
    assert set(state(tab)[2]) == views["all"]
    tab.click("[data-view=rejected]")
    wait_for(tab, f"{PRESSED} === 'rejected'")
    held[0].continue_()  # the answer that nobody waits for any more
    tab.wait_for_timeout(300)
    pressed, address, ids = state(tab)
    assert (pressed, address, set(ids)) == ("rejected", "rejected", views["rejected"])
    tab.route("**/pictures?view=borderline*", lambda route: route.fulfill(status=500, json={"error": "a defect"}))
    tab.click("[data-view=borderline]")
    wait_for(tab, "document.getElementById('toast').textContent === 'a defect'")
    pressed, address, ids = state(tab)
    assert (pressed, address, set(ids)) == ("rejected", "rejected", views["rejected"])
    assert not tab.evaluate("document.body.classList.contains('loading')")


def test_back_and_forward_buttons_go_through_views_and_searches(profile, live_server):
    views = publish_scores(live_server)
    tab = open_tab(profile, live_server)
    for view in ("kept", "borderline"):
        tab.click(f"[data-view={view}]")
        wait_for(tab, f"{PRESSED} === '{view}'")
    assert tab.text_content("[data-view=borderline] .count") == "14"
    tab.fill("#search", "picture 3")
    wait_for(tab, f"{IDS}.length === 10")
    assert tab.text_content("[data-view=borderline] .count") == "10"
    tab.go_back()
    wait_for(tab, f"{IDS}.length === 14")
    assert (tab.input_value("#search"), tab.text_content("[data-view=borderline] .count")) == ("", "14")
    tab.go_back()
    wait_for(tab, f"{PRESSED} === 'kept'")
    assert set(state(tab)[2]) == views["kept"]
    tab.go_forward()
    tab.go_forward()
    wait_for(tab, f"{IDS}.length === 10")
    assert tab.input_value("#search") == "picture 3"
    tab.reload()
    tab.wait_for_selector(".tile")
    assert (state(tab)[0], len(state(tab)[2]), tab.input_value("#search")) == ("borderline", 10, "picture 3")


@pytest.mark.long
def test_search_by_keys_and_why_a_picture_is_not_in(profile, live_server):
    publish_scores(live_server)
    tab = open_tab(profile, live_server)
    press(tab, "/")
    tab.keyboard.type("pictures.example/")
    wait_for(tab, "new URLSearchParams(location.hash.slice(1)).get('search') === 'pictures.example/'")
    tab.keyboard.type("9.png")  # the field keeps the focus after an answer
    wait_for(tab, f"{IDS}.length === 1")
    assert saved_labels(tab) == {}  # the letters went into the field
    tab.keyboard.press("Enter")
    press(tab, "y")
    wait_until_saved(tab)
    assert live_server.fake_dataset.log.effective() == {picture_id(9): "on"}
    tab.fill("#search", "no such picture")
    tab.click("#empty-why")
    wait_for(
        tab, "document.getElementById('why-line').textContent.startsWith('The download asked for no such picture')"
    )
    tab.keyboard.press("Escape")  # once is enough, although the field has a text
    assert not tab.is_visible("#why")
    tab.click("#empty-why")
    tab.fill("#why-search", "picture 12")
    tab.keyboard.press("Enter")
    wait_for(tab, "document.getElementById('why-found').textContent.includes('squares are rejected below 0.40')")
    assert "why=picture+12" in tab.url
    tab.reload()
    wait_for(tab, "document.getElementById('why-found').textContent.includes('squares are rejected below 0.40')")
    tab.click("#why-found img")
    wait_for(tab, f"{IDS}.join() === '{picture_id(12)}'")
    assert "why" not in tab.url
    press(tab, ["Enter"])
    assert tab.get_attribute("#zoom-facts a[href*=trace]", "href") == f"/d/cats/samples#trace={picture_id(12)}"


def test_originals_with_their_crop_and_the_preview_beside_the_square(profile, live_server):
    tab = open_tab(profile, live_server)
    tab.select_option("#images", "both")
    loaded = "document.querySelector('.tile img').naturalWidth"
    wait_for(tab, f"{loaded} === 40 && document.querySelector('.tile .inset').naturalWidth === 16")
    tab.reload()
    tab.wait_for_selector(".tile .inset")
    tab.select_option("#images", "squares")
    assert tab.locator(".tile .inset").count() == 0
    tab.hover(f".tile[data-id='{picture_id(5)}']")
    wait_for(tab, "document.querySelector('#preview:not([hidden]) img')?.naturalWidth === 40")
    tile, box = tab.locator(f".tile[data-id='{picture_id(5)}']").bounding_box(), tab.locator("#preview").bounding_box()
    assert box["x"] >= tile["x"] + tile["width"] or box["x"] + box["width"] <= tile["x"]
    assert tab.evaluate("document.activeElement.dataset.id") == picture_id(0)
    tab.mouse.move(2, 2)
    wait_for(tab, "document.getElementById('preview').hidden")
    press(tab, "p")
    wait_for(tab, f"document.querySelector('#preview:not([hidden]) img')?.src.endsWith('{picture_id(0)}')")
    press(tab, ["ArrowRight"])
    wait_for(tab, f"document.querySelector('#preview:not([hidden]) img')?.src.endsWith('{picture_id(1)}')")
    press(tab, ["Escape"])
    assert tab.is_hidden("#preview")


@pytest.mark.long
def test_progress_towards_enough_labels_goes_away_with_the_filter(profile, live_server):
    tab = open_tab(profile, live_server)
    press(tab, "yyn")
    wait_for(tab, "document.getElementById('progress-on-text').textContent === '2 of 30'")
    assert tab.text_content("#progress-off-text") == "1 of 50"
    ids = live_server.fake_dataset.ids(70)
    live_server.fake_dataset.label(dict.fromkeys(ids[:30], "on") | dict.fromkeys(ids[30:], "off"))
    wait_for(tab, "document.getElementById('progress-off-text').textContent === '40 of 50'")
    tab.close()
    live_server.fake_dataset.draw(80)
    live_server.fake_dataset.label(dict.fromkeys(live_server.fake_dataset.ids(80)[70:], "off"))
    tab = open_tab(profile, live_server)
    wait_for(tab, "document.getElementById('progress-text').textContent.includes('update the filter')")
    live_server.fake_dataset.filter(dict.fromkeys(live_server.fake_dataset.ids(80), 0.5))
    wait_for(tab, "document.getElementById('progress').hidden")
