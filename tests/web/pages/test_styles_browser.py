"""Style transfer in Chromium: two pictures are dropped, and a person watches the result come."""

import base64
import sys
from pathlib import Path

import pytest

from tests.web.browser import MARKS, WINDOWS, problems, wait_for, watched_tab
from tests.web.live_server import LiveServer
from tests.web.test_uploads import png

pytestmark = MARKS
FAKE = str(Path(__file__).parent.parent / "fake_stylize.py")
SHOWN = "document.querySelector('[data-drop=style] canvas')"
DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], `${name}.png`, { type: "image/png" }));
  const drop = document.querySelector(`[data-drop=${name}]`);
  drop.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


@pytest.fixture
def server(bare_dataset, tmp_path):
    made = LiveServer(bare_dataset, sys.executable, FAKE, str(tmp_path / "gate")).start()
    made.gate = tmp_path / "gate"
    yield made
    made.gate.write_text("done")
    made.kill()


def drop(tab, name, number):
    tab.evaluate(DROP, [name, base64.b64encode(png(number, (40, 40))).decode()])


def test_two_pictures_are_dropped_and_the_result_is_watched(profile, server):
    tab, errors = watched_tab(profile)
    tab.goto(f"{server.address}/styles")
    drop(tab, "content", 1)
    tab.click("#start")
    wait_for(tab, "document.getElementById('problem').textContent.startsWith('style: expected 1 to 8 pictures')")
    drop(tab, "style", 2)
    wait_for(tab, f"{SHOWN}.getContext('2d').getImageData(5, 5, 1, 1).data[3] === 255")
    tab.fill("[data-option=size]", "64")
    (refusal,) = errors
    assert "422" in refusal
    errors.clear()
    tab.click("#start")
    tab.wait_for_url("**/styles/2*")
    tab.wait_for_selector("#sheet")
    wait_for(tab, "document.querySelector('progress').value === 50")
    tab.focus("#step")
    tab.keyboard.press("Home")
    assert tab.text_content("#step-shown") == "0"
    wait_for(tab, "document.getElementById('sheet').naturalWidth === 48")
    server.gate.write_text("done")
    tab.wait_for_selector("#picture")
    assert tab.text_content("#step-shown") == "0"  # where the person left it
    wait_for(tab, "document.querySelector('#parts b').textContent === 'done'")
    assert errors == []
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.click("[data-do=delete]")
    tab.wait_for_url("**/styles")
    assert tab.locator(".cards .card").count() == 0


def test_a_dropped_picture_is_taken_back(profile, server):
    tab, errors = watched_tab(profile)
    tab.goto(f"{server.address}/styles")
    said = "document.querySelector('[data-drop=content] [role=status]').textContent"
    drop(tab, "content", 1)
    drop(tab, "content", 2)
    wait_for(tab, f"{said} === '2 pictures'")
    tab.click("[data-drop=content] .remove >> nth=0")
    wait_for(tab, f"{said} === '1 picture'")
    tab.click("[data-drop=content] .remove")
    wait_for(tab, f"{said} === 'Drop pictures here.'")
    assert errors == []


@pytest.mark.long
def test_a_transfer_is_stopped_and_goes_on(profile, server):
    tab, _ = watched_tab(profile)
    tab.goto(f"{server.address}/styles")
    drop(tab, "content", 1)
    drop(tab, "style", 2)
    tab.click("#start")
    tab.wait_for_selector("#sheet")
    tab.click("[data-do=stop]")
    tab.wait_for_selector("[data-do=resume]")
    server.gate.write_text("done")
    tab.click("[data-do=resume]")
    tab.wait_for_selector("#picture")


def test_pages_are_accessible_and_fit_their_window(chromium, server):
    context = chromium.new_context(bypass_csp=True)
    tab = context.new_page()
    tab.goto(f"{server.address}/styles")
    found = [problem for width, scheme in WINDOWS for problem in problems(tab, width, scheme)]
    drop(tab, "content", 1)
    drop(tab, "style", 2)
    tab.click("#start")
    server.gate.write_text("done")
    tab.wait_for_selector("#picture")
    found += [problem for width, scheme in WINDOWS for problem in problems(tab, width, scheme)]
    context.close()
    assert found == []
