"""`POST /gan_model` as old scripts of IBM's gan-toolkit call it."""

import json
import threading

import pytest

from pipeline.web.api import gan_model_api
from tests.web.api.queue_server import TOOLKIT

TEXT = json.dumps(TOOLKIT)


def sent(server, text=TEXT, query="?dataset=cats", **more):
    data = text if isinstance(text, bytes) else text.encode()
    return server.client.post(f"/gan_model{query}", files={"config_file": ("a.json", data)}, **more)


def test_configuration_is_queued_at_once(server):
    answer = sent(server)
    found = answer.json()
    assert (answer.status_code, found["Success"], found["Errors"]) == (200, True, [])
    job = server.get(f"/{found['id']}").json()
    assert (job["state"], job["dataset"]) == ("queued", "cats")
    assert job["definition"].startswith("submitted-")
    assert any("data_path" in line for line in found["Warnings"])


def test_configuration_that_is_sent_as_text_is_refused_with_its_field(server):
    sent_as_text = [("config_file", (None, TEXT)), ("dataset", (None, "cats"))]
    answer = server.client.post("/gan_model", files=sent_as_text)
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/config_file")
    assert (answer.json()["Success"], answer.json()["Errors"]) == (False, [answer.json()["error"]])


def test_dataset_may_be_a_form_field(server):
    assert sent(server, query="", data={"dataset": "cats"}).json()["Success"]


@pytest.mark.parametrize(
    ("text", "query", "line"),
    [
        (TEXT, "", "name the dataset: POST /gan_model?dataset=NAME, or a form field dataset"),
        (TEXT, "?dataset=cat", "there is no dataset 'cat'; did you mean 'cats'?"),
        ("{", "?dataset=cats", "definition: not JSON at line 1, column 2"),
        ("", "?dataset=cats", "definition: is empty"),
        (b"\xff\xfe", "?dataset=cats", "definition: not JSON: not UTF-8 text"),
        ("[" * 100_000, "?dataset=cats", "definition: JSON that cannot be read: too many nested brackets"),
        ("1" * 400_000, "?dataset=cats", "definition: has more than 262,144 bytes"),
        (
            json.dumps(TOOLKIT | {"generator": {"choice": "custom"}}),
            "?dataset=cats",
            'definition: generator.choice = "custom": that is Python code',
        ),
        ('{"batch": 1, "batch": 2}', "?dataset=cats", "definition: batch appears twice"),
    ],
    ids=range(9),
)
def test_mistake_is_an_error_in_the_form_of_the_toolkit(server, text, query, line):
    answer = sent(server, text, query)
    assert answer.status_code == 422
    assert (answer.json()["Success"], answer.json()["id"]) == (False, None)
    (error,) = answer.json()["Errors"]
    assert error.startswith(line)
    assert server.get("").json() == {"jobs": []}


def test_large_upload_is_refused(server):
    answer = sent(server, " " * (1 << 20))
    assert (answer.status_code, answer.json()["error"]) == (413, "an upload may have 1 MiB at most")


def test_request_without_a_file_is_refused(server):
    assert server.client.post("/gan_model?dataset=cats", data={"a": "b"}).status_code == 415
    assert server.client.post("/gan_model?dataset=cats", files={"other": b"x"}).status_code == 422


@pytest.mark.parametrize(("how", "status"), [("done", 200), ("failed: no labels", 409)])
def test_wait_answers_when_the_run_has_ended(server, monkeypatch, how, status):
    monkeypatch.setattr(gan_model_api, "LOOK_SECONDS", 0.02)
    server.gate.write_text(how)
    over = threading.Event()

    def run_queue():
        while not over.wait(0.05):
            server.studio.jobs.runner.tick()

    thread = threading.Thread(target=run_queue)
    thread.start()
    try:
        answer = sent(server, query="?dataset=cats&wait=1")
    finally:
        over.set()
        thread.join()
    assert (answer.status_code, answer.json()["Success"]) == (status, status == 200)
    assert answer.json()["Errors"] == ([] if status == 200 else ["classifier failed: no labels"])


def test_wait_is_bounded(server, monkeypatch):
    monkeypatch.setattr(gan_model_api, "WAIT_SECONDS", 0.0)
    answer = sent(server, query="?dataset=cats&wait=1")
    assert answer.status_code == 503
    assert answer.json()["id"] in answer.json()["Errors"][0]
