"""The options of the stages: a wrong value is one line, and content keys have what changes the result."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import UserError
from pipeline.options import (
    STAGE_OPTIONS,
    STAGES,
    ClassifierOptions,
    DownloadOptions,
    FilterOptions,
    GanOptions,
    GenerateOptions,
    NormalizeOptions,
    parse_setting,
)


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


@pytest.mark.parametrize(
    ("options", "values", "says"),
    [
        (GanOptions, {"epochs": 0}, "epochs = 0: expected a whole number, at least 1, or auto"),
        (FilterOptions, {"threshold": 1.5}, "threshold = 1.5: expected a number, at least 0, at most 1, or auto"),
        (ClassifierOptions, {"backbone": 5}, "backbone = 5: expected text, for example auto"),
        (
            DownloadOptions,
            {"sources": ("bing", "ask")},
            "sources = 'bing,ask': expected one or more of demo, bing, openverse, baidu, google, site, urls,"
            " folder, imagefolder, webdataset, separated by commas, for example bing,openverse",
        ),
        (
            NormalizeOptions,
            {"max_pixels": 10**9},
            "max_pixels = 1000000000: expected a whole number, at least 1, at most 178000000, for example 100000000",
        ),
        (
            NormalizeOptions,
            {"background": "whit"},
            "background = 'whit': expected a colour, for example white or #ffeedd",
        ),
        (
            GenerateOptions,
            {"film": 1},
            "film = 1: expected 0 for none, or at least 2 samples to pass between, for example 5",
        ),
        (GanOptions, {"epohcs": 5}, "there is no option 'epohcs'; did you mean 'epochs'?"),
        (GanOptions, {"seed": -1, "epohcs": 5}, "there is no option 'epohcs'; did you mean 'epochs'?"),
    ],
    ids=str,
)
def test_the_first_mistake_is_told_in_one_line(options, values, says):
    with pytest.raises(UserError) as caught:
        options(**values)
    assert str(caught.value) == says


def test_every_option_says_what_it_is_for_and_has_a_default_that_holds():
    for options in STAGE_OPTIONS.values():
        made = options(**vars(options()))  # given values are checked, defaults alone are not
        assert made == options()
        assert options.__doc__
        for name, field in options.model_fields.items():
            assert field.description, f"{options.__name__}.{name}"


def test_options_are_immutable_and_hashable():
    made = GanOptions(epochs=7)
    with pytest.raises(ValidationError, match="frozen"):
        made.epochs = 8
    assert len({made, GanOptions(epochs=7), GanOptions(epochs=8)}) == 2


def test_a_whole_number_for_a_float_has_the_same_content_key_as_the_float():
    assert repr(FilterOptions(precision=1).significant()["precision"]) == "1.0"


def test_significant_values_are_json_in_the_order_of_the_class():
    assert list(GenerateOptions().significant()) == ["count", "grid", "seed", "truncation", "film", "frames"]
    assert DownloadOptions(query=("a", "b")).significant()["query"] == ["a", "b"]


def test_what_only_changes_the_speed_is_left_out_of_the_key():
    assert DownloadOptions(connections=1).significant() == DownloadOptions(connections=9).significant()
    assert DownloadOptions(limit=1).significant() != DownloadOptions(limit=9).significant()


def test_an_option_that_was_added_changes_the_key_only_if_it_is_given():
    assert not DownloadOptions().significant().keys() & {"columns", "imagefolder", "webdataset"}
    assert DownloadOptions(columns=("url=link",)).significant()["columns"] == ["url=link"]


@pytest.mark.parametrize("text", ["link", "urls=link", "url=", "=link", "url=link,title"])
def test_columns_are_fields_of_a_row_with_a_name_each(text):
    with pytest.raises(UserError, match=r"columns = .*: expected field=column, separated by commas, for example"):
        parse_setting("download", "columns", text, "columns")


def test_the_stages_are_in_the_order_in_which_each_reads_from_those_before_it():
    assert STAGES == ("download", "normalize", "classifier", "filter", "gan", "generate", "report")


def test_importing_the_options_loads_no_library_of_a_stage():
    heavy = {"numpy", "cv2", "PIL", "luigi", "sklearn", "tensorflow", "keras"}
    code = (
        f"import sys, pipeline.options as o; [c() for c in o.STAGE_OPTIONS.values()]; print({heavy} & {{*sys.modules}})"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "set()"
