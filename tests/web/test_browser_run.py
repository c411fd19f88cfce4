"""The run panel in a real browser, for runs that the page did not start."""

import subprocess
import sys

import pytest

from tests.web.browser import MARKS, open_tab, wait_for
from tests.web.conftest import FAKE_TASKS

pytestmark = MARKS


def test_run_panel_follows_a_run_of_a_terminal_and_shows_its_text_as_text(profile, live_server):
    evil = "<img src=x onerror=\"document.title='run'\">"
    command = [
        sys.executable,
        str(FAKE_TASKS),
        str(live_server.fake_dataset.folder / "gate"),
        "run",
        "--dataset",
        "cats",
    ]
    with subprocess.Popen(command) as process:
        tab = open_tab(profile, live_server)
        wait_for(tab, "document.getElementById('run-line').textContent === 'classifier 50 %'")
        assert tab.text_content("#run-state") == "Run started elsewhere…"
        (live_server.fake_dataset.folder / "gate").write_text(f"failed: {evil}")
        tab.wait_for_selector("#run[data-state=failed]")
        assert process.wait(timeout=30) == 1
    assert tab.text_content("#run-line") == f"classifier failed: {evil}"
    tab.click("#run-log-toggle")
    assert evil in tab.text_content("#run-log")
    assert "run" not in tab.title()


def test_run_panel_hides_a_run_of_a_terminal_that_was_done_before_the_page_was_open_tab(profile, live_server):
    (live_server.fake_dataset.folder / "gate").write_text("kept 12 of 70")
    command = [sys.executable, FAKE_TASKS, live_server.fake_dataset.folder / "gate", "run", "--dataset", "cats"]
    subprocess.run(command, check=True, timeout=30)
    tab = open_tab(profile, live_server)
    wait_for(tab, "document.getElementById('run').dataset.state === 'done'")
    assert not tab.is_visible("#run")


@pytest.mark.long
def test_run_panel_shows_the_note_of_the_progress(profile, live_server):
    tab = open_tab(profile, live_server)
    tab.click("#update")
    tab.click("#plan-start")
    wait_for(tab, "document.getElementById('run-line').textContent === 'classifier 50 %'")
    assert tab.text_content("#run-note") == "learning"
    tab.click("#run-stop")
    tab.wait_for_selector("#run[data-state=stopped]")
    assert tab.text_content("#run-note") == ""
