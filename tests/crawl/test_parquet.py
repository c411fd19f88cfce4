"""Parquet files as tables, and what is said without pyarrow."""

import pytest

from pipeline.crawl import parquet
from pipeline.crawl.columns import Columns
from pipeline.crawl.tables import Faults, column_names, read_table
from pipeline.errors import UserError

pyarrow = pytest.importorskip("pyarrow", reason="needs requirements-parquet.txt")
from pyarrow import parquet as written  # noqa: E402

FIELDS = ("url", "title", "class")


def read(path, given=()):
    faults = Faults()
    rows = [dict(row) for _, row in read_table(path, Columns.parse(given), FIELDS, faults)]
    return rows, faults.words()


def test_texts_and_numbers_are_read_and_other_columns_are_not_there(tmp_path):
    table = pyarrow.table(
        {
            "URL": ["http://a.example/1", None],
            "caption": pyarrow.array(["ピカ", "ピカ"]).dictionary_encode(),
            "category": [7, None],
            "title": [["a"], []],
            "picture": [b"\xff", b"y"],
        }
    )
    written.write_table(table, tmp_path / "a.parquet")
    assert column_names(tmp_path / "a.parquet") == ["URL", "caption", "category", "picture"]
    assert read(tmp_path / "a.parquet")[0] == [
        {"url": "http://a.example/1", "title": "ピカ", "class": "7"},
        {"url": "", "title": "ピカ", "class": ""},
    ]
    assert read(tmp_path / "a.parquet", ["url=picture"])[0][0]["url"] == "�"


def test_order_is_kept_over_row_groups_and_batches(tmp_path):
    urls = [f"http://a.example/{number}" for number in range(5000)]
    written.write_table(pyarrow.table({"url": urls}), tmp_path / "a.parquet", row_group_size=1500)
    assert [row["url"] for row in read(tmp_path / "a.parquet")[0]] == urls


def test_a_text_of_megabytes_in_every_row_fills_no_memory(tmp_path):
    long = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0] * 20_000 + [1], pyarrow.int32()), ["x" * 5_000_000, "u"]
    )
    written.write_table(pyarrow.table({"url": long}), tmp_path / "bomb.parquet", compression="zstd")
    before = pyarrow.default_memory_pool().max_memory()
    rows, said = read(tmp_path / "bomb.parquet")
    assert rows == [{"url": "u"}]
    assert said == "20,000 rows could not be used, the first: row 1 is longer than 100 kB"
    assert pyarrow.default_memory_pool().max_memory() - before < 200_000_000


def test_a_row_group_that_expands_a_thousandfold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_EXPANDED_BYTES", 20_000_000)
    with written.ParquetWriter(
        tmp_path / "a.parquet", pyarrow.schema([("url", pyarrow.string())]), compression="zstd", use_dictionary=False
    ) as file:
        for urls in (["u"], ["x" * 1_000_000 + str(number) for number in range(40)], ["x" * 200_000, "end"]):
            file.write_table(pyarrow.table({"url": urls}))
    rows, said = read(tmp_path / "a.parquet")
    assert rows == [{"url": "u"}, {"url": "end"}]
    assert said == f"41 rows could not be used, the first: row 2 {parquet.BOMB}"


def test_rows_are_read_a_few_at_a_time_if_they_are_long(tmp_path, monkeypatch):
    urls = ["x" * 50_000 + str(number) for number in range(1000)]
    written.write_table(pyarrow.table({"url": urls}), tmp_path / "a.parquet", use_dictionary=False)
    counts = []
    texts = parquet._texts
    monkeypatch.setattr(parquet, "_texts", lambda values, **kind: counts.append(len(values)) or texts(values, **kind))
    assert [row["url"] for row in read(tmp_path / "a.parquet")[0]] == urls
    assert sum(counts) == 1000
    assert max(counts) * 50_000 < 17_000_000


def test_damage_is_one_line(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(UserError, match=r"^a\.parquet is damaged, or no Parquet file$"):
        column_names(tmp_path / "a.parquet")
    written.write_table(
        pyarrow.table({"url": [f"u{n}" for n in range(9000)]}), tmp_path / "b.parquet", use_dictionary=False
    )
    content = bytearray((tmp_path / "b.parquet").read_bytes())
    content[2000:6000] = b"\xff" * 4000
    (tmp_path / "b.parquet").write_bytes(content)
    assert read(tmp_path / "b.parquet") == ([], "the rest cannot be read, the file is damaged")


def test_without_pyarrow_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "PACKAGE", "no_pyarrow")
    (tmp_path / "a.parquet").touch()
    for use in (column_names, read):
        with pytest.raises(UserError, match=r"^Parquet needs a package .* `make parquet` installs it"):
            use(tmp_path / "a.parquet")
