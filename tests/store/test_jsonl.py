import re

import pytest

from pipeline.errors import DamagedState
from pipeline.store.jsonl import read_rows, timestamp, write_rows


def test_read_rows_returns_the_written_rows(tmp_path):
    rows = [{"title": "ピカチュウ\n2"}, {"n": 1, "none": None}]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert list(read_rows(tmp_path / "rows.jsonl")) == rows


@pytest.mark.parametrize("line", ['{"n": 1', '{"n": 1}', "[1]\n", "\n", "\x00\n"])
def test_incomplete_line_raises_damaged_state_with_its_number(tmp_path, line):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"n": 0}\n' + line)
    with pytest.raises(DamagedState, match=r"rows\.jsonl, line 2"):
        list(read_rows(path))


def test_timestamp_is_iso_8601_in_utc_to_the_second_or_as_asked():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", timestamp())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", timestamp("milliseconds"))
