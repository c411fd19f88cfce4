"""The picture of a card: samples before sheets before squares, cut after whole pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.images.contact_sheet import write_png
from pipeline.web.datasets import card_pictures
from pipeline.web.datasets.card_pictures import card_picture, picture_bytes
from tests.web import fake_trainings
from tests.web.fake_dataset import FakeDataset


def test_the_newest_kind_of_picture_is_shown(fake_dataset, client):
    paths = fake_dataset.paths()
    assert card_picture(paths).shown == "squares"
    key = fake_trainings.training(fake_dataset)
    assert card_picture(paths).path.name == "epoch-0003.png"
    fake_trainings.samples(fake_dataset, key)
    assert card_picture(paths).path.name == "grid.png"
    answer = client.get(client.get("/api/v1/datasets/cats").json()["picture"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")


def test_a_dataset_without_pictures_has_none(tmp_path, client, fake_dataset):
    empty = FakeDataset(fake_dataset.folder, "empty")
    (empty.data / "runs").mkdir(parents=True)
    assert card_picture(empty.paths()) is None
    assert client.get("/cards/empty.png").status_code == 404


def test_squares_become_one_picture(fake_dataset):
    with Image.open(io.BytesIO(picture_bytes(card_picture(fake_dataset.paths())))) as shown:
        assert shown.size == (6 * 16 + 5 * 2, 2 * 16 + 2)


def test_a_large_sheet_is_cut_after_a_whole_row_and_column(fake_dataset):
    samples = fake_trainings.samples(fake_dataset, fake_trainings.training(fake_dataset))
    write_png(samples.folder / "grid.png", np.zeros((3 * 102 - 2, 9 * 102 - 2, 3), np.uint8))
    found = card_picture(fake_dataset.paths())
    (width, height) = Image.open(io.BytesIO(picture_bytes(found))).size
    assert (width <= card_pictures.WIDTH, height <= card_pictures.HEIGHT) == (True, True)


def test_a_sheet_with_too_many_pixels_is_not_decoded(fake_dataset, client, monkeypatch):
    fake_trainings.samples(fake_dataset, fake_trainings.training(fake_dataset))
    monkeypatch.setattr(card_pictures, "MAX_PIXELS", 10)
    with pytest.raises(ValueError, match="too large"):
        picture_bytes(card_picture(fake_dataset.paths()))
    assert client.get("/cards/cats.png").status_code == 404
