"""docs/settings.md has every setting with its default."""

import dataclasses
from pathlib import Path

import pytest

from pipeline.options import STAGE_OPTIONS
from pipeline.options.option import as_json

PAGE = (Path(__file__).parent.parent / "docs" / "settings.md").read_text(encoding="utf-8")


def settings_rows() -> list[str]:
    """The table of settings, row by row, as it should be."""
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
    assert row in PAGE.splitlines()
