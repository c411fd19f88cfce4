"""Looks at samples, draws others, walks and traces in Chromium."""

import json

import pytest

from pipeline.gan.class_names import write_names
from tests.web.browser import MARKS, wait_for
from tests.web.fake_dataset import picture_id
from tests.web.fake_trainings import samples, training

pytestmark = MARKS


@pytest.fixture
def page(live_server, profile):
    """The samples page of a training with twelve samples; the sampler is faked."""
    fake = live_server.fake_dataset
    fake.filter(dict.fromkeys(fake.ids(70), 0.9))
    samples(fake, training(fake))
    tab = profile.new_page()
    faults = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(f"{live_server.address}/d/cats/samples")
    wait_for(tab, "document.querySelectorAll('.sample').length === 12")
    yield tab
    assert faults == []


def texts(tab, selector):
    return tab.locator(selector).all_text_contents()


def test_a_sample_is_opened_by_keys_and_shows_its_nearest_reals(page, live_server):
    page.focus(".sample")
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    wait_for(page, "document.querySelectorAll('#large-near li').length === 5")
    assert page.text_content("#large-title") == "Sample 1"
    assert "sample=1" in page.url
    assert page.text_content("#large-command").endswith("--dataset cats --generate-seed 0 --generate-count 2")
    wait_for(page, "document.querySelector('#large-latent').textContent.includes('more')")
    page.keyboard.press("ArrowRight")
    wait_for(page, "document.getElementById('large-title').textContent === 'Sample 2'")
    page.reload()  # the address has the sample
    wait_for(page, "document.querySelector('#large[open] h2')?.textContent === 'Sample 2'")
    wait_for(page, "document.querySelectorAll('#large-near li').length === 5")
    wait_for(page, "[...document.querySelectorAll('#large-near img')].some((each) => each.naturalWidth)")
    page.keyboard.press("Escape")
    wait_for(page, "!document.getElementById('large').open && document.activeElement.dataset.number === '2'")
    assert "sample=" not in page.url


def test_samples_of_a_class_are_drawn_and_the_address_has_it(page, live_server):
    (gan,) = live_server.fake_dataset.store("gan").folders()
    write_names(('a "quoted" one', "red"), gan)
    page.reload()
    wait_for(page, "!document.getElementById('class-part').hidden")
    assert texts(page, "#class option") == ["all", 'a "quoted" one', "red"]
    page.select_option("#class", "red")
    wait_for(page, "document.querySelectorAll('.sample').length === 0")
    page.fill("#count", "4")
    page.click("#more")
    wait_for(page, "document.querySelectorAll('.sample').length === 4")
    assert "class_name=red" in page.url
    page.reload()
    wait_for(page, "document.querySelectorAll('.sample').length === 4")
    page.click(".sample")
    wait_for(page, "document.getElementById('large-class').textContent === 'red'")
    assert page.text_content("#large-command").endswith(" --class 'red'")


def test_more_samples_are_drawn_and_the_address_shows_them_again(page):
    page.fill("#count", "8")
    page.click("#more")
    wait_for(page, "document.querySelectorAll('.sample').length === 20")
    page.fill("#seed", "7")
    page.keyboard.press("Tab")
    wait_for(page, "document.querySelectorAll('.sample').length === 0")
    page.click("#more")
    wait_for(page, "document.querySelectorAll('.sample').length === 8")
    wait_for(page, "[...document.querySelectorAll('.sample img')].every((each) => each.naturalWidth === 16)")
    page.reload()
    wait_for(page, "document.querySelectorAll('.sample').length === 8")
    page.click(".sample >> nth=5")
    page.click("#large-measure")
    wait_for(page, "document.querySelectorAll('#large-near li').length === 5")


def test_a_walk_plays_and_stops_at_the_slider(page):
    page.click(".sample >> nth=3")
    page.click("#large-from")
    page.keyboard.press("Escape")
    assert page.input_value("#walk-from") == "3"
    page.fill("#walk-frames", "5")
    page.click("#walk button")
    wait_for(page, "Number(document.getElementById('walk-frame').value) > 1")
    page.focus("#walk-frame")
    page.keyboard.press("End")
    wait_for(page, "document.getElementById('walk-where').textContent === '5 of 5'")
    assert page.text_content("#walk-play") == "Play"
    assert page.evaluate(
        "[...document.getElementById('walk-canvas').getContext('2d').getImageData(0, 0, 1, 1).data]"
    ) == [
        4,
        0,
        90,
        255,
    ]
    assert f"walk=3-{page.input_value('#walk-to')}" in page.url
    page.reload()  # the address shows the walk again
    wait_for(page, "Number(document.getElementById('walk-frame').value) > 1")
    assert page.input_value("#walk-from") == "3"


def test_a_trace_is_found_by_its_address_and_by_a_nearest_real(page, live_server):
    page.goto("about:blank")
    page.goto(f"{live_server.address}/d/cats/samples#trace={picture_id(3)}")
    wait_for(page, "document.querySelector('#trace .trace h3')")
    shown = page.text_content("#trace")
    for text in ("https://pictures.example/3.png", "kept, score 0.900", "001-dcgan-16px", "sample 2"):
        assert text in shown
    page.fill("#trace-of", "nonsense")
    page.click("#trace-form button")
    wait_for(page, "!document.getElementById('trace-error').hidden")
    assert page.text_content("#trace-error").startswith("nonsense: not known in cats")


def test_the_page_is_accessible_and_not_wider_than_the_window(chromium, page, live_server):
    from axe_playwright_python.sync_playwright import Axe

    context = chromium.new_context(bypass_csp=True)
    tab = context.new_page()
    for width in (1400, 400):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.goto("about:blank")
        tab.goto(f"{live_server.address}/d/cats/samples#sample=2&trace={picture_id(3)}")
        wait_for(tab, "document.querySelectorAll('#large-near li').length === 5")
        found = Axe().run(tab).response["violations"]
        tab.keyboard.press("Escape")
        wait_for(tab, "document.querySelector('#trace .trace')")
        found += Axe().run(tab).response["violations"]
        assert [json.dumps(each["id"]) for each in found if each["impact"] in ("serious", "critical")] == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
