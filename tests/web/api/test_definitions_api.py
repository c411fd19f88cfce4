"""Definitions over REST and their pages: what a check says, and that only a user's own files are written."""

import json
from pathlib import Path

import pytest

from tasks.cli import main

API = "/api/v1/definitions"
TOOLKIT = {"generator": {"choice": "gan"}, "discriminator": {"choice": "gan"}, "GAN_model": {"epochs": 3}}


@pytest.fixture(autouse=True)
def own_folder(fake_dataset, monkeypatch):
    monkeypatch.chdir(fake_dataset.folder)


def check(client, text, name="mine"):
    return client.post(f"{API}/check", json={"text": text, "name": name}).json()


WRONG = [
    ('{\n "losss": 1}', "/losss", 2),
    ('{\n "generator": {\n  "optimizer": {"learning_rate": 7}}}', "/generator/optimizer/learning_rate", 3),
    ('{\n "latent": 64,\n}', "", 3),
    ('{"latent": 1, "latent": 2}', "/latent", 1),
    ("", "", None),
    ("[" * 5000, "", None),
    (
        '{"GAN_model": {"mini_batch_size": 1}, "generator": {"choice": "gan"}, "discriminator": {"choice": "gan"}}',
        "/GAN_model/mini_batch_size",
        1,
    ),
]


@pytest.mark.parametrize(("text", "pointer", "line"), WRONG, ids=[text[:20] for text, *_ in WRONG])
def test_an_error_is_that_of_models_check_with_its_place(client, capsys, text, pointer, line):
    found = check(client, text)
    assert (found["pointer"], found["line"]) == (pointer, line)
    Path("models").mkdir(exist_ok=True)
    Path("models/mine.json").write_text(text)
    assert main(["models", "check", "models/mine.json"]) == 2
    assert capsys.readouterr().err == f"error: {found['error']}\n"


def test_a_definition_is_described_as_models_show_does(client, capsys):
    text = json.dumps(
        {"loss": "wasserstein", "penalties": {"clip": 0.01}, "latent": 64, "discriminator": {"norm": "none"}}
    )
    found = check(client, text)
    assert (found["error"], found["loss"]) == ("", "wasserstein")
    assert 64 in found["sizes"]
    Path("models").mkdir(exist_ok=True)
    Path("models/mine.json").write_text(text)
    main(["models", "show", "mine"])
    shown = capsys.readouterr().out
    assert found["differences"]
    assert all(f"\n  {line}\n" in shown for line in found["differences"])


def test_a_toolkit_file_is_translated_with_its_warnings(client, capsys):
    found = check(client, json.dumps(TOOLKIT))
    assert json.loads(found["translated"])["loss"] == "non_saturating"
    Path("models").mkdir()
    Path("models/mine.json").write_text(json.dumps(TOOLKIT))
    assert main(["models", "check", "models/mine.json"]) == 0
    assert capsys.readouterr().err.splitlines() == found["warnings"] != []


def test_a_definition_is_saved_and_replaced_only_when_confirmed(client):
    assert client.put(f"{API}/mine", json={"text": "{}"}).json()["kind"] == "own"
    assert client.put(f"{API}/mine", json={"text": '{"latent": 64}'}).status_code == 409
    assert Path("models/mine.json").read_text() == "{}"
    assert client.put(f"{API}/mine", json={"text": '{"latent": 64}', "replace": True}).status_code == 200
    assert client.get(f"{API}/mine").json()["text"] == '{"latent": 64}'
    assert "mine" in client.get("/definitions").text
    assert "latent = 64  (default" in client.get("/definitions/mine").text


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("dcgan", "{}", "this definition is built in"),
        ("schema", "{}", "not 'schema'"),
        ("..%2Fx", "{}", ""),
        ("a.b", "{}", "expected letters"),
        ("🐱", "{}", "expected letters"),
        ("new", '{"x": 1}', "unknown key 'x'"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_writes_nothing(client, name, text, says):
    answer = client.put(f"{API}/{name}", json={"text": text, "replace": True})
    assert answer.status_code in (404, 422)
    assert says in answer.json()["error"]
    assert not list(Path().rglob("*.json.part")) + list(Path().glob("models/*"))


def test_a_hostile_file_is_escaped_on_its_page(client):
    Path("models").mkdir()
    Path("models/evil.json").write_text('{"description": "</textarea><script>alert(1)</script>"}')
    for path in ("/definitions", "/definitions/evil"):
        assert "<script>alert" not in client.get(path).text
    assert client.get("/definitions/nothing").status_code == 404
