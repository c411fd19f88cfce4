"""Tables are read as streams, within limits; rows that cannot be read are counted and the others used."""

import gzip
import json
import tracemalloc

import pytest

from pipeline.crawl import tables
from pipeline.crawl.columns import Columns
from pipeline.crawl.tables import Faults, column_names, read_table, table_kind

FIELDS = ("url", "title")
URL = "http://a.example/"


@pytest.fixture
def read(tmp_path):
    """`read(name, content)`: the rows of a file with this content, and what could not be read."""

    def read(name: str, content: str | bytes) -> tuple[list[dict[str, str]], str]:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        faults = Faults()
        rows = [dict(row) for _, row in read_table(tmp_path / name, Columns({}), FIELDS, faults)]
        return rows, faults.words()

    return read


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", "csv"),
        ("a.TSV.GZ", "csv"),
        ("a.jsonl", "json"),
        ("a.ndjson.gz", "json"),
        ("a.parquet", "parquet"),
        ("a.parquet.gz", ""),
        ("a.txt", ""),
        ("a.txt.gz", ""),
        ("csv", ""),
    ],
)
def test_the_name_says_what_a_file_is(tmp_path, name, kind):
    assert table_kind(tmp_path / name) == kind


ROWS = [{"url": URL + "1", "title": 'a "cat", two'}, {"url": URL + "2", "title": "ピカ"}]
SAME = {
    "a.csv": f'url,title\n{URL}1,"a ""cat"", two"\n\n{URL}2,ピカ\n',
    "a.csv.gz": f'\ufeffURL;Caption\r\n{URL}1;"a ""cat"", two"\r\n{URL}2;ピカ',
    "a.tsv": f'title\turl\n"a ""cat"", two"\t{URL}1\nピカ\t{URL}2\n',
    "a.jsonl": "\n\n".join(map(json.dumps, ROWS)),
    "a.ndjson.gz": "".join(json.dumps({"n": [1], **row}) + "\n" for row in ROWS),
}


@pytest.mark.parametrize("name", SAME)
def test_rows_are_the_same_in_every_form(read, name):
    assert read(name, SAME[name]) == (ROWS, "")


def test_columns_are_those_of_the_head_or_of_the_first_objects(tmp_path):
    (tmp_path / "a.csv").write_text(" url ,b\n1,2\n")
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n{"b": 2, "a": 3}\n')
    (tmp_path / "empty.csv").write_text("")
    assert column_names(tmp_path / "a.csv") == ["url", "b"]
    assert column_names(tmp_path / "a.jsonl") == ["a", "b"]
    assert column_names(tmp_path / "empty.csv") == []


def test_a_title_with_a_comma_that_moves_the_columns_is_counted(read):
    rows, said = read("a.csv", f"title,url\na cat, sitting,{URL}1\na dog,{URL}2\nshort\n{URL},,,\n")
    assert [row.get("url", "") for row in rows] == [URL + "2", "", ""]
    assert said == "1 row could not be used, the first: line 2 has 3 values for 2 columns"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "is not a JSON object"),
        ("{", "is not a JSON object"),
        ("[" * 50_000, "is not a JSON object"),
        ('{"n": ' + "9" * 50_000 + "}", "is not a JSON object"),
        ('{"title": "' + "x" * 100_000 + '"}', "is longer than 100 kB"),
        ("http://a.example/1.jpg", "is not a JSON object"),
    ],
)
def test_a_line_that_is_no_object_is_counted_and_the_next_ones_are_read(read, line, reason):
    rows, said = read("a.jsonl", f'{line}\n{{"url": "{URL}"}}\n{line}\n')
    assert rows == [{"url": URL}]
    assert said == f"2 rows could not be used, the first: line 1 {reason}"


def test_an_endless_line_costs_one_row(read):
    rows, said = read("a.csv", f"url\n{'x' * 3_000_000}\n{URL}1\n")
    assert (rows, said) == (
        [{"url": URL + "1"}],
        "1 row could not be used, the first: line 2 is longer than 100 kB",
    )


@pytest.mark.parametrize("count", [20, 20_000])  # less and more than one record may have
def test_a_quote_without_an_end_costs_its_line_only(read, count):
    lines = "".join(f"{URL}{number},cat\n" for number in range(count))
    rows, said = read("a.csv", f'url,title\n{URL}first,"5 foot cat\n{lines}')
    assert [row["url"] for row in rows] == [f"{URL}{number}" for number in range(count)]
    assert said == "1 row could not be used, the first: line 2 has a quote that is not closed"


def test_a_quote_that_the_quote_of_another_row_closes_costs_its_line_only(read):
    lines = ['1,"5 foot cat', "2,cat", '3,"a ""cat"", two"', '4,"two\nlines"']
    rows, said = read("a.csv", "url,title\n" + "".join(f"{URL}{line}\n" for line in lines))
    assert [row["url"] for row in rows] == [URL + "2", URL + "3", URL + "4"]
    assert rows[-1]["title"] == "two\nlines"
    assert said == "1 row could not be used, the first: line 2 has a quote that is not closed"


def test_a_record_of_endless_quoted_fields_ends_and_all_its_lines_are_counted(read, monkeypatch):
    monkeypatch.setattr(tables, "MAX_REPEATED_BYTES", 1_000_000)
    rows, said = read("a.csv", 'url\n"a\n' + 'b","c\n' * 40_000)
    assert said.startswith("40,001 rows could not be used, the first: line 2 has a quote that is not closed")
    assert rows == []


def test_a_gzip_bomb_of_one_line_ends_and_fills_no_memory(read, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_EXPANDED_BYTES", 1 << 25)
    with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"url\n")
        for _ in range(50):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    faults = Faults()
    rows = [*read_table(tmp_path / "bomb.csv.gz", Columns({}), FIELDS, faults)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == []
    assert faults.end.startswith("the rest is not read, it expands to more than")
    assert faults.first == "line 2 is longer than 100 kB"
    assert peak < 5_000_000


def test_a_gzip_bomb_of_empty_lines_ends(read, monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINES", 1000)
    rows, said = read("bomb.jsonl.gz", f'{{"url": "{URL}"}}\n' + "\n" * 100_000)
    assert (rows, said) == ([{"url": URL}], "only the first 1,000 lines are read")


@pytest.mark.parametrize("cut", [-4, -200, 12])
def test_a_damaged_gzip_file_gives_the_rows_before_the_damage(tmp_path, cut):
    content = gzip.compress("".join(f'{{"url": "{URL}{number}"}}\n' for number in range(500)).encode())
    (tmp_path / "a.jsonl.gz").write_bytes(content[:cut])
    faults = Faults()
    rows = [*read_table(tmp_path / "a.jsonl.gz", Columns({}), FIELDS, faults)]
    assert len(rows) <= 500
    assert faults.end == "the rest cannot be read, the file is damaged"
    (tmp_path / "a.jsonl.gz").write_bytes(b"\x1f\x8bno gzip")
    assert [*read_table(tmp_path / "a.jsonl.gz", Columns({}), FIELDS, faults)] == []


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz"])
@pytest.mark.parametrize("content", [b"", b"\0" * 500, b"\xff\xfeu\0r\0l\0", b'"', b"\n\n", bytes(range(256)) * 40])
def test_no_content_raises(read, name, content):
    read(name, content)
