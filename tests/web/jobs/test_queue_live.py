"""The queue of real servers: killed in the middle of a job, and two of them on one folder."""

import json
import sys
import time
import urllib.request
from contextlib import contextmanager

from tests.web.conftest import FAKE_TASKS
from tests.web.live_server import LiveServer


def asked(server, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.address + path, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def until(server, id, condition):
    for _ in range(400):
        job = asked(server, f"/api/v1/jobs/{id}")
        if condition(job):
            return job
        time.sleep(0.1)
    raise AssertionError(f"never came true: {job}")


@contextmanager
def another(live_server):
    """A second server of the same folder."""
    gate = live_server.fake_dataset.folder / "gate"
    made = LiveServer(live_server.fake_dataset, sys.executable, str(FAKE_TASKS), str(gate)).start()
    yield made
    made.kill()


def test_server_that_is_killed_mid_job_is_followed_by_the_next_to_the_end(live_server):
    id = asked(live_server, "/api/v1/jobs", {"dataset": "cats"})["id"]
    until(live_server, id, lambda job: job["percent"] == 50)
    live_server.kill()
    with another(live_server) as later:
        assert until(later, id, lambda job: job["state"] == "running")["percent"] == 50
        (live_server.fake_dataset.folder / "gate").write_text("trained kept 12")
        job = until(later, id, lambda job: job["state"] not in ("queued", "running"))
    assert (job["state"], job["attempts"], job["sheet"]) == ("done", 0, 3)
    runs = (live_server.fake_dataset.folder / "gate.runs").read_text().splitlines()
    assert runs == ["run --dataset cats"]


def test_second_server_accepts_jobs_which_the_first_runs(live_server):
    (live_server.fake_dataset.folder / "gate").write_text("done")
    with another(live_server) as second:
        id = asked(second, "/api/v1/jobs", {"dataset": "cats"})["id"]
        assert until(second, id, lambda job: job["state"] == "done")["id"] == id
    assert len((live_server.fake_dataset.folder / "gate.runs").read_text().splitlines()) == 1


def test_events_of_a_running_job_end_when_the_server_is_asked_to_end(live_server):
    id = asked(live_server, "/api/v1/jobs", {"dataset": "cats"})["id"]
    until(live_server, id, lambda job: job["percent"] == 50)
    with urllib.request.urlopen(f"{live_server.address}/api/v1/jobs/{id}/events", timeout=20) as events:
        assert [events.readline().partition(b":")[0] for _ in range(5)] == [b"retry", b"\n", b"id", b"event", b"data"]
        live_server.process.terminate()
        assert live_server.process.wait(timeout=4) is not None
        events.read()
    (live_server.fake_dataset.folder / "gate").write_text("done")
