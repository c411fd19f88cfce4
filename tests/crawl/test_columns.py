"""Columns are found by their usual names or by those that are given; a wrong one is an error that names the others."""

import math

import pytest

from pipeline.crawl.columns import USUAL, Columns, as_text
from pipeline.errors import UserError
from pipeline.options import COLUMN_FIELDS

FIELDS = ("url", "title", "license", "class")


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["url", "caption"], {"url": "url", "title": "caption"}),
        (["URL", "TEXT", "LICENSE"], {"url": "URL", "title": "TEXT", "license": "LICENSE"}),
        (["Image URL", "alt-text"], {"url": "Image URL", "title": "alt-text"}),
        (["text", "title", "image_url"], {"url": "image_url", "title": "title"}),
        (["category", "n"], {"class": "category"}),
        (["label", "width"], {}),
    ],
)
def test_usual_names_are_found(names, chosen):
    assert Columns({}).choose(names, FIELDS) == chosen


def test_a_column_that_is_given_counts_alone():
    columns = Columns.parse(("url = link", "title=words=here"))
    assert columns.choose(["url", "link", "title"], FIELDS) == {"url": "link"}
    assert columns.choose(["words=here"], FIELDS) == {"title": "words=here"}


def error_of(given: tuple[str, ...], names: list[str]) -> str:
    with pytest.raises(UserError) as caught:
        Columns.parse(given).check(names, fields=FIELDS, needed="url", where="list.csv")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_wrong_column_names_the_others_and_the_nearest():
    assert error_of(("url=ulr",), ["url", "words"]) == (
        "list.csv: columns = url=ulr: there are the columns url, words; did you mean 'url'?"
    )
    assert error_of((), ["a", "b"]) == (
        "list.csv: no column is called url: there are the columns a, b; name it, for example columns = url=a"
    )
    assert error_of((), []).startswith("list.csv: no column is called url: it has no columns; name it")


def test_names_from_a_file_cannot_write_to_a_terminal_or_fill_it():
    said = error_of(("title=x",), ["\x1b[31m\n", *(f"column {number} {'x' * 500}" for number in range(100))])
    assert said.isprintable()
    assert len(said) < 1000


def test_a_column_of_another_source_is_no_mistake():
    Columns.parse(("file=name",)).check(["url"], fields=FIELDS, needed="url", where="list.csv")


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (3, "3"), (2.5, "2.5"), (math.nan, ""), (None, ""), (["a"], ""), ({}, ""), (b"\xffa", "�a")],
)
def test_values_become_text(value, text):
    assert as_text(value) == text


def test_every_field_of_the_option_has_usual_names_in_their_folded_form():
    assert set(COLUMN_FIELDS) <= USUAL.keys()
    assert all(name.isalpha() and name.islower() for names in USUAL.values() for name in names)
