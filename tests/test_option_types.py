"""How options are read from text, and how options and GAN definitions word what they accept."""

from typing import Literal

import pytest
from pydantic import Field, ValidationError

from pipeline.errors import UserError
from pipeline.gan.config.schema import Definition, Part
from pipeline.option_types import (
    Options,
    StrictModel,
    ValueType,
    bounds,
    expected,
    field_of,
    first_mistake,
    nearest,
    option,
    parse,
    similar,
    value_type,
)
from pipeline.options import DownloadOptions, FilterOptions, GanOptions, NormalizeOptions


def read(options, name, text):
    return parse(field_of(options, name, "stage"), text, f"stage.{name}")


def test_text_becomes_the_type_of_the_field():
    assert read(GanOptions, "epochs", " 12 ") == 12
    assert read(FilterOptions, "precision", ".9") == 0.9
    assert read(DownloadOptions, "robots", "No") is False
    assert read(DownloadOptions, "query", "ピカチュウ, Pikachu,") == ("ピカチュウ", "Pikachu")
    assert read(FilterOptions, "threshold", "auto") is None


@pytest.mark.parametrize(
    ("options", "name", "text", "says"),
    [
        (GanOptions, "epochs", "ten", "stage.epochs = 'ten': expected a whole number, at least 1, or auto"),
        (GanOptions, "epochs", "1.5", "expected a whole number"),
        (DownloadOptions, "robots", "maybe", "expected true or false"),
        (DownloadOptions, "query", "\udcff", r"stage.query = '\udcff': expected a list, a,b,c"),  # no UTF-8
        (DownloadOptions, "query", "a\0b", r"stage.query = 'a\x00b': expected a list, a,b,c"),  # no process takes it
        (GanOptions, "epochs", "9" * 400, "9': expected a whole number"),  # more than a float can hold
    ],
)
def test_text_of_another_form_is_answered_with_what_is_accepted(options, name, text, says):
    with pytest.raises(UserError) as caught:
        read(options, name, text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"sources": ("demo", "bong")},
            "sources = 'demo,bong': expected one or more of .*; did you mean 'bing' for 'bong'",
        ),
        ({"sources": ("demo", "xyzzy")}, "sources = 'demo,xyzzy': expected one or more of .*separated by commas"),
    ],
)
def test_a_wrong_choice_is_shown_as_it_was_written_with_the_nearest(wrong, says):
    with pytest.raises(UserError, match=says) as caught:
        DownloadOptions(**wrong)
    assert ("did you mean" in str(caught.value)) == ("did you mean" in says)


def test_a_wrong_choice_of_one_is_answered_with_the_nearest():
    with pytest.raises(
        UserError, match=r"fit = 'squach': expected one of crop, .*; did you mean 'squash' for 'squach'\?"
    ):
        NormalizeOptions(fit="squach")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"gan has no option 'epohcs'; did you mean 'epochs'\?"):
        field_of(GanOptions, "epohcs", "gan")


def test_a_name_in_other_capitals_is_found_as_the_nearest():
    assert nearest("MOBILENET", ["MobileNet", "VGG19"]) == "did you mean 'MobileNet'?"
    assert similar("cats", ["Cats", "dogs"]) == "Cats"


@pytest.mark.parametrize(
    ("annotation", "means"),
    [
        (int, ValueType(base_type=int)),
        (float | None, ValueType(base_type=float, may_be_none=True)),
        (Literal["a", "b"], ValueType(base_type=str, choices=("a", "b"))),
        (tuple[int, ...], ValueType(base_type=int, is_list=True)),
        (tuple[Literal["a"], ...], ValueType(base_type=str, choices=("a",), is_list=True)),
    ],
    ids=str,
)
def test_the_type_of_a_field_is_read_from_its_annotation(annotation, means):
    assert value_type(annotation) == means


def test_bounds_are_written_out_as_people_write_numbers():
    assert bounds(Field(1, ge=-1, le=178_000_000)) == ["at least -1", "at most 178000000"]
    assert bounds(Field(1.0, ge=0.001)) == ["at least 0.001"]
    assert bounds(Field(1.0)) == []


def test_an_option_says_what_it_accepts_with_its_default_as_the_example():
    class Some(Options):
        whole: int | None = option(None, "", low=1)
        truth: bool = option(True, "")
        names: tuple[str, ...] = option(("a", "b"), "")

    assert [expected(field) for field in Some.model_fields.values()] == [
        "a whole number, at least 1, or auto",
        "true or false, for example true",
        "a list, a,b,c, for example a,b",
    ]


def test_options_and_definitions_are_strict_alike():
    assert issubclass(Options, StrictModel)
    assert issubclass(Part, StrictModel)
    assert Options.model_config == Part.model_config


def test_an_unknown_name_is_the_first_mistake_as_it_may_cause_the_others():
    with pytest.raises(ValidationError) as caught:
        Definition(batch=0, lss="hinge")
    assert first_mistake(caught.value)["loc"] == ("lss",)
