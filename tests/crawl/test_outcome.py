"""What a body comes to, and whether it still holds on another day."""

import io
import struct

import pytest
from PIL import Image

from pipeline.crawl.outcome import Candidate, Outcome, of_body, still_holds
from pipeline.crawl.request import Response
from pipeline.crawl.storage import HEAD, PictureStorage
from pipeline.options import DownloadOptions

TODAY = DownloadOptions()


def received(tmp_path, data):
    return Response(url="", data=PictureStorage(tmp_path).receive([data]), status=200)


def test_the_size_is_read_however_late_the_header_gives_it(tmp_path):
    blob = io.BytesIO()
    Image.new("RGB", (7, 5)).save(blob, "JPEG")
    comment = b"\xff\xfe\xff\xff" + bytes(0xFFFD)
    data = blob.getvalue()[:2] + 2 * comment + blob.getvalue()[2:]
    assert len(data) > 2 * HEAD - 10
    outcome = of_body(received(tmp_path, data), TODAY)
    assert (outcome.outcome, outcome.width, outcome.height, outcome.bytes) == ("saved", 7, 5, len(data))


def test_more_pixels_than_may_be_are_rejected_by_the_header(tmp_path):
    blob = io.BytesIO()
    Image.new("L", (40, 30)).save(blob, "PNG")
    for most, outcome in ((1199, "rejected"), (1200, "saved")):
        assert of_body(received(tmp_path, blob.getvalue()), DownloadOptions(max_pixels=most)).outcome == outcome


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
def test_what_settings_judge_otherwise_today_is_asked_for_again(outcome, options, holds):
    assert still_holds(Outcome(**outcome), DownloadOptions(**options)) == holds


def test_what_pages_say_is_text_that_can_be_written_down():
    found = Candidate(url="http://a.example/1", address="x", title="cat \ud83d", creator=["a"], license=None)
    assert (found.title, found.creator, found.license) == ("cat ?", "", "")


def test_what_pages_say_steers_no_terminal_and_is_no_longer_than_a_line():
    said = {"title": "\x1b[31mcat\u202egpj.exe", "creator": "A" * 10_000, "license": "by\nsa", "page": "http://a/\x9b"}
    found = Candidate(url="x:\x1b", address="x", **said)
    assert (found.title, found.license, found.page, found.url) == (
        "[31mcatgpj.exe",
        "by sa",
        "http://a/%C2%9B",
        "x:%1B",
    )
    assert len(found.creator) == 300


def big_tiff(width):
    """The header of a BigTIFF with a width of 64 bits."""
    entries = [(256, 16, 1, width), (257, 16, 1, 1), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 16, 1, 300), (277, 3, 1, 1), (278, 3, 1, 1), (279, 16, 1, 1)]
    return (
        struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, len(entries))
        + b"".join(struct.pack("<HHQQ", *entry) for entry in entries)
        + bytes(200)
    )


def test_a_width_that_no_archive_can_hold_is_too_many_pixels_with_no_number(tmp_path):
    assert of_body(received(tmp_path, big_tiff(2**33)), TODAY).width == 2**33
    outcome = of_body(received(tmp_path, big_tiff(2**63)), TODAY)
    assert (outcome.outcome, outcome.reason, outcome.width) == ("rejected", "too many pixels", None)
    assert still_holds(outcome, TODAY)
