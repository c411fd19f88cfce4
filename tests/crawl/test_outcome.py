"""What a body comes to, and whether it still holds on another day."""

import io

import pytest
from PIL import Image

from pipeline.crawl.answer import Body
from pipeline.crawl.outcome import Candidate, Outcome, of_body, still_holds
from pipeline.crawl.raw import HEAD, RawStore
from pipeline.options import DownloadOptions

TODAY = DownloadOptions()


def received(tmp_path, data):
    return Body(url="", data=RawStore(tmp_path).receive([data]), status=200)


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
        ({**SAVED, "outcome": "rejected", "reason": "too many pixels"}, {"max_pixels": 399}, True),
        ({**SAVED, "outcome": "rejected", "reason": "too many pixels"}, {}, False),
    ],
)
def test_what_settings_judge_otherwise_today_is_asked_for_again(outcome, options, holds):
    assert still_holds(Outcome(**outcome), DownloadOptions(**options)) == holds


def test_what_pages_say_is_text_that_can_be_written_down():
    found = Candidate(url="http://a.example/1", address="x", title="cat \ud83d", creator=["a"], license=None)
    assert (found.title, found.creator, found.license) == ("cat ?", "", "")
