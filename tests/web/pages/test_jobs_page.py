"""The page of the queue, and the page that describes the REST interface, in a browser."""

import json
import urllib.request

import pytest

from tests.web.browser import MARKS, open_tab, wait_for

pytestmark = MARKS


def submit(live_server, **body):
    data = json.dumps({"dataset": "cats", **body}).encode()
    request = urllib.request.Request(f"{live_server.address}/api/v1/jobs", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["id"]


def opened(profile, live_server, path):
    """A tab, and what its console says."""
    tab, said = profile.new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(live_server.address + path)
    return tab, said


@pytest.mark.long
def test_jobs_are_shown_stopped_resumed_and_deleted(profile, live_server):
    evil = "<img src=x onerror=\"document.title='evil'\">"
    submit(live_server, name=evil)
    submit(live_server, until="gan", settings={"gan.epochs": 20})
    tab, said = opened(profile, live_server, "/jobs")
    tab.wait_for_selector(".job[data-state=running] progress[value='50']")
    assert "waits for the run of cats" in tab.text_content(".job[data-state=queued]")
    assert "gan.epochs = 20" in tab.text_content(".job[data-state=queued]")
    assert evil in tab.text_content(".job[data-state=running]")
    tab.click(".job[data-state=queued] [data-act=delete]")
    wait_for(tab, "document.querySelectorAll('.job').length === 1")
    tab.click("[data-act=stop]")
    tab.wait_for_selector(".job[data-state=stopped]")
    (live_server.fake_dataset.folder / "gate").write_text(f"failed: {evil}")
    tab.click("[data-act=resume]")
    tab.wait_for_selector(".job[data-state=failed]")
    assert f"classifier failed: {evil}" in tab.text_content(".job .alarm")
    tab.fill("#dataset", "dogs")
    wait_for(tab, "!document.getElementById('empty').hidden")
    assert tab.url.endswith("#dataset=dogs")
    assert (said, tab.title()) == ([], "Jobs")


def test_rest_interface_is_described_offline_under_the_policy(profile, live_server):
    tab, said = opened(profile, live_server, "/api/docs")
    tab.route("**/*", lambda route: route.continue_() if live_server.address in route.request.url else route.abort())
    tab.wait_for_selector(".opblock-summary")
    tab.click(".opblock-summary-control >> nth=0")
    tab.wait_for_selector(".opblock-body")
    assert said == []


def test_label_page_shows_that_its_run_is_queued(profile, live_server):
    (live_server.fake_dataset.data.parent / "dogs" / "runs").mkdir(parents=True)
    first = submit(live_server, dataset="dogs")
    tab = open_tab(profile, live_server)
    tab.click("#everything")
    tab.click("#plan-start")
    wait_for(tab, "document.getElementById('run-line').textContent === 'queued'")
    assert tab.text_content("#run-note") == "waits for the run of dogs"
    tab.click("#run-stop")
    tab.wait_for_selector("#run", state="hidden")
    assert first in tab.evaluate("fetch('/api/v1/jobs').then((found) => found.text())")
