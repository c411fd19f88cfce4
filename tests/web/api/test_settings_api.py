"""Settings over REST, with the real commands: read, save, forget, check."""

import pytest

from tests.web.api.test_datasets_api import real

__all__ = ["real"]
API = "/api/v1/datasets/cats/settings"


def setting(answer, name):
    assert answer.status_code == 200, answer.json()
    return next(each for each in answer.json()["settings"] if each["name"] == name)


def test_a_setting_is_saved_and_forgotten(fake_dataset, real):
    (fake_dataset.folder / "luigi.cfg").write_text("[gan]\nepochs = 50\n")
    saved = real.post(API, json={"values": {"gan.epochs": "20", "download.query": "cat, 'tabby cat'"}})
    assert setting(saved, "gan.epochs")["origin"] == "remembered from the last run"
    assert setting(saved, "gan.epochs")["value"] == "20"
    assert setting(saved, "download.query")["value"] == "cat,'tabby cat'"
    forgotten = setting(real.post(API, json={"forget": ["gan.epochs"]}), "gan.epochs")
    assert (forgotten["value"], forgotten["origin"]) == ("50", "luigi.cfg [gan]")
    again = real.post(API, json={"forget": ["gan.epochs"]})
    assert (again.status_code, "is not remembered for cats" in again.json()["error"]) == (409, True)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"values": {"gan.epochs": "0"}}, 422, "at least 1"),
        ({"values": {"gan.x": "0"}}, 422, "gan has no option 'x'"),
        ({"forget": ["--all"]}, 422, "there is no option"),
        ({"values": {"gan.epochs": 3}}, 422, "values"),
        ({"values": {"gan.epochs": "3"}}, 409, "ended with code 1"),
    ],
)
def test_what_cannot_be_saved_is_one_line(client, body, status, says):
    answer = client.post(API, json=body)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True)
    assert client.post(API.replace("cats", "nothing"), json=body).status_code in (404, 422)


def test_values_are_checked_without_a_process(client):
    values = {"gan.epochs": "0", "gan.seed": "3", "nothing.x": "<b>", "normalize.background": "x\ny"}
    problems = client.post("/api/v1/settings/check", json={"values": values}).json()["problems"]
    assert set(problems) == {"gan.epochs", "nothing.x", "normalize.background"}


def test_the_page_has_every_setting(client):
    shown = client.get("/d/cats/settings").text
    assert 'data-name="gan.definition"' in shown
    assert "<option>wgan-gp</option>" in shown
