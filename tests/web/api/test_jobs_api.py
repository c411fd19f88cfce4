"""The REST interface of the queue: what is accepted, what is refused and with which line, and what a job makes."""

import io
import json
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from pipeline.crawl.sources.registry import LOCAL_SOURCES
from tests.web.api.queue_server import JOBS, TOOLKIT, QueueServer

FAKE_SAMPLER = Path(__file__).parent.parent / "fake_sampler.py"


def test_submission_is_queued_with_an_address(server):
    answer = server.post(body={"dataset": "cats", "until": "gan", "settings": {"gan.epochs": 20}, "name": "first"})
    accepted = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, accepted["location"])
    found = server.client.get(accepted["location"]).json()
    assert (found["state"], found["until"], found["name"]) == ("queued", "gan", "first")
    assert (found["settings"], found["position"]) == ({"gan.epochs": "20"}, 1)
    assert [job["id"] for job in server.get("?dataset=cats").json()["jobs"]] == [accepted["id"]]
    assert server.get("?dataset=dogs").json() == {"jobs": []}


def test_values_of_settings_may_be_text_or_json(server):
    given = {"gan.epochs": "20", "download.mixed": True, "gan.sample_every": None, "download.sources": ["bing", "demo"]}
    found = server.get("/" + server.submitted(settings=given)["id"]).json()["settings"]
    assert found == {
        "gan.epochs": "20",
        "download.mixed": "true",
        "gan.sample_every": "auto",
        "download.sources": "bing,demo",
    }


@pytest.mark.parametrize(
    ("settings", "line", "pointer"),
    [
        ({"gan.epochs": 0}, "gan.epochs = 0: expected a whole number, at least 1, or auto", "/settings/gan.epochs"),
        ({"gan.epochs": "x"}, "gan.epochs = 'x': expected a whole number, at least 1, or auto", "/settings/gan.epochs"),
        ({"gan.epoch": 1}, "gan has no option 'epoch'; did you mean 'epochs'?", "/settings/gan.epoch"),
        ({"epochs": 1}, "there is no option 'epochs'; write stage.option=value", "/settings/epochs"),
        ({"a/b~c.d": 1}, "there is no option 'a/b~c.d'; known are", "/settings/a~1b~0c.d"),
        (
            {"gan.definition": "dcgam"},
            "gan.definition = 'dcgam': there is no models/dcgam.json; did you mean 'dcgan'?",
            "/settings/gan.definition",
        ),
        (
            {"download.query": ["cat", "a\0b"]},
            r"download.query = 'cat,a\x00b': expected a list",
            "/settings/download.query",
        ),
        ({"download.query": ["x" * 1000] * 110}, "download.query: has more than 100,000", "/settings/download.query"),
        ({"normalize.size": 65}, "no generator can be built for pictures of 65 pixels", "/settings/normalize.size"),
    ],
)
def test_wrong_setting_is_refused_with_the_line_of_the_command_line(server, settings, line, pointer):
    answer = server.post(body={"dataset": "cats", "settings": settings})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(line)
    assert answer.json()["pointer"] == pointer
    assert server.get("").json() == {"jobs": []}


@pytest.mark.parametrize(
    ("definition", "line", "pointer"),
    [
        ({"batch": "x"}, 'definition: batch = "x": expected a whole number', "/definition/batch"),
        (
            {"generator": {"optimizer": {"learning_rate": -1}}},
            "definition: generator.optimizer.learning_rate = -1",
            "/definition/generator/optimizer/learning_rate",
        ),
        ({"generatr": {}}, "definition: unknown key 'generatr'; did you mean 'generator'?", "/definition/generatr"),
        (
            TOOLKIT | {"GAN_model": {"mini_batch_size": "x"}},
            'definition: GAN_model.mini_batch_size = "x": expected a number',
            "/definition/GAN_model/mini_batch_size",
        ),
        (
            TOOLKIT | {"generator": {"choice": "seq_gan"}},
            'definition: generator.choice = "seq_gan": that is for text',
            "/definition/generator/choice",
        ),
        ("dcgam", "gan.definition = 'dcgam': there is no models/dcgam.json", "/definition"),
        ("../../etc/passwd", "gan.definition = '../../etc/passwd': there is no", "/definition"),
    ],
)
def test_wrong_definition_is_refused_with_the_line_of_models_check(server, definition, line, pointer):
    answer = server.post(body={"dataset": "cats", "definition": definition})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(line)
    assert answer.json()["pointer"] == pointer
    assert not (server.folder / "models").exists()


