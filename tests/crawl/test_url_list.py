"""Lists of URLs: texts and tables give the same rows, and what cannot be read is said."""

import gzip

import pytest

from pipeline.crawl.columns import Columns
from pipeline.crawl.url_list import ListedUrl, UrlList
from pipeline.errors import UserError

URL = "http://a.example/"
NONE = Columns({})


def listed(path, content: str | bytes, columns=NONE, **limit) -> UrlList:
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return UrlList(path, columns, **limit)


@pytest.mark.parametrize("name", ["list.txt", "list", "list.txt.gz"])
def test_a_text_has_one_url_on_each_line(tmp_path, name):
    found = listed(tmp_path / name, f"\ufeff# a comment\r\n\r\n {URL}1 \r\nno address\n{URL}2")
    assert [row.address for row in found] == [URL + "1", "no address", URL + "2"]
    assert found.faults.words() == ""


def test_a_table_also_says_what_is_known_of_each_picture(tmp_path):
    head = "class,author,licence,page_url,caption,image_url\n"
    found = listed(
        tmp_path / "list.csv.gz", f"{head}7,me,CC0,http://p.example/,ピカ, {URL}1 \n,,,javascript:x,,{URL}2\n"
    )
    assert [*found] == [
        ListedUrl(URL + "1", title="ピカ", page="http://p.example/", license="CC0", creator="me", category="7"),
        ListedUrl(URL + "2"),
    ]


def test_each_iteration_reads_and_counts_anew(tmp_path):
    found = listed(tmp_path / "list.jsonl", f'{{"url": "{URL}1"}}\n{{"url": null}}\n{{"title": "x"}}\n3\n')
    for _ in range(2):
        assert [row.address for row in found] == [URL + "1"]
        assert found.faults.words() == "3 rows could not be used, the first: line 2 has no URL"


@pytest.mark.parametrize("name", ["list.csv", "list.txt"])
def test_no_more_rows_are_read_than_the_limit(tmp_path, name):
    rows = [f"{URL}{number}" for number in range(4)]
    content = "\n".join((["url"] if name.endswith("csv") else []) + rows)
    for limit, said in ((3, "only the first 3 rows are read"), (4, "")):
        found = listed(tmp_path / name, content, limit=limit)
        assert [row.address for row in found] == rows[:limit]
        assert found.faults.words() == said


@pytest.mark.parametrize(
    ("name", "content", "given", "says"),
    [
        ("list.txt", "# nothing\n\n", (), "the file contains no URL; write one per line"),
        ("list.txt", URL, ("url=link",), "it is a text without columns; columns is for csv, tsv, jsonl and parquet"),
        ("list.csv", f"{URL}1\n{URL}2\n", (), f"no column is called url: there are the columns {URL}1; name it, for"),
        ("list.csv", "url\n,\n", (), "1 row could not be used, the first: line 2 has no URL"),
        ("list.csv", "url\n", (), "the file contains no URL"),
        ("list.csv", "url,text\n", ("title=txt",), "title=txt: there are the columns url, text; did you mean 'text'?"),
        ("list.jsonl", f"{URL}1\n", (), "line 1 is not a JSON object; write a JSON object on each line"),
        (
            "list.json",
            f'[{{"url": "{URL}"}},\n{{"url": "{URL}"}}]',
            (),
            "2 rows could not be used, the first: line 1 is",
        ),
        ("list.csv", "", (), "it is empty, or has no columns"),
        ("list.csv", f"url\n{URL}1\n".encode("utf-16"), (), "its text is UTF-16; save it as UTF-8"),
        ("list.txt", f"{URL}1\n".encode("utf-16"), (), "its text is UTF-16; save it as UTF-8"),
    ],
)
def test_a_list_that_cannot_be_read_is_one_line(tmp_path, name, content, given, says):
    with pytest.raises(UserError) as caught:
        listed(tmp_path / name, content, Columns.parse(given)).check("source 'urls'")
    assert str(caught.value).startswith("source 'urls': ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["list.txt.gz", "list.csv.gz"])
def test_a_damaged_gzip_file_without_a_row_is_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x1f\x8bno gzip")
    with pytest.raises(UserError, match="the rest cannot be read, the file is damaged"):
        UrlList(tmp_path / name, NONE).check("source 'urls'")
