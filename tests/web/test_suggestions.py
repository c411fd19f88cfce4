"""What to label next, before and after a filter has run."""

import time

import numpy as np

from pipeline.web.picture_index import CatalogueCache
from pipeline.web.suggestions import DIMENSIONS, Suggestions, reduced
from tests.web.drawn_home import picture_id


def reasons(batches, catalogue, labels=None, count=20):
    return {each.why for each in batches.next(catalogue, labels or {}, count)}


def test_before_the_pictures_were_looked_at_nobody_waits(home):
    batches, catalogue = Suggestions(), CatalogueCache(home.place()).now()
    batches.features = lambda catalogue: None
    assert reasons(batches, catalogue) == {"random"}


def test_pictures_unlike_the_labelled_ones_are_suggested_before_any_filter(home):
    batches, catalogue = Suggestions(), CatalogueCache(home.place()).now()
    batches.features(catalogue)
    batches.wait()
    assert reasons(batches, catalogue) == {"random", "different"}
    assert batches.features(catalogue).shape == (30, 48)


def test_after_a_filter_those_that_it_is_uncertain_of_are_suggested(home):
    scores = dict.fromkeys(home.ids(30), 0.99) | {picture_id(7): 0.5}
    home.filter(scores, features=np.random.default_rng(0).random((30, 8)).astype(np.float16))
    batches, catalogue = Suggestions(), CatalogueCache(home.place()).now()
    first = batches.next(catalogue, {}, 5)
    assert (first[0].id, first[0].why) == (picture_id(7), "uncertain")
    assert batches.features(catalogue).shape == (30, 8)


def test_the_filters_features_are_put_in_the_order_of_the_pictures(home):
    features = np.arange(30, dtype=np.float16)[:, None]
    home.filter(dict.fromkeys(home.ids(30), 0.5), features=features)
    batches, catalogue = Suggestions(), CatalogueCache(home.place()).now()
    batches.features(catalogue)
    batches.wait()
    assert batches.features(catalogue)[:, 0].tolist() == list(range(30))  # both are sorted by id


def test_features_that_do_not_fit_the_pictures_are_not_used(home):
    home.filter(dict.fromkeys(home.ids(30), 0.5), features=np.zeros((12, 8), np.float16))
    batches, catalogue = Suggestions(), CatalogueCache(home.place()).now()
    batches.features(catalogue)
    batches.wait()
    assert batches.features(catalogue).shape == (30, 48)


def test_the_first_batch_after_a_filter_knows_what_is_different(home, monkeypatch):
    from pipeline.web import suggestions

    monkeypatch.setattr(suggestions, "PATIENCE", 0.0)
    batches, keeper = Suggestions(), CatalogueCache(home.place())
    batches.next(keeper.now(), {}, 5)
    features = np.random.default_rng(0).random((30, 8)).astype(np.float16)
    home.filter(dict.fromkeys(home.ids(30), 0.9), features=features)
    assert "different" in reasons(batches, keeper.now())


def test_a_glance_that_is_soon_over_is_waited_for(home):
    assert "different" in reasons(Suggestions(), CatalogueCache(home.place()).now())


def test_many_columns_are_reduced_and_near_stays_near():
    features = np.random.default_rng(1).standard_normal((40, 512)).astype(np.float16)
    features[1] = features[0]
    found = reduced(features)
    assert found.shape == (40, DIMENSIONS)
    distances = ((found - found[0]) ** 2).sum(axis=1)
    assert distances[1] == 0
    assert (distances[2:] > 100).all()


def test_labelled_pictures_are_not_suggested(home, client):
    home.label(dict.fromkeys(home.ids(25), "on"))
    found = client.get("/d/cats/pictures?view=next&count=60").json()
    assert sorted(picture["id"] for picture in found["pictures"]) == sorted(picture_id(n) for n in range(25, 30))
    assert all(picture["why"] for picture in found["pictures"])


def test_when_all_are_labelled_there_is_nothing_to_suggest(home, client):
    home.label(dict.fromkeys(home.ids(30), "off"))
    assert client.get("/d/cats/pictures?view=next&count=60").json()["total"] == 0


def test_the_page_is_answered_while_the_pictures_are_looked_at(home, client, monkeypatch):
    from pipeline.web import suggestions

    looking = []

    def slow(paths):
        looking.append(len(paths))
        time.sleep(0.5)
        return np.zeros((len(paths), 48), np.float32)

    monkeypatch.setattr(suggestions, "coarse_features", slow)
    monkeypatch.setattr(suggestions, "PATIENCE", 0.01)
    for _ in range(3):
        found = client.get("/d/cats/pictures?view=next&count=5").json()["pictures"]
        assert {picture["why"] for picture in found} == {"random"}
    assert looking == [30]
