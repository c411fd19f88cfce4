"""The overview page in a browser: plan, run, live training, polling, deep links."""

import subprocess
import sys

import pytest

from tests.web.browser import MARKS, wait_for
from tests.web.conftest import FAKE_TASKS

pytestmark = MARKS


@pytest.fixture
def overview(live_server):
    return f"{live_server.address}/d/cats/"


def open_overview(profile, address):
    tab = profile.new_page()
    tab.goto(address)
    tab.wait_for_selector(".chain")
    return tab


def start_elsewhere(live_server):
    """A run as a terminal starts one."""
    gate = live_server.fake_dataset.folder / "gate"
    return subprocess.Popen([sys.executable, FAKE_TASKS, gate, "run", "--dataset", "cats"])


def test_a_training_of_a_terminal_is_followed_to_its_samples(profile, live_server, overview):
    folder = live_server.fake_dataset.folder
    (folder / "gate.epochs").write_text("1")
    tab = open_overview(profile, overview)
    assert tab.title() == "cats"
    with start_elsewhere(live_server) as process:
        wait_for(tab, "document.title === '10 % gan · cats'")
        wait_for(tab, "document.querySelector('#sheet img')?.src.includes('/sheets/1?v=')")
        assert tab.text_content("#run-note") == "epoch 1 of 10"
        (folder / "gate.epochs").write_text("4")
        wait_for(tab, "document.title === '40 % gan · cats'")
        wait_for(tab, "document.querySelector('#sheet img')?.src.includes('/sheets/4?v=')")
        wait_for(tab, "document.querySelector('#sheet img').complete")
        own, shown, rendering = tab.evaluate(
            "(() => { const p = document.querySelector('#sheet img');"
            " return [p.naturalWidth, p.clientWidth, getComputedStyle(p).imageRendering]; })()"
        )
        assert own > 0
        assert shown % own == 0
        assert rendering == "pixelated"
        assert "alarm since epoch 3" in tab.text_content("#part-training .alarm")
        assert tab.locator("#part-training svg.chart").count() == 2
        assert tab.get_attribute("li[data-stage=gan]", "data-state") == "running"
        (folder / "gate").write_text("done")
        wait_for(tab, "document.querySelector('#best')?.dataset.kind === 'samples'")
        wait_for(tab, "document.title === 'cats' && document.getElementById('run').hidden")
        assert process.wait(timeout=30) == 0


def test_run_until_shows_the_plan_runs_as_a_job_and_is_stopped(profile, live_server, overview):
    tab = open_overview(profile, overview)
    tab.select_option("#until", "filter")
    tab.click("#start")
    wait_for(tab, "document.querySelector('#plan-steps').textContent.includes('labels changed: 8 → 9')")
    assert tab.text_content("#plan-title") == "Run until filter"
    assert not (live_server.fake_dataset.folder / "gate.runs").exists()
    tab.click("#plan-start")
    wait_for(tab, "document.title === '50 % classifier · cats'")
    assert "--until filter" in (live_server.fake_dataset.folder / "gate.runs").read_text()
    assert tab.text_content("#run-note") == "learning"
    assert "so far" in tab.text_content("#run-time")
    tab.click("#stop")
    wait_for(tab, "document.querySelector('#part-outcome').textContent.includes('The last run was stopped')")
    wait_for(tab, "document.getElementById('run').hidden && document.title === 'cats'")


def test_a_run_of_a_terminal_is_stopped_by_the_page(profile, live_server, overview):
    tab = open_overview(profile, overview)
    with start_elsewhere(live_server) as process:
        wait_for(tab, "document.title === '50 % classifier · cats'")
        tab.click("#stop")
        assert process.wait(timeout=30) == 130
    wait_for(tab, "document.querySelector('#part-outcome').textContent.includes('The last run was stopped')")
    assert tab.get_attribute("li[data-stage=classifier]", "data-state") == "stopped"
    wait_for(tab, "document.getElementById('stop').hidden")


@pytest.mark.long
def test_page_polls_where_the_stream_is_refused(profile, live_server, overview):
    tab = profile.new_page()
    refused = {"status": 503, "body": '{"error": "too many"}', "content_type": "application/json"}
    tab.route("**/events", lambda route: route.fulfill(**refused))
    tab.goto(overview)
    tab.wait_for_selector(".chain")
    with start_elsewhere(live_server) as process:
        wait_for(tab, "document.title === '50 % classifier · cats'")
        (live_server.fake_dataset.folder / "gate").write_text("failed: <b>no luck</b>")
        wait_for(
            tab, "document.querySelector('#part-outcome').textContent.includes('classifier failed: <b>no luck</b>')"
        )
        assert process.wait(timeout=30) == 1


@pytest.mark.long
def test_a_hidden_page_follows_nothing_and_catches_up_when_it_is_seen(profile, live_server, overview):
    tab = open_overview(profile, overview)
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    hide += " document.dispatchEvent(new Event('visibilitychange'))"
    tab.evaluate(hide % "true")
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    (live_server.fake_dataset.folder / "gate").write_text("failed: no luck")
    with start_elsewhere(live_server) as process:
        assert process.wait(timeout=30) == 1
    tab.wait_for_timeout(1500)  # longer than a change takes to be told
    assert asked == []
    tab.evaluate(hide % "false")
    wait_for(tab, "document.querySelector('#part-outcome').textContent.includes('no luck')")


def test_a_chosen_stage_is_in_the_address_and_reached_with_the_keyboard(profile, live_server, overview):
    tab = open_overview(profile, f"{overview}#stage=normalize")
    assert tab.is_visible("#stage-normalize")
    assert tab.is_hidden("#stage-gan")
    tab.focus("#node-filter")
    tab.keyboard.press("Enter")
    assert tab.is_visible("#stage-filter")
    assert tab.is_hidden("#stage-normalize")
    assert tab.url.endswith("#stage=filter")
    assert tab.get_attribute("#node-filter", "aria-expanded") == "true"
    tab.keyboard.press("Enter")
    assert tab.is_hidden("#stage-filter")
