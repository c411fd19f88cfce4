"""The outcome of a response, and whether it is still valid in a later crawl."""

import io

import pytest
from PIL import Image

from pipeline.crawl.outcome import Candidate, Outcome, is_still_valid, of_response
from pipeline.crawl.request import Response
from pipeline.crawl.storage import HEAD_BYTES, MEMORY_BYTES, PictureStorage
from pipeline.options import DownloadOptions
from tests.crawl.tiff import big_tiff_header

TODAY = DownloadOptions()


def stored_response(tmp_path, data):
    return Response(url="", data=PictureStorage(tmp_path).receive([data]), status=200)


@pytest.mark.parametrize(("comments", "least"), [(2, 2 * HEAD_BYTES - 10), (5, MEMORY_BYTES)])
def test_image_size_is_read_from_a_late_header(tmp_path, comments, least):
    blob = io.BytesIO()
    Image.new("RGB", (7, 5)).save(blob, "JPEG")
    comment = b"\xff\xfe\xff\xff" + bytes(0xFFFD)
    data = blob.getvalue()[:2] + comments * comment + blob.getvalue()[2:]
    assert len(data) > least
    outcome = of_response(stored_response(tmp_path, data), TODAY)
    assert (outcome.outcome, outcome.width, outcome.height, outcome.bytes) == ("saved", 7, 5, len(data))


def test_too_many_pixels_are_rejected_from_the_header(tmp_path):
    blob = io.BytesIO()
    Image.new("L", (40, 30)).save(blob, "PNG")
    for most, outcome in ((1199, "rejected"), (1200, "saved")):
        assert (
            of_response(stored_response(tmp_path, blob.getvalue()), DownloadOptions(max_pixels=most)).outcome == outcome
        )


SAVED = {"outcome": "saved", "bytes": 500, "width": 20, "height": 20}


@pytest.mark.parametrize(
    ("outcome", "options", "holds"),
    [
        (SAVED, {}, True),
        (SAVED, {"max_bytes": 499}, False),
        (SAVED, {"max_pixels": 399}, False),
        ({"outcome": "failed", "reason": "HTTP 404"}, {}, True),
        ({"outcome": "failed", "reason": "timeout", "passing": True}, {}, False),
        ({"outcome": "rejected", "reason": "robots.txt"}, {}, False),
        ({"outcome": "rejected", "reason": "robots.txt: 90 s between requests"}, {}, False),
        ({"outcome": "rejected", "reason": "private address"}, {}, False),
        ({"outcome": "rejected", "reason": "bad address"}, {}, False),
        ({"outcome": "rejected", "reason": "X-Robots-Tag: noai"}, {}, True),
        ({"outcome": "rejected", "reason": "X-Robots-Tag: noai"}, {"robots": False}, False),
        ({"outcome": "rejected", "reason": "too large", "bytes": 600}, {"max_bytes": 500}, True),
        ({"outcome": "rejected", "reason": "too large", "bytes": 600}, {"max_bytes": 700}, False),
        ({"outcome": "rejected", "reason": "too large"}, {}, True),
        ({"outcome": "rejected", "reason": "too many pixels", "bytes": 80}, {}, True),
        ({**SAVED, "outcome": "rejected", "reason": "too many pixels"}, {"max_pixels": 399}, True),
        ({**SAVED, "outcome": "rejected", "reason": "too many pixels"}, {}, False),
    ],
)
def test_is_still_valid_depends_on_outcome_and_options(outcome, options, holds):
    assert is_still_valid(Outcome(**outcome), DownloadOptions(**options)) == holds


def test_candidate_replaces_text_that_cannot_be_encoded():
    found = Candidate(url="http://a.example/1", fetch_url="x", title="cat \ud83d", creator=["a"], license=None)
    assert (found.title, found.creator, found.license) == ("cat ?", "", "")


def test_candidate_text_has_no_control_characters_and_limited_length():
    said = {"title": "\x1b[31mcat\u202egpj.exe", "creator": "A" * 10_000, "license": "by\nsa", "page": "http://a/\x9b"}
    found = Candidate(url="x:\x1b", fetch_url="x", **said)
    assert (found.title, found.license, found.page, found.url) == (
        "[31mcatgpj.exe",
        "by sa",
        "http://a/%C2%9B",
        "x:%1B",
    )
    assert len(found.creator) == 300


def test_implausible_width_is_too_many_pixels_without_a_width(tmp_path):
    assert of_response(stored_response(tmp_path, big_tiff_header(2**33)), TODAY).width == 2**33
    outcome = of_response(stored_response(tmp_path, big_tiff_header(2**63)), TODAY)
    assert (outcome.outcome, outcome.reason, outcome.width) == ("rejected", "too many pixels", None)
    assert is_still_valid(outcome, TODAY)
