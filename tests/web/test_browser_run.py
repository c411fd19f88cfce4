"""The run panel in a real browser, for runs that the page did not start."""

import subprocess
import sys

from tests.web import test_browser as browser
from tests.web.test_browser import FAKE, opened, until

pytestmark = browser.pytestmark
chromium, profile, live = browser.chromium, browser.profile, browser.live  # the fixtures


def test_run_panel_follows_a_run_of_a_terminal_and_shows_its_text_as_text(profile, live):
    evil = "<img src=x onerror=\"document.title='run'\">"
    command = [sys.executable, str(FAKE), str(live.home.folder / "gate"), "run", "--dataset", "cats"]
    with subprocess.Popen(command) as process:
        tab = opened(profile, live)
        until(tab, "document.getElementById('run-line').textContent === 'classifier 50 %'")
        assert tab.text_content("#run-state") == "Run started elsewhere…"
        (live.home.folder / "gate").write_text(f"failed: {evil}")
        tab.wait_for_selector("#run[data-state=failed]")
        assert process.wait(timeout=30) == 1
    assert tab.text_content("#run-line") == f"classifier failed: {evil}"
    tab.click("#run-log-toggle")
    assert evil in tab.text_content("#run-log")
    assert "run" not in tab.title()


def test_run_panel_hides_a_run_of_a_terminal_that_was_done_before_the_page_was_opened(profile, live):
    (live.home.folder / "gate").write_text("kept 12 of 70")
    subprocess.run(
        [sys.executable, str(FAKE), str(live.home.folder / "gate"), "run", "--dataset", "cats"], check=True, timeout=30
    )
    tab = opened(profile, live)
    until(tab, "document.getElementById('run').dataset.state === 'done'")
    assert not tab.is_visible("#run")


def test_run_panel_shows_the_note_of_the_progress(profile, live):
    tab = opened(profile, live)
    tab.click("#update")
    tab.click("#plan-start")
    until(tab, "document.getElementById('run-line').textContent === 'classifier 50 %'")
    assert tab.text_content("#run-note") == "learning"
    tab.click("#run-stop")
    tab.wait_for_selector("#run[data-state=stopped]")
    assert tab.text_content("#run-note") == ""