def test_definition_of_the_gan_toolkit_is_saved_once_with_its_warnings(server):
    first, second = (server.submitted(definition=TOOLKIT) for _ in range(2))
    assert any(line.startswith('data_path = "/etc/passwd" is not followed') for line in first["warnings"])
    (path,) = (server.folder / "models").glob("*.json")
    assert json.loads(path.read_text()) == TOOLKIT
    names = {server.get(f"/{each['id']}").json()["definition"] for each in (first, second)}
    assert names == {path.stem}
    assert path.stem.startswith("submitted-")


@pytest.mark.parametrize(
    ("body", "says", "pointer"),
    [
        ('{"settings": {"gan.epochs": {}}, "dataset": "cats"}', "settings.gan.epochs: Input", "/settings/gan.epochs"),
        (
            '{"settings": {"download.query": ["a", 5]}, "dataset": "cats"}',
            "settings.download.query",
            "/settings/download.query",
        ),
        ('{"definition": 5, "dataset": "cats"}', "definition: Input", "/definition"),
        ('{"datasets": "cats"}', "dataset: Field required", "/dataset"),
        ('{"dataset": "cats", "more": 1}', "more: Extra inputs", "/more"),
        ('{"dataset": ', "JSON decode error", ""),
    ],
)
def test_pointer_is_of_what_was_sent(server, body, says, pointer):
    answer = server.client.post(JOBS, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(says)
    assert answer.json()["pointer"] == pointer


def test_unknown_dataset_is_refused(server):
    answer = server.post(body={"dataset": "cat"})
    assert (answer.status_code, answer.json()["pointer"]) == (422, "/dataset")
    assert answer.json()["error"] == "there is no dataset 'cat'; did you mean 'cats'?"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 50_000,
        b'{"dataset": "cats", "until": "never"}',
        b'{"dataset": "cats", "x": 1}',
        b'{"dataset": "cats", "settings": {"gan.epochs": {}}}',
        b'{"dataset": "cats", "settings": {"gan.epochs": 1e999}}',
        b'{"dataset": "cats", "definition": ' + b'{"a":' * 900 + b"1" + b"}" * 901,
        b'{"dataset": "cats", "definition": {"description": "' + b"x" * 300_000 + b'"}}',
        b'{"dataset": "cats", "name": "\\ud800", "definition": {"\\ud800": 1}}',
        b'{"dataset": "\\u0000"}',
    ],
    ids=range(13),
)
def test_rubbish_is_refused_in_one_line(server, body):
    answer = server.client.post(JOBS, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert len(answer.json()["error"].splitlines()) == 1


def test_server_that_others_reach_takes_no_path_of_this_machine(tmp_path):
    server = QueueServer(tmp_path, host="0.0.0.0")
    paths = [{f"download.{source}": "/etc"} for source in LOCAL_SOURCES]
    for given in (*paths, {"download.allow_private": True}, {"gan.extractor": "/etc/x.h5"}):
        answer = server.post(body={"dataset": "cats", "settings": given})
        assert answer.status_code == 422
        assert "this machine alone" in answer.json()["error"]
    server.submitted(settings={"gan.extractor": "MobileNet"})


def test_idempotency_key_makes_a_repeated_submission_the_same_job(server):
    headers = {"idempotency-key": "k1"}
    first, second = (server.post(body={"dataset": "cats"}, headers=headers) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    other = server.post(body={"dataset": "cats", "until": "gan"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["error"].startswith("this Idempotency-Key was used for another submission")


def test_job_that_is_done_has_figures_sheets_samples_networks_and_a_log(server):
    id = server.submitted()["id"]
    found = server.run(id)
    assert (found["state"], found["epoch"], found["epochs"], found["sheet"]) == ("done", 3, 3, 3)
    assert found["scores"]["extractor"] == "textures-64"
    assert found["losses"]["d_loss"] == pytest.approx(0.67)
    for path in ("/sheets/latest", "/sheets/2", "/grid.png"):
        answer = server.get(f"/{id}{path}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert names(server.get(f"/{id}/images.zip?count=5&seed=0")) == [f"{number:05d}.png" for number in range(5)]
    assert "definition.json" in names(server.get(f"/{id}/model.zip"))
    assert server.get(f"/{id}/log").headers["content-type"].startswith("text/plain")


def names(answer):
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.testzip() is None
        return sorted(found.namelist())


@pytest.mark.parametrize(("query", "count", "seed"), [("seed=7", 12, 7), ("count=70", 70, 0), ("count=5&seed=2", 5, 2)])
def test_samples_that_were_not_made_are_drawn(server, monkeypatch, query, count, seed):
    id = server.submitted()["id"]
    server.run(id)
    monkeypatch.setattr(server.studio.sampling.process, "command", (sys.executable, str(FAKE_SAMPLER), "sampler"))
    answer = server.get(f"/{id}/images.zip?{query}")
    assert names(answer) == [f"{number:05d}.png" for number in range(count)]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found, found.open("00003.png") as file:
        assert Image.open(file).getpixel((0, 0)) == (3, seed, 90)
    server.studio.sampling.close()


def test_more_samples_than_are_drawn_for_a_request_are_refused_with_what_to_do(server):
    id = server.submitted()["id"]
    server.run(id)
    answer = server.get(f"/{id}/images.zip?count=2001")
    assert answer.status_code == 409
    assert "for more submit a job with the same settings and generate.count" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/sheets/latest", "/sheets/1", "/grid.png", "/images.zip", "/model.zip"])
def test_what_a_queued_job_has_not_made_is_not_found(server, path):
    assert server.get(f"/{server.submitted()['id']}{path}").status_code == 404


@pytest.mark.parametrize("path", ["", "/log", "/events", "/model.zip"])
def test_unknown_job_is_not_found(server, path):
    assert server.get(f"/20260102030405678a1b2c3d4{path}").status_code == 404
    assert server.get(f"/..%2f..%2fetc{path}").status_code in (404, 422)


def test_log_is_text_without_control_characters(server):
    id = server.submitted()["id"]
    server.studio.jobs.store.log(id).write_bytes(b"\x1b[2Jred\r\n<b>\xff\n")
    assert server.get(f"/{id}/log").text == " [2Jred\n<b>\ufffd\n"


def test_stop_resume_and_delete(server):
    id = server.submitted()["id"]
    assert server.post(f"/{id}/stop").json()["state"] == "stopped"
    assert server.post(f"/{id}/stop").status_code == 409
    assert server.post(f"/{id}/resume").json()["state"] == "queued"
    assert server.post(f"/{id}/resume").status_code == 409
    assert server.client.delete(f"{JOBS}/{id}").status_code == 204
    assert server.get(f"/{id}").status_code == 404


def test_events_show_the_state_and_end_with_the_job(server):
    id = server.submitted()["id"]
    assert server.run(id)["state"] == "done"
    answer = server.get(f"/{id}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    fields = dict(line.split(": ", 1) for line in answer.text.strip().splitlines() if line)
    assert (fields["event"], json.loads(fields["data"])["state"]) == ("job", "done")
    assert server.get(f"/{id}/events", headers={"last-event-id": fields["id"]}).status_code == 204


def test_events_are_refused_beyond_their_number(server):
    server.studio.streams.most = 0
    assert server.get(f"/{server.submitted()['id']}/events").status_code == 503


def test_events_end_when_the_server_shuts_down(server):
    id = server.submitted()["id"]
    server.studio.shut_down()
    assert server.get(f"/{id}/events").status_code == 503


def test_other_sites_cannot_submit_or_delete(server):
    id = server.submitted()["id"]
    headers = {"origin": "https://evil.example"}
    assert server.post(body={"dataset": "cats"}, headers=headers).status_code == 403
    assert server.client.delete(f"{JOBS}/{id}", headers=headers).status_code == 403
    assert len(server.get("").json()["jobs"]) == 1
