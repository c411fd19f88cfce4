"""The home page: a card for each dataset, whatever its name, made without reading its squares."""

import pytest

from tests.web.fake_dataset import FakeDataset


def test_each_dataset_has_a_card_with_its_figures_and_next_step(fake_dataset, client):
    FakeDataset(fake_dataset.folder, "dogs").draw(3)
    shown = client.get("/").text
    assert shown.count('<li class="card ') == 2
    assert "label 80 more" in shown
    assert '<b data-of="found">32</b> found' in shown


def test_no_squares_are_read_for_the_list(fake_dataset, client, monkeypatch):
    for name in ("labelling.dataset_view.DatasetView.index", "labelling.picture_index.PictureIndexCache.current"):
        monkeypatch.setattr(f"pipeline.web.{name}", lambda *_: pytest.fail("the squares were read"))
    monkeypatch.setattr("pipeline.store.manifest.check_files", lambda *_: pytest.fail("every file was checked"))
    assert client.get("/").status_code == 200
    assert client.get("/api/v1/datasets").status_code == 200


def test_without_datasets_the_page_says_how_to_make_one(fake_dataset, client):
    (fake_dataset.data / "runs").rmdir()
    assert 'href="/new"' in client.get("/").text


def test_archived_datasets_are_listed(fake_dataset, client):
    archive = fake_dataset.folder / "data" / ".dropped" / "<b>dogs-20260102-030405"
    archive.mkdir(parents=True)
    (archive.parent / "nonsense").mkdir()
    shown = client.get("/").text
    assert "Archived (1)" in shown
    assert 'data-restore="&lt;b&gt;dogs-20260102-030405"' in shown
    assert "<b>dogs" not in shown
