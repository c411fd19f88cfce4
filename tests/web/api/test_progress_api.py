"""The progress of a dataset over REST, and the plan of a run."""

import json
import signal
import urllib.request

import pytest
from fastapi.testclient import TestClient

from pipeline.web.app import app_of
from pipeline.web.security import AccessRules
from pipeline.web.studio import Studio
from tests.web import chains
from tests.web.conftest import PORT
from tests.web.fake_dataset import FakeDataset
from tests.web.live_server import LiveServer

ROOT = "/api/v1/datasets/cats"


@pytest.fixture
def fake(tmp_path):
    made = FakeDataset(tmp_path)
    chains.filtered(made)
    return made


def client_of(fake, *command, most=None):
    studio = Studio(fake.site(*command), AccessRules(host="127.0.0.1", port=PORT))
    studio.streams.most = studio.streams.most if most is None else most
    app = app_of(studio)
    return TestClient(app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False)


def test_progress_has_all_stages_the_run_and_what_is_next(fake):
    chains.ended(fake, "failed")
    state = client_of(fake).get(f"{ROOT}/progress").json()
    assert [stage["stage"] for stage in state["stages"]] == list(chains.STAGES)
    assert state["run"]["state"] == "failed"
    assert state["run"]["outcome"] == "gan failed: the disk is full"
    assert state["training"] is None
    assert state["next"]["text"]


def test_plan_passes_on_what_the_command_says(fake):
    steps = client_of(fake, *chains.planning(fake, gan="never ran")).get(f"{ROOT}/plan").json()
    assert {step["stage"]: step["state"] for step in steps}["gan"] == "will run"
    assert next(step["reason"] for step in steps if step["stage"] == "gan") == "never ran"


def test_plan_until_a_stage_asks_the_command_for_that_stage(fake):
    command = ("sh", "-c", 'echo "[{\\"stage\\": \\"$*\\", \\"state\\": \\"will run\\"}]"')
    steps = client_of(fake, *command).get(f"{ROOT}/plan", params={"until": "filter"}).json()
    assert steps[0]["stage"].endswith("--until filter")


@pytest.mark.parametrize(("until", "status"), [("sleep", 422), ("gan", 409)])
def test_plan_refuses_unknown_stages_and_says_what_the_command_refused(fake, until, status):
    command = ("sh", "-c", 'echo \'{"error": "luigi.cfg cannot be read"}\'')
    answer = client_of(fake, *command).get(f"{ROOT}/plan", params={"until": until})
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("part", ["progress", "events", "plan"])
def test_an_unknown_dataset_is_not_found(fake, part):
    assert client_of(fake).get(f"/api/v1/datasets/dogs/{part}").status_code == 404


def test_events_are_refused_with_a_line_if_there_are_too_many(fake):
    answer = client_of(fake, most=0).get(f"{ROOT}/events")
    assert answer.status_code == 503
    assert "instead" in answer.json()["error"]


def test_openapi_describes_state_plan_and_refusals(fake):
    found = client_of(fake).get("/api/openapi.json").json()
    progress = found["paths"]["/api/v1/datasets/{dataset}/progress"]["get"]
    schema = progress["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/ChainState"}
    assert {"stages", "run", "training", "next"} <= set(found["components"]["schemas"]["ChainState"]["properties"])
    events = found["paths"]["/api/v1/datasets/{dataset}/events"]["get"]["responses"]
    assert "text/event-stream" in events["200"]["content"]
    assert {"404", "503"} <= set(events)


def test_a_stream_of_a_server_begins_at_once_and_ends_whole_when_the_server_shuts_down(fake):
    server = LiveServer(fake, *chains.planning(fake)).start()
    try:
        with urllib.request.urlopen(f"{server.address}{ROOT}/events", timeout=30) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert [stream.readline() for _ in range(2)] == [b"retry: 3000\n", b"\n"]
            assert [stream.readline().partition(b":")[0] for _ in range(2)] == [b"id", b"event"]
            assert json.loads(stream.readline().removeprefix(b"data: "))["dataset"] == "cats"
            server.process.send_signal(signal.SIGINT)
            stream.read()  # raises `IncompleteRead` if the connection was cut
        assert server.process.wait(timeout=30) == 0
    finally:
        server.kill()
