"""REST: what differs between runs and trainings."""

import pytest

from tests.web.fake_trainings import training

BASE = "/api/v1/datasets/cats"


@pytest.fixture
def fake_dataset(bare_dataset):
    """These tests need no squares."""
    return bare_dataset


def test_comparison_says_what_differs_and_whether_latents_are_the_same(fake_dataset, client):
    ids = [training(fake_dataset, name, seed=seed)[:12] for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    same = client.get(f"{BASE}/comparison?trainings={ids[0]}&trainings={ids[1]}").json()
    other = client.get(f"{BASE}/comparison?trainings={ids[0]},{ids[2]}").json()
    assert (same["same_latents"], other["same_latents"]) == (True, False)
    assert [row["name"] for row in other["settings"]] == ["gan.seed"]
    assert [each["training"]["id"] for each in other["subjects"]] == [ids[0], ids[2]]


def test_comparison_of_one_is_refused(fake_dataset, client):
    key = training(fake_dataset)
    for part in ("", "/squares"):
        answer = client.get(f"{BASE}/comparison{part}?trainings={key[:12]}")
        assert answer.status_code == 409
        assert "choose 2 to 6" in answer.json()["error"]
