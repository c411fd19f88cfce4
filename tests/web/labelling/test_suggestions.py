"""What to label next, before and after a filter has run."""

import threading

import numpy as np

from pipeline.web.labelling.picture_index import PictureIndexCache
from pipeline.web.labelling.suggestions import MAX_DIMENSIONS, Suggestions, project
from tests.web.fake_dataset import picture_id


def reasons(suggestions, index, labels=None, count=20):
    return {each.why for each in suggestions.next(index, labels or {}, count)}


def test_suggestions_are_random_without_features(fake_dataset):
    suggestions, index = Suggestions(), PictureIndexCache(fake_dataset.paths()).current()
    suggestions.features = lambda index: None
    assert reasons(suggestions, index) == {"random"}


def test_suggestions_without_a_filter_include_different_squares(fake_dataset):
    suggestions, index = Suggestions(), PictureIndexCache(fake_dataset.paths()).current()
    suggestions.features(index)
    suggestions.wait()
    assert reasons(suggestions, index) == {"random", "different"}
    assert suggestions.features(index).shape == (30, 48)


def test_suggestions_with_a_filter_include_uncertain_squares(fake_dataset):
    scores = dict.fromkeys(fake_dataset.ids(30), 0.99) | {picture_id(7): 0.5}
    fake_dataset.filter(scores, features=np.random.default_rng(0).random((30, 8)).astype(np.float16))
    suggestions, index = Suggestions(), PictureIndexCache(fake_dataset.paths()).current()
    first = suggestions.next(index, {}, 5)
    assert (first[0].id, first[0].why) == (picture_id(7), "uncertain")
    assert suggestions.features(index).shape == (30, 8)


def test_filter_features_are_in_index_order(fake_dataset):
    features = np.arange(30, dtype=np.float16)[:, None]
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.5), features=features)
    suggestions, index = Suggestions(), PictureIndexCache(fake_dataset.paths()).current()
    suggestions.features(index)
    suggestions.wait()
    assert suggestions.features(index)[:, 0].tolist() == list(range(30))  # both are sorted by id


def test_mismatched_filter_features_are_ignored(fake_dataset):
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.5), features=np.zeros((12, 8), np.float16))
    suggestions, index = Suggestions(), PictureIndexCache(fake_dataset.paths()).current()
    suggestions.features(index)
    suggestions.wait()
    assert suggestions.features(index).shape == (30, 48)


def test_first_batch_with_a_filter_includes_different_squares(fake_dataset, monkeypatch):
    from pipeline.web.labelling import suggestions as suggestions_module

    monkeypatch.setattr(suggestions_module, "MAX_WAIT", 0.0)
    suggestions, index_cache = Suggestions(), PictureIndexCache(fake_dataset.paths())
    suggestions.next(index_cache.current(), {}, 5)
    features = np.random.default_rng(0).random((30, 8)).astype(np.float16)
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.9), features=features)
    assert "different" in reasons(suggestions, index_cache.current())


def test_batches_of_the_same_squares_are_prepared_once(fake_dataset, monkeypatch):
    from pipeline.web.labelling import suggestions as suggestions_module

    made, real = [], suggestions_module.Suggester
    monkeypatch.setattr(suggestions_module, "Suggester", lambda ids, **known: made.append(1) or real(ids, **known))
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.9), features=np.ones((30, 8), np.float16))
    suggestions, indexes = Suggestions(), PictureIndexCache(fake_dataset.paths())
    for number in range(3):
        suggestions.next(indexes.current(), dict.fromkeys(fake_dataset.ids(number), "on"), 5)
    assert len(made) == 1
    fake_dataset.filter(dict.fromkeys(fake_dataset.ids(30), 0.1), features=np.ones((30, 8), np.float16))
    suggestions.next(indexes.current(), {}, 5)
    assert len(made) == 2


def test_suggestions_wait_for_fast_features(fake_dataset):
    assert "different" in reasons(Suggestions(), PictureIndexCache(fake_dataset.paths()).current())


def test_projection_preserves_distances():
    features = np.random.default_rng(1).standard_normal((40, 512)).astype(np.float16)
    features[1] = features[0]
    found = project(features)
    assert found.shape == (40, MAX_DIMENSIONS)
    distances = ((found - found[0]) ** 2).sum(axis=1)
    assert distances[1] == 0
    assert (distances[2:] > 100).all()


def test_labelled_squares_are_not_suggested(fake_dataset, client):
    fake_dataset.label(dict.fromkeys(fake_dataset.ids(25), "on"))
    found = client.get("/d/cats/pictures?view=next&count=60").json()
    assert sorted(picture["id"] for picture in found["pictures"]) == sorted(picture_id(n) for n in range(25, 30))
    assert all(picture["why"] for picture in found["pictures"])


def test_suggestions_are_empty_if_all_are_labelled(fake_dataset, client):
    fake_dataset.label(dict.fromkeys(fake_dataset.ids(30), "off"))
    assert client.get("/d/cats/pictures?view=next&count=60").json()["total"] == 0


def test_page_responds_while_features_are_computed(fake_dataset, client, monkeypatch):
    from pipeline.web.labelling import suggestions as suggestions_module

    looking, seen = [], threading.Event()

    def slow(paths):
        looking.append(len(paths))
        assert seen.wait(60)
        return np.zeros((len(paths), 48), np.float32)

    monkeypatch.setattr(suggestions_module, "coarse_features", slow)
    monkeypatch.setattr(suggestions_module, "MAX_WAIT", 0.01)
    for _ in range(3):
        found = client.get("/d/cats/pictures?view=next&count=5").json()["pictures"]
        assert {picture["why"] for picture in found} == {"random"}
    seen.set()
    assert looking == [30]
