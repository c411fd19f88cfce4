"""Samples over REST."""

import io
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from pipeline.gan.class_names import write_names
from pipeline.gan.sampling_limits import MAX_NUMBER
from pipeline.web.app import make_app
from pipeline.web.drawing.sample_drawer import find_generator
from pipeline.web.security import AccessRules
from tests.web.fake_sampler import DIES, REFUSED
from tests.web.fake_trainings import samples, training

API = "/api/v1/datasets/cats"
FAKE = str(Path(__file__).parent.parent / "fake_sampler.py")


@pytest.fixture
def key(fake_dataset):
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.9))
    key = training(fake_dataset)
    samples(fake_dataset, key, seed=3)
    samples(fake_dataset, key)
    return key[:12]


@pytest.fixture
def client(fake_dataset):
    app = make_app(fake_dataset.site(sys.executable, FAKE), AccessRules(host="127.0.0.1", port=8090))
    return TestClient(app, base_url="http://127.0.0.1:8090", raise_server_exceptions=False)


def pixel(response):
    assert response.headers["content-type"] == "image/png"
    return Image.open(io.BytesIO(response.content)).convert("RGB").getpixel((0, 0))


def test_samples_are_listed_those_of_the_last_run_first(client, key, fake_dataset):
    store = fake_dataset.store("generate")
    first = next(each.folder for each in store.all() if each.manifest.options["seed"] == 3)
    store.point_latest(first)
    found = client.get(f"{API}/samples").json()["samples"]
    assert [(each["seed"], each["count"], each["last_used"]) for each in found] == [(3, 12, True), (0, 12, False)]
    assert found[0]["training"]["key"].startswith(key)
    assert (found[0]["kid"], found[0]["extractor"]) == (0.1, "textures-64")


def test_samples_of_a_class_are_listed_with_it(client, fake_dataset, key):
    samples(fake_dataset, training(fake_dataset, "two"), class_name="red")
    found = client.get(f"{API}/samples").json()["samples"]
    assert sorted(each["class_name"] for each in found) == ["", "", "red"]


def test_a_sample_is_a_png_file(client, key):
    artifact = client.get(f"{API}/samples").json()["samples"][0]["artifact"]
    response = client.get(f"{API}/samples/{artifact}/4")
    assert response.status_code == 200
    assert pixel(response) == (120, 208, 175)
    for address in (f"{artifact}/99", "0" * 12 + "/1"):
        assert client.get(f"{API}/samples/{address}").status_code == 404
    assert client.get(f"{API}/samples/..%2f..%2fetc/1").status_code in (404, 422)


def test_samples_are_drawn_and_then_have_an_address(client, key):
    assert client.get(f"{API}/trainings/{key}/drawn/7/2").status_code == 404
    drawn = client.post(f"{API}/trainings/{key}/draw", json={"seed": 7, "first": 2, "count": 3}).json()["samples"]
    assert [each["number"] for each in drawn] == [2, 3, 4]
    assert pixel(client.get(drawn[0]["url"])) == (2, 7, 90)
    truncated = client.post(f"{API}/trainings/{key}/draw", json={"seed": 7, "count": 1, "truncation": 0.5}).json()
    assert truncated["samples"][0]["url"].endswith("/drawn/7/0?truncation=0.5")
    assert client.get(truncated["samples"][0]["url"]).status_code == 200


def test_samples_of_a_class_have_addresses_of_their_own(client, key):
    body = {"seed": 7, "count": 1, "class_name": "red & round"}
    (drawn,) = client.post(f"{API}/trainings/{key}/draw", json=body).json()["samples"]
    assert drawn["url"].endswith("/drawn/7/0?class_name=red+%26+round")
    assert client.get(drawn["url"]).status_code == 200
    assert client.get(drawn["url"].partition("?")[0]).status_code == 404


def test_a_latent_of_a_conditional_generator_has_a_number_for_each_class(client, key, fake_dataset):
    write_names(("blue", "red"), find_generator(fake_dataset.paths(), key).folder)
    query = {"seed": 5, "number": 9}
    free = client.get(f"{API}/trainings/{key}/latent", params=query).json()
    assert free["class_name"] in ("blue", "red")
    for name in ("blue", "red"):
        found = client.get(f"{API}/trainings/{key}/latent", params=query | {"class_name": name}).json()
        assert found["class_name"] == name
        assert sorted(found["latent"][-2:]) == sorted(free["latent"][-2:])
        assert found["latent"][:-2] == free["latent"][:-2]
    refused = client.get(f"{API}/trainings/{key}/latent", params=query | {"class_name": "rde"})
    assert "did you mean 'red'" in refused.json()["error"]


def test_a_walk_has_an_address_for_each_frame(client, key):
    body = {"from": {"seed": 1, "number": 2}, "to": {"seed": 1, "number": 3}, "frames": 4}
    frames = client.post(f"{API}/trainings/{key}/walk", json=body).json()["frames"]
    assert len(frames) == 4
    assert pixel(client.get(frames[3])) == (3, 1, 90)
    assert client.get(frames[3][:-1] + "4").status_code == 404


def test_nearest_reals_of_a_drawn_sample_have_their_sources(client, key):
    found = client.post(f"{API}/trainings/{key}/nearest", json={"seed": 1, "number": 70}).json()
    assert found["extractor"] == "textures-64"
    assert found["nearest"][0]["crawled"]["url"].startswith("https://pictures.example/")


def test_a_latent_is_that_of_the_generator(client, key, fake_dataset):
    from pipeline.gan.latents import fixed_latents

    found = client.get(f"{API}/trainings/{key}/latent", params={"seed": 5, "number": 9, "truncation": 0.7}).json()
    expected = fixed_latents(10, size=len(found["latent"]), seed=5, truncation=0.7)[9]
    assert found["latent"] == pytest.approx(expected.tolist(), rel=1e-7)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"count": 257}, "count"),
        ({"count": 0}, "count"),
        ({"seed": -1}, "seed"),
        ({"truncation": -0.1}, "truncation"),
        ({"truncation": "a"}, "truncation"),
        ({"first": MAX_NUMBER}, "first"),
        ({"first": MAX_NUMBER - 1, "count": 2}, "first + count"),
        ({"sead": 1}, "sead"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(client, key, body, field):
    response = client.post(f"{API}/trainings/{key}/draw", json=body)
    assert response.status_code == 422
    assert response.json()["error"].startswith(f"{field}")


def test_faults_of_the_sampler_are_one_line(client, key):
    refused = client.post(f"{API}/trainings/{key}/draw", json={"seed": REFUSED})
    assert (refused.status_code, refused.json()) == (409, {"error": "this generator is damaged"})
    died = client.post(f"{API}/trainings/{key}/draw", json={"seed": DIES})
    assert died.status_code == 503
    assert "memory ran out" in died.json()["error"]


def test_unknown_datasets_and_trainings_are_not_found(client, key):
    assert client.get("/api/v1/datasets/dogs/samples").status_code == 404
    response = client.post(f"{API}/trainings/{'0' * 12}/draw", json={})
    assert response.status_code == 404
    assert response.json()["error"].startswith("there is no finished training")
