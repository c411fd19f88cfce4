"""A race in Chromium: the host makes it, two voters vote in browsers of their own, and names appear at the end."""

import threading
import time

import numpy as np
import pytest
import uvicorn

from pipeline.web.app import make_app
from pipeline.web.security import AccessRules
from tests.web import fake_trainings
from tests.web.browser import MARKS, WINDOWS, problems, wait_for, watched_tab
from tests.web.live_server import free_port

pytestmark = MARKS
NAMES = ("001-dcgan-16px", "002-dcgan-16px")


def draw(*, dataset, key, seed, count):
    drawn = np.random.default_rng(int(key[:6], 16))
    return [*drawn.integers(0, 255, (count, 16, 16, 3), dtype=np.uint8)]


@pytest.fixture
def address(bare_dataset):
    """A server with two trainings, whose tiles are drawn at once."""
    for name in ("one", "two"):
        fake_trainings.training(bare_dataset, name)
    port = free_port()
    app = make_app(bare_dataset.site(), AccessRules(host="127.0.0.1", port=port), draw=draw)
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def voters(chromium):
    """Two browsers that share no cookie."""
    contexts = [chromium.new_context() for _ in range(2)]
    yield contexts
    for each in contexts:
        each.close()


def prepared(host, address):
    """Make a race of both trainings and open its vote; returns the link for voters."""
    host.goto(f"{address}/races")
    host.fill("[name=title]", "Cats")
    host.fill("[name=size]", "16")
    host.click("#new button")
    host.wait_for_selector("#upload")
    host.goto(host.url + "?dataset=cats")
    for number, name in enumerate(NAMES, 1):
        host.click(f"text=Enter {name}")
        host.wait_for_selector(f".card:nth-of-type({number}) img.tile")
    host.click("[data-state=open]")
    host.wait_for_selector("[data-state=closed]")
    return address + host.locator("a[href^='/vote/']").get_attribute("href")


def choose(tab, name):
    """Vote for the tile that looks like `name`'s, told from its address by the test only."""
    tab.click(f"figure[data-id='{name}'] [data-choose]")
    tab.click("#send")
    wait_for(tab, "document.getElementById('said').textContent.includes('saved')")


@pytest.mark.long
def test_two_voters_vote_blind_and_see_names_after_the_close(profile, voters, address):
    host, errors = watched_tab(profile)
    host.on("dialog", lambda asked: asked.accept())
    link = prepared(host, address)
    seen, tabs = [], []
    for context in voters:
        tab, _ = watched_tab(context)
        tab.on("response", lambda answer: seen.append(answer.text()) if "/tile/" not in answer.url else None)
        tab.goto(link)
        tab.wait_for_selector("[data-choose]")
        tabs.append(tab)
    ann, bob = tabs
    tiles = ann.locator("figure").evaluate_all("all => all.map((each) => each.dataset.id)")
    choose(ann, tiles[0])
    choose(bob, bob.locator("figure").first.get_attribute("data-id"))
    ann.reload()
    ann.wait_for_selector(f"figure.chosen[data-id='{tiles[0]}']")
    choose(ann, tiles[1])
    said = "".join(seen) + "".join(tab.content() for tab in tabs)
    assert "Cats" in said
    assert not any(name in said for name in (*NAMES, "dcgan"))

    host.reload()
    assert "2 have voted" in host.locator("main").inner_text()
    host.click("[data-state=closed]")
    host.wait_for_selector("h2:has-text('Results')")
    bob.reload()
    bob.wait_for_selector("#results table")
    told = bob.locator("#results").inner_text()
    assert "2 voted" in told
    assert all(name in told for name in NAMES)
    assert errors == []


@pytest.mark.long
def test_tiles_are_chosen_and_enlarged_by_keys_and_shown_in_whole_multiples(profile, address):
    tab, errors = watched_tab(profile)
    tab.goto(prepared(tab, address))
    tab.wait_for_selector("[data-choose]")
    for width in (1200, 400, 150):
        tab.set_viewport_size({"width": width, "height": 900})
        wait_for(tab, "[...document.querySelectorAll('#tiles img')].every((each) => each.clientWidth > 0)")
        tab.wait_for_timeout(50)
        times = tab.locator("#tiles img").evaluate_all("all => all.map((each) => each.clientWidth / each.naturalWidth)")
        assert len(times) == 2
        assert all(each >= 1 and each == int(each) for each in times)
    assert problems(tab, 190, "light") == []  # a tile is wider than its box, and scrolls there
    tab.keyboard.press("2")
    wait_for(tab, "document.querySelectorAll('#tiles figure')[1].classList.contains('chosen')")
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Enter")
    wait_for(tab, "document.getElementById('large').open")
    first = tab.locator("#tiles img").first.get_attribute("src")
    assert tab.locator("#large img").get_attribute("src").endswith(first)
    tab.keyboard.press("Escape")
    tab.click("#send")
    wait_for(tab, "document.getElementById('said').textContent.includes('saved')")
    assert errors == []


@pytest.mark.long
def test_pages_of_a_race_are_accessible_and_fit_their_window(profile, address):
    tab, errors = watched_tab(profile)
    link = prepared(tab, address)
    race = tab.url
    for page, filled in ((f"{address}/races", "#new"), (race, "img.tile"), (link, "[data-choose]")):
        tab.goto(page)
        tab.wait_for_selector(filled)
        assert [each for width, scheme in WINDOWS for each in problems(tab, width, scheme)] == []
    assert errors == []
