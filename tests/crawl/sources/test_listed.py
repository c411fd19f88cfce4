"""The source `urls`: what a list says of a picture reaches its row."""

import gzip
import json
import tracemalloc

import pytest

from pipeline.crawl.sources.listed import UrlsSource
from pipeline.store import jsonl


@pytest.fixture
def rows(run):
    """Download a list; its rows and the notices."""

    def download(path, **options):
        result, folder = run(sources=("urls",), urls=str(path), **options)
        return list(jsonl.read_rows(folder / "images.jsonl")), result.summary["notices"]

    return download


def test_metadata_of_a_table_reach_the_rows(tmp_path, site, rows):
    first, second = site.pictures(2)
    listed = tmp_path / "list.csv"
    listed.write_text(
        "link,words,license,creator,page,class\n"
        f'{site.url}{second},"a cat, \x1b[31msitting",CC0,me,{site.url}/p,7\n'
        f"{site.url}{first},,,,javascript:alert(1),\n"
    )
    found, _ = rows(listed, columns=("title=words", "url=link"))
    names = ("url", "title", "license", "creator", "page", "outcome", "rank")
    assert [tuple(row[name] for name in names) for row in found] == [
        (site.url + second, "a cat,  [31msitting", "CC0", "me", site.url + "/p", "saved", 1),
        (site.url + first, "", "", "", "", "saved", 2),
    ]
    assert [row.get("class") for row in found] == ["7", None]


def test_a_page_with_letters_of_any_language_does_not_hinder_its_picture(tmp_path, site, rows):
    first, second = site.pictures(2)
    pages = ["https://ja.wikipedia.example/wiki/猫", "https://a.example/" + "x" * 5000]  # one is shortened, with "…"
    listed = tmp_path / "list.jsonl"
    urls = [{"url": site.url + path, "page": page} for path, page in zip((first, second), pages, strict=True)]
    listed.write_text("".join(json.dumps(row) + "\n" for row in urls))
    found, _ = rows(listed)
    assert [row["outcome"] for row in found] == ["saved", "saved"]
    assert found[0]["page"] == "https://ja.wikipedia.example/wiki/%E7%8C%AB"


def test_each_url_is_requested_once_and_rows_that_are_no_urls_have_a_row(tmp_path, site, rows):
    (picture,) = site.pictures(1)
    listed = tmp_path / "list.jsonl.gz"
    urls = [site.url + picture, site.url + picture + "#part", "no address", None]
    listed.write_bytes(gzip.compress("".join(json.dumps({"url": url}) + "\n" for url in urls).encode()))
    found, notices = rows(listed)
    assert [(row["outcome"], row["reason"]) for row in found] == [("saved", ""), ("rejected", "not http(s)")]
    assert notices[0].startswith("urls: 1 page read in part: 1 row could not be used, the first: line 4 has no URL (/")


def test_what_the_limit_leaves_out_is_counted_once(tmp_path, site, rows):
    paths = site.pictures(400)
    listed = tmp_path / "list.csv"
    listed.write_text("url\n" + "".join(f"{site.url}{paths[number % 400]}\n" for number in range(800)))
    found, notices = rows(listed, limit=50)
    assert [row["url"] for row in found] == [site.url + path for path in paths[:50]]
    assert notices == ["urls: the limit of 50 leaves out 350"]


def test_a_list_is_read_row_by_row(tmp_path, options):
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"http://a.example/{number}\n" for number in range(50_000)))
    source = UrlsSource(options(sources=("urls",), urls=str(listed)))
    tracemalloc.start()
    count = sum(1 for _ in source.read(source.start(), None).candidates)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 50_000
    assert peak < 2_000_000, "bytes: the URLs alone would be more"
