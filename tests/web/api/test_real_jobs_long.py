"""Real trainings over REST: configurations of IBM's gan-toolkit, and a server that is killed in the middle of one."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.web.live_server import free_port

pytestmark = pytest.mark.long
REPOSITORY = Path(__file__).parents[3]
TOOLKIT = REPOSITORY.parent / "shared" / "data" / "gan-toolkit"
PICTURES = 48
SETTINGS = {
    "download.sources": "folder",
    "normalize.size": 16,
    "normalize.near_duplicates": -1,
    "filter.method": "none",
    "gan.extractor": "own",
    "generate.extractor": "own",
    "generate.count": 12,
    "generate.film": 0,
}


class RealServer:
    """`python -m tasks studio` in a folder of its own, with the dataset tiny."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        (folder / "data" / "tiny" / "runs").mkdir(parents=True)
        (folder / "pictures").mkdir()
        random = np.random.default_rng(0)
        for number in range(PICTURES):
            pixels = random.integers(0, 256, (4, 4, 3), np.uint8)
            picture = Image.fromarray(pixels).resize((48, 48), Image.Resampling.BICUBIC)
            picture.save(folder / "pictures" / f"{number}.png")

    def start(self):
        words = [sys.executable, "-m", "tasks", "studio", "--no-browser", "--port", str(self.port)]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(words, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                return self.get("/api/v1/jobs") and self
            except OSError:
                time.sleep(0.2)
        raise AssertionError("the server does not respond")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=600) as answer:
            return answer.read()

    def job(self, id):
        return json.loads(self.get(f"/api/v1/jobs/{id}"))

    def submit(self, definition, **settings):
        settings = SETTINGS | {"download.folder": str(self.folder / "pictures")} | settings
        body = json.dumps({"dataset": "tiny", "definition": definition, "settings": settings}).encode()
        address = f"http://127.0.0.1:{self.port}/api/v1/jobs"
        request = urllib.request.Request(address, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def followed(self, id):
        """Every state that the events show, until the job ends."""
        lines = self.get(f"/api/v1/jobs/{id}/events").splitlines()
        return [json.loads(line.removeprefix(b"data: ")) for line in lines if line.startswith(b"data: ")]


@pytest.fixture
def server(tmp_path):
    made = RealServer(tmp_path).start()
    yield made
    for job in json.loads(made.get("/api/v1/jobs"))["jobs"]:
        if job["state"] in ("queued", "running"):
            address = f"http://127.0.0.1:{made.port}/api/v1/jobs/{job['id']}/stop"
            request = urllib.request.Request(address, b"{}", {"content-type": "application/json"})
            urllib.request.urlopen(request, timeout=60).close()
    made.kill()


@pytest.mark.skipif(not TOOLKIT.is_dir(), reason="needs ../shared/data/gan-toolkit, which is not here")
@pytest.mark.parametrize("name", ["dcgan_dcgan", "wgan_gp_wgan", "sample_config1"])
def test_configuration_of_the_gan_toolkit_trains_and_its_results_are_fetched(server, name):
    accepted = server.submit(json.loads((TOOLKIT / f"{name}.json").read_text()), **{"gan.epochs": 2})
    assert any("is not followed" in line for line in accepted["warnings"])
    shown = server.followed(accepted["id"])
    assert shown[-1]["state"] == "done", shown[-1]
    assert "running" in {job["state"] for job in shown}
    assert (shown[-1]["epoch"], shown[-1]["epochs"]) == (2, 2)
    own = f"/api/v1/jobs/{accepted['id']}"
    assert server.get(f"{own}/grid.png").startswith(b"\x89PNG")
    assert server.get(f"{own}/sheets/latest").startswith(b"\x89PNG")
    with zipfile.ZipFile(io.BytesIO(server.get(f"{own}/images.zip?count=5"))) as found:
        assert len([Image.open(found.open(each)).load() for each in found.namelist()]) == 5
    with zipfile.ZipFile(io.BytesIO(server.get(f"{own}/model.zip"))) as found:
        assert {"README.md", "definition.json", "generator.keras"} <= set(found.namelist())


def test_job_of_a_server_that_is_killed_while_it_trains_is_followed_to_its_end(server):
    id = server.submit("dcgan", **{"gan.epochs": 60, "gan.sample_every": 20})["id"]
    for _ in range(1200):
        if server.job(id)["epoch"] >= 2:
            break
        time.sleep(0.2)
    server.kill()
    server.start()
    last = server.followed(id)[-1]
    assert (last["state"], last["epoch"], last["attempts"]) == ("done", 60, 0)
    assert len(list((server.folder / "data" / "tiny" / "runs").iterdir())) == 1


def test_job_whose_process_is_killed_while_it_trains_resumes(server):
    id = server.submit("dcgan", **{"gan.epochs": 60, "gan.checkpoint_every": 1})["id"]
    for _ in range(1200):
        if server.job(id)["epoch"] >= 4:
            break
        time.sleep(0.2)
    job = json.loads((server.folder / "data" / ".jobs" / id / "job.json").read_text())
    os.killpg(job["process"]["pid"], signal.SIGKILL)
    last = server.followed(id)[-1]
    assert (last["state"], last["epoch"], last["attempts"]) == ("done", 60, 1)
