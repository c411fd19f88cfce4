"""The index of a dataset while stages publish artifacts and `gc` deletes them."""

import shutil

import pytest

from pipeline.web.labelling.picture_index import PictureIndexCache
from tests.web.fake_dataset import FakeDataset, picture_id


@pytest.fixture
def index_cache(fake_dataset):
    return PictureIndexCache(fake_dataset.paths())


def test_index_joins_squares_with_crawl_and_scores(fake_dataset, index_cache):
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.75))
    found = index_cache.current().by_id[picture_id(4)]
    assert (found.title, found.source, found.host) == ("picture 4", "bing: cat", "host0.example")
    assert (found.score.score, found.score.spread) == (0.75, 0.05)
    assert index_cache.current().threshold == 0.5


def test_index_is_cached_until_something_is_published(index_cache):
    assert index_cache.current() is index_cache.current()


def test_index_sees_a_new_filter(fake_dataset, index_cache):
    assert index_cache.current().filter is None
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.75))
    assert index_cache.current().by_id[picture_id(0)].probability == 0.75


def test_index_uses_the_filter_that_latest_names(fake_dataset, index_cache):
    first = fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.25))
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.75), labels={picture_id(0): "on"})
    assert index_cache.current().by_id[picture_id(0)].probability == 0.75
    fake_dataset.store("filter").point_latest(first.folder)
    assert index_cache.current().by_id[picture_id(0)].probability == 0.25


def test_index_ignores_a_filter_of_other_squares(fake_dataset, index_cache):
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.75))
    fake_dataset.draw(20)
    assert len(index_cache.current().pictures) == 20
    assert index_cache.current().filter is None


def test_index_shows_the_squares_that_the_last_run_used(fake_dataset, index_cache):
    store = fake_dataset.store("normalize")
    earlier = store.newest().folder
    fake_dataset.draw(20)
    assert len(index_cache.current().pictures) == 20
    store.point_latest(earlier)
    assert len(index_cache.current().pictures) == 30
    shutil.rmtree(earlier)
    assert len(index_cache.current().pictures) == 20
    shutil.rmtree(store.root)
    assert index_cache.current().pictures == ()


def test_classifier_is_the_one_that_the_last_run_used(fake_dataset, index_cache):
    store = fake_dataset.store("classifier")
    earlier = fake_dataset.classifier()
    later = fake_dataset.classifier()
    assert index_cache.current().classifier.folder == later.folder
    store.point_latest(earlier.folder)
    assert index_cache.current().classifier.folder == earlier.folder


def test_index_without_crawl_or_filter_keeps_the_squares(fake_dataset, index_cache):
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.75))
    index_cache.current()
    shutil.rmtree(fake_dataset.store("download").root)
    shutil.rmtree(fake_dataset.store("filter").root)
    found = index_cache.current().by_id[picture_id(4)]
    assert (len(index_cache.current().pictures), found.title, found.score) == (30, "", None)


def test_index_of_an_empty_dataset_is_empty(tmp_path):
    assert PictureIndexCache(FakeDataset(tmp_path).paths()).current().pictures == ()


@pytest.mark.parametrize(
    "page", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "http://[", "//x", ""]
)
def test_only_http_addresses_become_links(tmp_path, page):
    fake_dataset = FakeDataset(tmp_path)
    fake_dataset.draw(1, rows={0: {"page": page, "url": page}})
    facts = PictureIndexCache(fake_dataset.paths()).current().pictures[0].as_json()
    assert (facts["page"], facts["url"]) == ("", "")


def test_a_page_that_is_open_survives_what_gc_deletes(fake_dataset, client):
    shown = client.get("/d/cats/pictures?view=all").json()["pictures"]
    shutil.rmtree(fake_dataset.store("normalize").root)
    shutil.rmtree(fake_dataset.store("download").root)
    assert client.get(f"/d/cats/square/{shown[0]['id']}").status_code == 404
    assert client.get("/d/cats/changes").status_code == 200
    assert client.get("/d/cats/summary").json()["pictures"] == 0
    answer = client.post("/d/cats/labels", json={"labels": [{"id": shown[0]["id"], "label": "on", "previous": [None]}]})
    assert (answer.status_code, "unknown" in answer.json()) == (503, False)
    assert fake_dataset.logged() == []
