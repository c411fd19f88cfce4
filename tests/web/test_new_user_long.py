"""A person who never opens a terminal: makes a dataset in a browser, labels, trains, and looks at what came out."""

import base64
import hashlib
import io

import numpy as np
import pytest
from PIL import Image

from tests.web.browser import MARKS, wait_for, wait_until_saved
from tests.web.real_server import RealServer

pytestmark = [pytest.mark.long, *MARKS]
EACH = 50  # pictures on target, and off target
SETTINGS = {
    "normalize.size": "16",
    "normalize.near_duplicates": "-1",
    "gan.epochs": "4",
    "gan.sample_every": "2",
    "gan.extractor": "own",
    "generate.extractor": "own",
    "generate.count": "16",
    "generate.film": "0",
}
UNLABELLED = ".tile[data-label='']"
DROP = """([selector, files]) => {
  const transfer = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
  }
  const drop = document.querySelector(selector);
  for (const name of ["dragenter", "dragover", "drop"]) {
    drop.dispatchEvent(new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


@pytest.fixture
def server(tmp_path):
    made = RealServer(tmp_path).start()
    yield made
    made.stop_jobs()
    made.kill()


def drawn(on_target):
    """Fifty pictures as PNG: red ones are on target, green ones are not."""
    random = np.random.default_rng(int(on_target))
    found = []
    for _ in range(EACH):
        pixels = random.integers(0, 120, (6, 6, 3), np.uint8)
        pixels[..., 0 if on_target else 1] += 120
        stored = io.BytesIO()
        Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC).save(stored, "PNG")
        found.append(stored.getvalue())
    return found


def text_of(tab, selector):
    return tab.evaluate("(selector) => document.querySelector(selector)?.textContent ?? ''", selector)


def until(tab, what, seconds):
    """Wait until `what` is true of the tab, and return what it found."""
    for _ in range(seconds * 2):
        if found := what():
            return found
        tab.wait_for_timeout(500)
    raise AssertionError(f"never came; the page says: {tab.inner_text('main')[:2000]}")


def make(tab, server, pictures):
    """A new dataset by drag and drop, from the first page that a person sees."""
    tab.goto(server.address)
    tab.click("text=Make one")
    tab.fill("#name", "berries")
    tab.check("input[value=pictures]")
    files = [[f"{number}.png", base64.b64encode(data).decode()] for number, data in enumerate(pictures)]
    tab.evaluate(DROP, ["#drop", files])
    wait_for(tab, f"document.getElementById('gathered').textContent.includes('{len(files)} files')")
    tab.click("text=More settings")
    for name, value in SETTINGS.items():
        tab.fill(f".setting[data-name='{name}'] [name]", value)
    tab.click("#make")
    tab.wait_for_selector("#start")
    assert f"{len(files)} pictures stored" in tab.text_content("#made-note")
    tab.click("#start")


def label(tab, truth):
    """Label all squares by the keys of the label page, whichever it shows."""
    given = 0
    while given < len(truth):
        shown = tab.eval_on_selector_all(UNLABELLED, "(tiles) => tiles.map((tile) => tile.dataset.id)")
        for id in shown:
            tab.click(f".tile[data-id='{id}']")
            tab.keyboard.press("y" if truth[id] else "n")
            given += 1
        wait_until_saved(tab)
        if given < len(truth):
            tab.keyboard.press("]")
            tab.wait_for_selector(UNLABELLED)


def test_a_new_user_makes_labels_trains_and_looks_without_the_command_line(profile, server):
    on, off = drawn(True), drawn(False)
    truth = {hashlib.sha256(data).hexdigest(): data in on for data in on + off}
    tab = profile.new_page()
    make(tab, server, on + off)
    tab.wait_for_url("**/d/berries/**")
    until(tab, lambda: tab.locator("#part-next a[href$='/label']").count(), 120)
    tab.click("#part-next a")
    tab.wait_for_selector(".tile")
    label(tab, truth)
    wait_for(tab, f"document.getElementById('tally').textContent.startsWith('{EACH} on target, {EACH} off')")
    tab.click("#everything")
    wait_for(tab, "!document.getElementById('plan-start').disabled")
    tab.click("#plan-start")
    tab.goto(f"{server.address}/")
    until(tab, lambda: "running" in text_of(tab, "[data-of=run]"), 60)
    until(tab, lambda: "running" not in text_of(tab, "[data-of=run]"), 900)
    assert text_of(tab, "[data-of=kept]") == str(EACH)
    tab.click("h2 a")
    until(tab, lambda: tab.locator("#best[data-kind=samples]").count(), 60)
    tab.click(".links >> text=Samples")
    tab.wait_for_selector("#grid .sample img")
    assert tab.locator("#grid .sample").count() == 16
    tab.click("#grid .sample >> nth=3")
    until(tab, lambda: tab.locator("#large-near img").count(), 60)
