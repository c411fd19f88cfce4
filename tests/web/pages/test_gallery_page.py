"""The gallery page: what it says of trainings without its script, and that nothing in them can break it."""

import shutil

import pytest
from bs4 import BeautifulSoup

from pipeline.web.trainings.notes import TRAINING, change_note
from tests.web.fake_trainings import samples, training

HOSTILE = "\"'></h2></title><script>alert(1)</script>{{ 1234567 * 9 }}"


@pytest.fixture
def fake_dataset(bare_dataset):
    """These tests need no squares."""
    return bare_dataset


def page(client, query=""):
    answer = client.get(f"/d/cats/gallery{query}")
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "lxml")


def words(tag):
    return " ".join(tag.get_text(" ").split())


def test_dataset_without_trainings_says_so(client):
    assert "Nothing has been trained yet" in words(page(client).main)


def test_newest_training_is_shown_and_others_can_be_chosen(fake_dataset, client):
    first, second = training(fake_dataset, "one"), training(fake_dataset, "two")
    shown = page(client)
    assert [option["value"] for option in shown.find(id="training").find_all("option")] == [second[:12], first[:12]]
    assert [side["data-training"] for side in shown.select(".side[data-training]")] == [second[:12]]
    assert [
        side["data-training"] for side in page(client, f"?training={first[:12]}").select(".side[data-training]")
    ] == [first[:12]]


def test_facts_say_the_generators_epoch_and_what_the_kid_means(fake_dataset, client):
    key = training(fake_dataset)
    samples(fake_dataset, key)
    said = words(page(client).find(id="facts"))
    assert "of epoch 3, the last, at which the KID by textures-64 was lowest" in said
    assert "KID 0.100 ± 0.010 (reals against reals 0.001: worse than reals) by textures-64" in said
    assert "lowest KID 0.1000 ± 0.0100 at epoch 3 by textures-64" in said
    assert "No alarms." in said


def test_alarm_is_told_in_words_with_its_epoch(fake_dataset, client):
    training(fake_dataset, epochs=25, finished=False, d_accuracy=0.999)
    shown = page(client)
    assert "it is too far ahead" in words(shown.select_one(".alarms"))
    assert shown.select_one(".alarms .go")["data-epoch"]


def test_two_trainings_say_whether_their_latents_are_the_same(fake_dataset, client):
    keys = [training(fake_dataset, name, seed=seed)[:12] for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert "draw from the same latents" in words(page(client, f"?training={keys[0]}&beside={keys[1]}").main)
    assert "do not draw from the same" in words(page(client, f"?training={keys[0]}&beside={keys[2]}").main)


def test_training_beside_itself_is_shown_once(fake_dataset, client):
    key = training(fake_dataset)[:12]
    assert len(page(client, f"?training={key}&beside={key}").select(".side[data-training]")) == 1


def test_training_that_gc_deleted_says_so_and_is_not_offered(fake_dataset, client):
    gone, left = training(fake_dataset, "gone"), training(fake_dataset, "left")
    shutil.rmtree(fake_dataset.store("gan").root / gone[:12])
    shutil.rmtree(fake_dataset.folder / "generated" / "cats" / "training" / gone[:12])
    shown = page(client, f"?training={gone[:12]}")
    assert "was deleted to free space" in words(shown.main)
    assert [option["value"] for option in shown.find(id="training").find_all("option")] == [left[:12]]


def test_hostile_names_stay_texts(fake_dataset, client):
    key = training(fake_dataset, definition=HOSTILE)
    change_note(fake_dataset.data, TRAINING, key[:12], name=HOSTILE, note=HOSTILE)
    shown = page(client)
    assert [tag.get("src") for tag in shown.find_all("script")] == ["/static/frame.js", "/static/gallery/gallery.js"]
    assert HOSTILE[:80] in shown.h2.text + shown.select_one(".side figcaption").text
    assert "11111103" not in shown.text


def test_unknown_training_is_a_page_that_says_so(client):
    answer = client.get("/d/cats/gallery?training=nobody", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert "there is no training" in answer.text
