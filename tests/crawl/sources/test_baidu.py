"""Baidu's responses: small ones in the format of the service."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from pipeline.crawl.request import RequestFault, Response
from pipeline.crawl.sources.baidu import CIPHER_LETTERS, CIPHER_SIGNS, BaiduSource, decipher
from pipeline.options import DownloadOptions

# A pair from a real response
CIPHERTEXT = "ippr_z2C$qAzdH3FAzdH3Ft42d_z&e3Bkwt17_z&e3Bv54AzdH3Ft4w2j_fjw6viAzdH3Ff6v=ippr%nA%dF%dF0123"
DECIPHERED = "http://img2.baidu.com/image_search/src=http%3A%2F%2F7dgj"


def encipher(address):
    """A URL in Baidu's cipher."""
    signs = {clear: sign for sign, clear in CIPHER_SIGNS.items()}
    letters = {clear: chr(cipher) for cipher, clear in ((key, chr(value)) for key, value in CIPHER_LETTERS.items())}
    return "".join(signs.get(letter) or letters.get(letter, letter) for letter in address)


def fake_result(number, **changes):
    found = {
        "objURL": encipher(f"http://pic.example.com/{number}.jpg"),
        "fromURL": encipher(f"http://page.example.com/{number}"),
        "fromPageTitle": f"<strong>皮卡丘</strong> no. {number}",
        "fromPageTitleEnc": f"皮卡丘 no. {number}",
        "thumbURL": f"https://img.example.com/{number}-thumb.jpg",
    }
    return found | changes


def fake_response(*rows, text=None):
    return Response(url="", data=(text or json.dumps({"queryExt": "x", "listNum": 99, "data": [*rows, {}]})).encode())


@pytest.fixture
def source():
    return BaiduSource(DownloadOptions(), "皮卡丘")


def test_decipher_decodes_cipher_and_keeps_plain_urls():
    assert decipher(CIPHERTEXT) == DECIPHERED
    assert decipher(DECIPHERED) == DECIPHERED


def test_result_has_picture_page_and_title_not_thumbnail(source):
    (found,) = source.results(fake_response(fake_result(1)))
    assert (found.url, found.page) == ("http://pic.example.com/1.jpg", "http://page.example.com/1")
    assert found.title == "皮卡丘 no. 1"


def test_original_is_read_from_replace_url(source):
    original = {"ObjURL": "https://pic.example.com/2.webp", "FromURL": "https://page.example.com/2"}
    (found,) = source.results(fake_response(fake_result(2, objURL="", fromURL="", replaceUrl=[original])))
    assert (found.url, found.page) == ("https://pic.example.com/2.webp", "https://page.example.com/2")


def test_copy_is_used_if_original_is_missing(source):
    (found,) = source.results(fake_response(fake_result(3, objURL="", replaceUrl=None)))
    assert found.url == "https://img.example.com/3-thumb.jpg"


def test_invalid_json_escapes_are_parsed(source):
    text = json.dumps({"data": [fake_result(1)]}).replace("no. 1", "Ash\\'s")
    (found,) = source.results(fake_response(text=text))
    assert found.title.endswith("Ash's")


@pytest.mark.parametrize("payload", [{"data": [1, None, {"objURL": 5}, {"objURL": "zzz"}]}, {"data": []}])
def test_invalid_results_are_omitted(source, payload):
    assert source.results(fake_response(text=json.dumps(payload))) == []


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
def test_refusal_is_a_fault_with_a_reason(source, text, says):
    got = source.parse(fake_response(text=text), "")
    assert isinstance(got, RequestFault)
    assert got.reason == says


def test_paging_stops_after_a_page_without_new_results(source):
    first = source.parse(fake_response(fake_result(1), fake_result(2)), "")
    second = source.parse(fake_response(fake_result(2)), "")
    query = parse_qs(urlsplit(first.links[0]).query)
    assert (query["word"], query["pn"]) == (["皮卡丘"], ["2"])
    assert second.links == []
