"""Squares and labels over REST."""

import pytest

from tests.web.fake_dataset import picture_id

ROOT = "/api/v1/datasets/cats"


def change(client, number, label, **more):
    return client.post(f"{ROOT}/labels", json={"labels": [{"id": picture_id(number), "label": label, **more}]})


def test_labels_are_listed_in_pages_with_their_revision(fake_dataset, client):
    given = {picture_id(number): ("on", "off", "unsure")[number % 3] for number in range(5)}
    fake_dataset.label(given)
    first = client.get(f"{ROOT}/labels?count=3").json()
    rest = client.get(f"{ROOT}/labels?start=3&count=3").json()
    listed = {row["id"]: row["label"] for row in first["labels"] + rest["labels"]}
    assert (first["total"], len(first["labels"]), listed) == (5, 3, given)
    assert list(listed) == sorted(listed)
    fake_dataset.label({picture_id(9): "on"})
    assert client.get(f"{ROOT}/labels").json()["revision"] != first["revision"]


def test_label_is_on_the_disk_before_the_response(fake_dataset, client):
    answer = change(client, 3, "on").json()
    assert (answer["labels"], answer["written"], answer["refused"]) == ({picture_id(3): "on"}, [0], [])
    assert fake_dataset.log.effective() == {picture_id(3): "on"}
    assert change(client, 3, None).json()["labels"] == {picture_id(3): None}
    assert fake_dataset.log.effective() == {}


def test_edit_does_not_overwrite_a_label_that_was_changed_meanwhile(fake_dataset, client):
    fake_dataset.label({picture_id(3): "off"})
    answer = change(client, 3, "on", previous=[None]).json()
    assert answer["refused"] == [{"id": picture_id(3), "label": "on", "now": "off"}]
    assert fake_dataset.log.effective() == {picture_id(3): "off"}
    assert change(client, 3, "on", previous=["off"]).json()["written"] == [0]
    assert change(client, 3, "unsure").json()["written"] == [0]  # without `previous`: whatever it was


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"labels": []}, 422),
        ({"labels": [{"id": "x", "label": "on"}]}, 422),
        ({"labels": [{"id": picture_id(1), "label": "yes"}]}, 422),
        ({"labels": [{"id": picture_id(1)}]}, 422),
        ({"labels": [{"id": picture_id(1), "label": "on", "previous": []}]}, 422),
        ({"labels": [{"id": picture_id(1), "label": "on"}], "more": 1}, 422),
        ({"labels": [{"id": picture_id(1), "label": "on"}, {"id": picture_id(999), "label": "on"}]}, 404),
    ],
)
def test_wrong_edits_are_refused_in_one_line_and_nothing_is_labelled(fake_dataset, client, body, status):
    answer = client.post(f"{ROOT}/labels", json=body)
    assert answer.status_code == status
    assert "\n" not in answer.json()["error"]
    assert fake_dataset.logged() == []


def test_squares_are_those_of_the_page_with_their_labels(fake_dataset, client):
    fake_dataset.filter({picture_id(number): number * 0.03 for number in range(30)}, unsure=0.1)
    fake_dataset.label({picture_id(16): "on"})
    for query in ("view=borderline", "view=all&search=picture 1&count=5&start=5", "view=kept&sort=best"):
        found = client.get(f"{ROOT}/squares?{query}").json()
        shown = client.get(f"/d/cats/pictures?{query}").json()
        assert found["pictures"] == shown["pictures"]
        assert found["total"] == shown["total"] > 0
    (square,) = client.get(f"{ROOT}/squares?search={picture_id(16)}").json()["pictures"]
    assert (square["label"], square["outcome"], square["title"]) == ("on", "unsure", "picture 16")


@pytest.mark.parametrize("path", ["labels", "squares", "why?search=x"])
def test_unknown_dataset_gives_404(fake_dataset, client, path):
    assert client.get(f"/api/v1/datasets/dogs/{path}").status_code == 404


@pytest.mark.parametrize(
    "path", ["labels?count=0", "labels?start=-1", "squares?view=next", "squares?sort=far", "squares?count=201", "why"]
)
def test_values_that_are_not_allowed_give_422(fake_dataset, client, path):
    answer = client.get(f"{ROOT}/{path}")
    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]


def test_damaged_log_is_refused_with_what_to_do(fake_dataset, client):
    fake_dataset.label({picture_id(0): "on"})
    fake_dataset.damage()
    for answer in (client.get(f"{ROOT}/labels"), change(client, 1, "on")):
        assert answer.status_code == 409
        assert "labels repair --dataset cats" in answer.json()["error"]
    assert client.get(f"{ROOT}/squares").status_code == 200


def test_every_refusal_is_in_the_description(client):
    paths = client.get("/api/openapi.json").json()["paths"]
    prefix = "/api/v1/datasets/{dataset}"
    assert {"200", "404", "409", "422", "503"} <= set(paths[f"{prefix}/labels"]["post"]["responses"])
    for name in ("labels", "squares", "why"):
        refused = paths[f"{prefix}/{name}"]["get"]["responses"]["404"]["content"]["application/json"]["schema"]
        assert refused["$ref"].endswith("ErrorBody")
