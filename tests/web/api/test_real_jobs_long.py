"""Real trainings over REST: configurations of IBM's gan-toolkit, and a server that is killed in the middle of one."""

import io
import json
import os
import signal
import time
import zipfile

import pytest
from PIL import Image

from tests.web.live_server import REPOSITORY
from tests.web.real_server import TinyServer

pytestmark = pytest.mark.long
TOOLKIT = REPOSITORY.parent / "shared" / "data" / "gan-toolkit"


@pytest.fixture
def server(tmp_path):
    made = TinyServer(tmp_path).start()
    yield made
    made.stop_jobs()
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
