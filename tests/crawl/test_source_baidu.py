"""Baidu's answers: small ones of the shape that it gives."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.crawl.request import Fault, Response
from pipeline.crawl.sources.baidu import LETTERS, SIGNS, BaiduSource, plain
from pipeline.options import DownloadOptions

# A pair as it was seen
CIPHER = "ippr_z2C$qAzdH3FAzdH3Ft42d_z&e3Bkwt17_z&e3Bv54AzdH3Ft4w2j_fjw6viAzdH3Ff6v=ippr%nA%dF%dF0123"
PLAIN = "http://img2.baidu.com/image_search/src=http%3A%2F%2F7dgj"


def encoded(address):
    """An address in Baidu's cipher."""
    signs = {plainly: sign for sign, plainly in SIGNS.items()}
    letters = {plainly: chr(cipher) for cipher, plainly in ((key, chr(value)) for key, value in LETTERS.items())}
    return "".join(signs.get(letter) or letters.get(letter, letter) for letter in address)


def row(number, **changes):
    found = {
        "objURL": encoded(f"http://pic.example.com/{number}.jpg"),
        "fromURL": encoded(f"http://page.example.com/{number}"),
        "fromPageTitle": f"<strong>皮卡丘</strong> no. {number}",
        "fromPageTitleEnc": f"皮卡丘 no. {number}",
        "thumbURL": f"https://img.example.com/{number}-thumb.jpg",
    }
    return found | changes


def body(*rows, text=None):
    return Response(url="", data=(text or json.dumps({"queryExt": "x", "listNum": 99, "data": [*rows, {}]})).encode())


@pytest.fixture
def source():
    return BaiduSource(DownloadOptions(), "皮卡丘")


def test_the_cipher_is_read_and_plain_addresses_stay():
    assert plain(CIPHER) == PLAIN
    assert plain(PLAIN) == PLAIN


def test_a_result_gives_picture_page_and_title_and_never_the_thumbnail(source):
    (found,) = source.results(body(row(1)))
    assert (found.url, found.page) == ("http://pic.example.com/1.jpg", "http://page.example.com/1")
    assert found.title == "皮卡丘 no. 1"


def test_newer_answers_name_the_original_elsewhere(source):
    original = {"ObjURL": "https://pic.example.com/2.webp", "FromURL": "https://page.example.com/2"}
    (found,) = source.results(body(row(2, objURL="", fromURL="", replaceUrl=[original])))
    assert (found.url, found.page) == ("https://pic.example.com/2.webp", "https://page.example.com/2")


def test_where_no_original_is_told_baidus_own_copy_is_taken(source):
    (found,) = source.results(body(row(3, objURL="", replaceUrl=None)))
    assert found.url == "https://img.example.com/3-thumb.jpg"


def test_escapes_that_json_does_not_know_are_read(source):
    text = json.dumps({"data": [row(1)]}).replace("no. 1", "Ash\\'s")
    (found,) = source.results(body(text=text))
    assert found.title.endswith("Ash's")


@pytest.mark.parametrize("strange", [{"data": [1, None, {"objURL": 5}, {"objURL": "zzz"}]}, {"data": []}])
def test_what_is_not_understood_is_left_out(source, strange):
    assert source.results(body(text=json.dumps(strange))) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"antiFlag":1,"message":"Forbid spider access"}', "Baidu refuses: Forbid spider access"),
        ("<html>log in</html>", "not an answer of Baidu's picture search"),
        ("[]", "not an answer of Baidu's picture search"),
        ("[" * 1_000_000, "not an answer of Baidu's picture search"),
        ('{"antiFlag":1,"message":{"a":1}}', "Baidu refuses: no results"),
    ],
)
def test_a_refusal_is_a_fault_that_says_so(source, text, says):
    got = source.parse(body(text=text), "")
    assert isinstance(got, Fault)
    assert got.reason == says


def test_pages_follow_each_other_until_one_shows_nothing_new(source):
    first = source.parse(body(row(1), row(2)), "")
    second = source.parse(body(row(2)), "")
    asked = parse_qs(urlsplit(first.links[0]).query)
    assert (asked["word"], asked["pn"]) == (["皮卡丘"], ["2"])
    assert second.links == []
