"""The README says what the code does today."""

import dataclasses
import re
from pathlib import Path

import pytest

from pipeline.options import STAGE_OPTIONS
from pipeline.options.option import as_json
from tasks.cli import build_parser

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def settings_rows() -> list[str]:
    """The README's table of settings, row by row, as it should be."""
    rows = []
    for stage, options in STAGE_OPTIONS.items():
        for field in dataclasses.fields(options):
            value = as_json(field.default)
            shown = ",".join(value) if isinstance(value, list) else "auto" if value is None else str(value).lower()
            default = f"`{shown}`" if shown else ""
            rows.append(f"| `{stage}.{field.name}` | {default} | {field.metadata['help']} |")
    return rows


@pytest.mark.parametrize("row", settings_rows(), ids=lambda row: row.split("`")[1])
def test_every_setting_is_in_the_table_with_its_default(row):
    assert row in README.splitlines()


def test_every_flag_and_command_that_the_readme_names_is_there():
    parser, parsers = build_parser()
    known = {flag for each in [parser, *parsers.values()] for flag in each.flags()}
    known |= {"--options", "--module", "--local-scheduler"}  # luigi's
    known |= {"--now"}  # systemctl's
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) <= known


def test_every_make_target_that_the_readme_names_is_there():
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z]+)\b", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_path_that_the_readme_links_is_there():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (REPOSITORY / path).exists(), path
