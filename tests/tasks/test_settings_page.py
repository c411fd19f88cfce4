"""docs/settings.md says what the options are today."""

import re
from pathlib import Path

import pytest

from pipeline.option_types import as_json
from pipeline.options import STAGE_OPTIONS
from tasks.cli import build_parser, main
from tasks.settings_page import as_markdown

PAGE = (Path(__file__).parent.parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")


def settings_rows() -> list[str]:
    """How the row of each setting begins and ends, without what it accepts."""
    rows = []
    for stage, options in STAGE_OPTIONS.items():
        for name, field in options.model_fields.items():
            value = as_json(field.default)
            shown = ",".join(value) if isinstance(value, list) else "auto" if value is None else str(value).lower()
            default = f"`{shown}`" if shown else ""
            rows.append(f"| `{stage}.{name}` | {default} | {field.description} |")
    return rows


@pytest.mark.parametrize("row", settings_rows(), ids=lambda row: row.split("`")[1])
def test_every_setting_is_in_the_table_with_its_default(row):
    without_bounds = (re.sub(r" \| [^|]* \| (?=[^|]*\|$)", " | ", line) for line in PAGE.splitlines())
    assert row in [line.replace(r"`\*", "`") for line in without_bounds]


def test_the_committed_page_is_up_to_date(capsys):
    assert main(["options", "--markdown"]) == 0
    assert capsys.readouterr().out == as_markdown() == PAGE, (
        "run `python -m tasks options --markdown > docs/settings.md`"
    )


def test_bounds_are_in_the_table():
    assert "| `normalize.size` | `64` | a whole number, at least 16, at most 512 | side" in PAGE
    assert "| `filter.threshold` | `auto` | a number, at least 0, at most 1, or auto | a square" in PAGE


def test_settings_that_do_not_change_the_result_are_marked():
    assert r"| `download.connections`\* |" in PAGE
    assert "| `download.limit` |" in PAGE


def test_no_text_is_taken_for_markup():
    for line in filter(lambda line: line.startswith("| `"), PAGE.splitlines()):
        assert line.count("|") == 5, line
        assert not set(re.sub(r"`[^`]*`", "", line)) & set("<>`_"), line


def test_every_flag_that_the_page_names_is_there():
    parser, parsers = build_parser()
    known = {flag for each in [parser, *parsers.values()] for flag in each.flags()}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE)) <= known | {"--options", "--module", "--local-scheduler"}
