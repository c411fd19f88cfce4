"""What a person does next, in every state of a dataset."""

import pytest

from pipeline.web.next_step import missing_labels, next_step
from tests.web import chains
from tests.web.fake_dataset import FakeDataset


@pytest.fixture
def fake(tmp_path):
    return FakeDataset(tmp_path)


@pytest.mark.parametrize(
    ("make", "text", "page"),
    [
        (chains.new, "Run: it downloads pictures and makes squares of them.", "/d/cats/"),
        (chains.found, "Run: it makes squares of the pictures.", "/d/cats/"),
        (chains.squares, "Label 80 more: 30 on target and 50 off target, then run.", "/d/cats/label"),
        (chains.filtered, "Run: it makes everything up to the samples.", "/d/cats/"),
        (chains.trained, "Look at the samples.", "/d/cats/samples"),
    ],
)
def test_next_step_follows_from_what_there_is(fake, make, text, page):
    make(fake)
    found = next_step(fake.paths(), "none")
    assert (found.text, found.page) == (text, page)


def test_only_missing_labels_are_asked_for(fake):
    chains.squares(fake)
    ids = fake.ids(30)
    fake.label({**dict.fromkeys(ids[:26], "on"), **dict.fromkeys(ids[26:29], "off"), ids[29]: "unsure"})
    assert next_step(fake.paths(), "none").text == "Label 51 more: 4 on target and 47 off target, then run."


def test_with_enough_labels_of_a_kind_the_other_alone_is_named(fake):
    chains.squares(fake)
    fake.log.append({f"{number:064x}": "on" for number in range(40)}, how="folder")
    assert missing_labels(fake.paths().labels) == "50 more: 50 off target"


def test_a_damaged_label_log_is_no_obstacle(fake):
    chains.squares(fake)
    fake.damage()
    assert "80 more" in next_step(fake.paths(), "none").text


@pytest.mark.parametrize("run", ["running", "queued"])
def test_a_run_comes_first(fake, run):
    chains.trained(fake)
    assert next_step(fake.paths(), run).text.startswith("A run ")
