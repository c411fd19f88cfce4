"""The tile of a race as the real sampler draws it: the samples of generate with the race's seed, and no others."""

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.web.real_server import TinyServer

pytestmark = pytest.mark.long
SIDE, GAP = 16, 2


@pytest.fixture
def server(tmp_path):
    made = TinyServer(tmp_path).start()
    yield made
    made.stop_jobs()
    made.kill()


def finished(server, **settings):
    shown = server.followed(server.submit("dcgan", **{"gan.epochs": 4} | settings)["id"])[-1]
    assert shown["state"] == "done", shown
    return shown


def cells(tile):
    for number in range(100):
        top, left = (SIDE + GAP) * (number // 10), (SIDE + GAP) * (number % 10)
        yield tile[top : top + SIDE, left : left + SIDE]


def zipped(data):
    """The pictures of a zip by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return {name: np.asarray(Image.open(found.open(name)).convert("RGB")) for name in sorted(found.namelist())}


def test_tile_shows_the_first_hundred_samples_of_generate_with_the_seed_of_the_race(server):
    job = finished(server)
    race = server.post("/api/v1/races", {"title": "one", "rule": {"size": SIDE}})
    entry = {"dataset": "tiny", "training": job["training_id"]}
    id = server.post(f"/api/v1/races/{race['id']}/entries", entry)["id"]
    server.get(f"/api/v1/races/{race['id']}")
    sent = server.eventually(f"/api/v1/races/{race['id']}/entries/{id}/tile.png")
    tile = np.asarray(Image.open(io.BytesIO(sent)).convert("RGB"))
    drawn = zipped(server.get(f"/api/v1/jobs/{job['id']}/images.zip?count=100&seed={race['seed']}"))
    other = finished(server, **{"generate.seed": race["seed"], "generate.count": 100})
    made = zipped(server.get(f"/api/v1/jobs/{other['id']}/images.zip"))
    assert all(np.array_equal(cell, sample) for cell, sample in zip(cells(tile), made.values(), strict=True))
    assert drawn.keys() == made.keys()
    assert all(np.array_equal(drawn[name], made[name]) for name in made)
    (shown,) = json.loads(server.get(f"/api/v1/races/{race['id']}"))["entries"]
    assert (shown["verified"], shown["error"]) == (True, "")
