"""A wrong setting is one line that says what would do."""

import dataclasses

import pytest

from pipeline.errors import UserError
from pipeline.options import STAGE_OPTIONS, DownloadOptions, FilterOptions, GanOptions, NormalizeOptions
from pipeline.options.option import field_of, parse


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
        (GanOptions, "epochs", "ten", "stage.epochs = 'ten': expected a whole number, at least 1, for example 100"),
        (GanOptions, "epochs", "1.5", "expected a whole number"),
        (DownloadOptions, "robots", "maybe", "expected true or false"),
    ],
)
def test_text_that_does_not_fit_is_answered_with_what_would(options, name, text, says):
    with pytest.raises(UserError) as caught:
        read(options, name, text)
    assert says in str(caught.value)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UserError, match=r"gan has no option 'epohcs'; did you mean 'epochs'\?"):
        field_of(GanOptions, "epohcs", "gan")


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (GanOptions, {"epochs": 0}),
        (GanOptions, {"epochs": True}),
        (FilterOptions, {"threshold": 1.5}),
        (FilterOptions, {"precision": float("nan")}),
        (NormalizeOptions, {"fit": "stretch"}),
        (DownloadOptions, {"sources": ("bing", "ask")}),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(options, values):
    (name,) = values
    with pytest.raises(UserError, match=f"{name} = .*expected"):
        options(**values)


def test_every_option_says_what_it_is_for_and_has_a_default_that_holds():
    for options in STAGE_OPTIONS.values():
        made = options()
        assert options.__doc__
        for field in dataclasses.fields(made):
            assert field.metadata["help"], f"{options.__name__}.{field.name}"


def test_what_only_changes_the_speed_is_left_out_of_the_key():
    assert DownloadOptions(connections=1).significant() == DownloadOptions(connections=9).significant()
    assert DownloadOptions(limit=1).significant() != DownloadOptions(limit=9).significant()
