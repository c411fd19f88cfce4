"""The card of a dataset: its figures, its state, and what is next."""

import dataclasses
import json
import os
import platform

import pytest

from pipeline.labels.log import VALIDATION
from pipeline.run_record import process_start
from pipeline.store.jsonl import dump_row
from pipeline.web.datasets.dataset_cards import DatasetCards
from pipeline.web.jobs.job_queue import JobQueue
from tests.web import fake_trainings
from tests.web.fake_dataset import picture_id


@pytest.fixture
def card(fake_dataset):
    """`card()` is the card of the dataset as it is now."""
    cards = DatasetCards(JobQueue(fake_dataset.site()))
    return lambda: cards.card(fake_dataset.paths())


def label(fake_dataset, on, off):
    fake_dataset.label({picture_id(number): "on" if number < on else "off" for number in range(on + off)})


def filtered(fake_dataset, on=30, off=50, **summary):
    scores = {picture_id(number): number / 30 for number in range(30)}
    fake_dataset.filter(scores, kept=15, labelled_on=on, labelled_off=off, **summary)


def test_figures_are_those_of_the_last_run(fake_dataset, card):
    filtered(fake_dataset)
    found = card()
    assert (found.found, found.saved, found.squares, found.kept) == (32, 30, 30, 15)


def test_labels_are_next_until_there_are_enough_to_begin_with(fake_dataset, card):
    assert (card().state, card().next.text, card().next.page) == ("labels", "label 80 more", "/d/cats/label")
    label(fake_dataset, 30, 38)
    assert card().next.text == "label 12 more"
    label(fake_dataset, 30, 50)
    assert (card().state, card().next.text) == ("run", "run: train the generator")


def test_labels_are_next_if_the_filter_advises_them_first(fake_dataset, card):
    label(fake_dataset, 30, 50)
    filtered(fake_dataset, raise_recall=[{"way": "labels", "more": 9, "text": ""}])
    assert card().next.text == "label 40 more"


def test_a_run_is_next_after_new_labels(fake_dataset, card):
    label(fake_dataset, 31, 50)
    filtered(fake_dataset)
    assert (card().state, card().next.text) == ("run", "run with 1 new label")


def test_labels_of_the_validation_set_are_counted_but_teach_nothing(fake_dataset, card):
    label(fake_dataset, 30, 50)
    filtered(fake_dataset)
    fake_dataset.log.append({picture_id(90): "on", picture_id(91): "off"}, how="folder", set=VALIDATION)
    assert (card().labels.on, card().labels.off) == (31, 51)
    assert card().next.text == "run: train the generator"


def test_no_labels_are_asked_for_if_every_square_is_kept(fake_dataset, card):
    (fake_dataset.data / "settings.json").write_text('{"filter.method": {"value": "none", "luigi.cfg": null}}')
    assert card().next.text == "run: train the generator"


def test_samples_are_looked_at_when_all_is_made(fake_dataset, card):
    label(fake_dataset, 30, 50)
    filtered(fake_dataset)
    fake_trainings.samples(fake_dataset, fake_trainings.training(fake_dataset))
    found = card()
    assert (found.state, found.next.page, found.samples) == ("done", "/d/cats/samples", 12)
    assert found.picture.startswith("/cards/cats.png?v=")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("gan.epochs", "7", "run: gan.epochs has changed"),
        ("gan.epochs", "3", "look at the samples"),
        ("gan.epochs", "many", "look at the samples"),
        ("gan.max_minutes", "9", "look at the samples"),  # it changes no result
        ("gan", "7", "look at the samples"),
        ("number.epochs", "7", "look at the samples"),
    ],
)
def test_a_run_is_next_after_a_setting_was_saved(fake_dataset, card, name, value, text):
    label(fake_dataset, 30, 50)
    filtered(fake_dataset)
    fake_trainings.samples(fake_dataset, fake_trainings.training(fake_dataset, epochs=3))
    (fake_dataset.data / "settings.json").write_text(json.dumps({name: {"value": value, "luigi.cfg": None}}))
    assert card().next.text == text


def test_a_failed_run_says_why_and_a_new_one_is_seen(fake_dataset, card):
    label(fake_dataset, 30, 50)
    assert card().run.state == "none"
    end = {"event": "end", "outcome": "failed", "error": "the disk is full"}
    fake_trainings.run(fake_dataset, "20260102-000000-1", end)
    found = card()
    assert (found.run.state, found.run.outcome, found.next.text) == ("failed", "the disk is full", "run again")
    assert found.run.began.startswith("2026-01-02T00:00")


def test_a_run_at_work_is_followed_until_its_end(fake_dataset, card):
    """By this process, which is at work."""
    born = process_start(os.getpid())
    start = {"event": "start", "pid": os.getpid(), "born": born, "host": platform.node()}
    progress = {"event": "progress", "stage": "gan", "done": 3, "total": 4, "note": "epoch 3"}
    folder = fake_trainings.run(fake_dataset, "20260102-000000-1", start, progress)
    fake_trainings.run(fake_dataset, "20260103-000000-1", {"event": "end", "outcome": "done"})  # a short one meanwhile
    found = card()
    assert (found.state, found.run.stage, found.run.percent, found.run.note) == ("running", "gan", 75, "epoch 3")
    with (folder / "record.jsonl").open("a") as file:
        file.write(dump_row({"time": "2026-01-02T00:01:00+00:00", "event": "end", "outcome": "done"}))
    assert card().run.state == "done"


@pytest.mark.parametrize("text", ["[]", '{"filter.method": 1}', "{", '"x"', "9"])
def test_unreadable_settings_leave_the_card_as_it_is(fake_dataset, card, text):
    (fake_dataset.data / "settings.json").write_text(text)
    assert card().state == "labels"


@pytest.mark.parametrize(("stage", "text"), [("normalize", "run: normalize works differently now"), ("classifier", "")])
def test_a_run_is_next_if_a_stage_that_is_used_has_a_new_version(fake_dataset, stage, text):
    fake_trainings.samples(fake_dataset, fake_trainings.training(fake_dataset))
    fake_dataset.classifier()
    (fake_dataset.data / "settings.json").write_text('{"filter.method": {"value": "none", "luigi.cfg": null}}')
    site = dataclasses.replace(fake_dataset.site(), versions={stage: 99, "download": 1})
    found = DatasetCards(JobQueue(site)).card(fake_dataset.paths())
    assert (found.state, found.next.text) == (("run", text) if text else ("done", "look at the samples"))
