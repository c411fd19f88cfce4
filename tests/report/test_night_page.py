"""The page and the texts of the morning: what they say, and that nothing in them is taken for markup."""

import json
import re
import struct
import zlib
from datetime import date

import pytest
from PIL import Image

from pipeline.night_record import Figures, NightSummary, Turn
from pipeline.report import night_page, night_words
from pipeline.report.night_page import Links

BEGAN = "2026-11-30T02:00:00+00:00"
HOSTILE = '<script>alert(1)</script>"\u202e'


def figures(kid: float | None = 0.4, *, measured_by: str = "one", kept: int = 25, pictures: int = 44) -> Figures:
    return Figures(pictures=pictures, kept=kept, kid=kid, kid_error=0.01, measured_by=measured_by, kept_digest="a")


def turn(outcome: str = "done", **more) -> Turn:
    given = {"subject": "cats", "began": BEGAN, "seconds": 61.0, "before": figures(0.5, kept=20, pictures=30)}
    return Turn(outcome=outcome, **{**given, "after": figures(), **more})


def summary(*turns: Turn, **more) -> NightSummary:
    return NightSummary(date=date(2026, 11, 30), began=BEGAN, ended=BEGAN, turns=turns, **more)


def page(tmp_path, *turns: Turn, links: Links | None = None, **more) -> str:
    night_page.write(summary(*turns, **more), tmp_path, links=lambda _: links or Links())
    return (tmp_path / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("before", "after", "change", "words"),
    [
        (figures(0.5), figures(0.4), "better", "KID 0.500 → 0.400: better"),
        (figures(0.4), figures(0.5), "worse", "KID 0.400 → 0.500: worse"),
        (figures(0.40), figures(0.41), "same", "KID 0.400 → 0.410: no difference beyond chance"),
        (figures(None), figures(0.4), "", "KID 0.400"),
        (figures(0.4), figures(None), "", ""),
        (figures(0.4), figures(0.4), "", "KID 0.400"),
        (figures(0.5, measured_by="two"), figures(), "", "KID 0.400; before it was measured in another way: not"),
    ],
)
def test_kids_are_compared_only_where_they_can_be(before, after, change, words):
    found = turn(before=before, after=after)
    assert night_words.kid_change(found) == change
    assert night_words.kid_words(found).startswith(words)


def test_other_kept_squares_are_named_beside_the_kid():
    after = figures().model_copy(update={"kept_digest": "b"})
    assert night_words.kid_words(turn(after=after)).endswith("better, against other kept squares")


def test_page_has_what_came_in_what_changed_and_what_it_took(tmp_path):
    shown = page(tmp_path, turn(need="never ran", bytes=3 << 30, alarms=("mode collapse",), wants="label 40 more"))
    for words in ("14 new pictures", "kept 20 → 25", "0.500 → 0.400: better", "1 min 01 s", "3.0 GiB", "never ran"):
        assert words in shown
    assert "mode collapse" in shown
    assert "label 40 more" in shown
    assert "<h2>Failed</h2>" not in shown


def test_failures_come_first_in_one_line_with_their_logs(tmp_path):
    failed = turn("killed", subject="dogs", line="signal 9", log="data/nightly/2026-11-30/logs/dogs.txt")
    shown = page(tmp_path, turn(), failed, links=Links(log="../dogs.txt"))
    assert re.search(
        r"<h2>Failed</h2>.*dogs.*killed.*signal 9.*dogs\.txt.*<h2 id=.all.>All subjects</h2>", shown, re.DOTALL
    )


def test_nothing_on_the_page_is_taken_for_markup_or_leads_elsewhere(tmp_path):
    given = {"line": HOSTILE, "need": HOSTILE, "wants": HOSTILE, "alarms": (HOSTILE,), "log": HOSTILE}
    shown = page(tmp_path, turn("failed", **given), turn("next", **given), budget=HOSTILE)
    assert "<script" not in shown
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', shown)
    assert "default-src 'none'" in shown


@pytest.mark.parametrize(
    ("columns", "size"), [(0, (256, 128)), (10, (254, 126)), (2, (318, 318)), (1, (638, 638)), (9999, (256, 128))]
)
def test_as_many_whole_samples_as_fit_are_copied_beside_the_page(tmp_path, columns, size):
    Image.new("RGB", (638, 638), "red").save(tmp_path / "grid.png")
    shown = page(tmp_path, turn(sheet=str(tmp_path / "grid.png"), columns=columns), links=Links(report="../r.html"))
    assert '<img src="cats.png" alt="Samples of cats"' in shown
    with Image.open(tmp_path / "cats.png") as copied:
        assert copied.size == size


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"x" * 40])
def test_a_sheet_that_cannot_be_read_is_left_out(tmp_path, content):
    if content is not None:
        (tmp_path / "grid.png").write_bytes(content)
    assert "<img" not in page(tmp_path, turn(sheet=str(tmp_path / "grid.png")))


def head_of(width: int, height: int) -> bytes:
    """The beginning of a PNG that claims to be so large."""
    chunks = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


@pytest.mark.parametrize("size", [(30_000, 30_000), (9_000, 9_000)])
def test_a_sheet_that_claims_to_be_huge_is_left_out(tmp_path, size):
    (tmp_path / "grid.png").write_bytes(head_of(*size))
    shown = page(tmp_path, turn(sheet=str(tmp_path / "grid.png")), turn(subject="dogs"))
    assert "<img" not in shown
    assert "dogs" in shown


def test_a_sheet_with_a_wrong_byte_never_costs_the_page(tmp_path):
    sheet = tmp_path / "grid.png"
    Image.new("RGB", (4, 4), "red").save(sheet, dpi=(72, 72))
    whole = sheet.read_bytes()
    for place in range(len(whole)):
        for wrong in (0, 255, whole[place] ^ 32):
            sheet.write_bytes(whole[:place] + bytes([wrong]) + whole[place + 1 :])
            night_page._picture(turn(sheet=str(sheet)), tmp_path)


def test_mail_has_the_same_in_plain_text_and_in_html():
    found = summary(turn(), turn("failed", subject="dogs", line="no network", log="dogs.txt"), budget="over by 2 GiB")
    text = night_words.mail_text(found, "/srv/index.html")
    assert text.startswith("night of 2026-11-30: 1 done, 1 failed\n")
    assert "Failed\n- dogs: failed in 1 min 01 s: no network" in text
    assert "over by 2 GiB" in text
    html = night_page.mail_html(found, "/srv/index.html")
    assert "<h2>Failed</h2>" in html
    assert "<b>dogs</b>: failed: no network (dogs.txt)" in html


def test_html_of_the_mail_escapes_what_others_wrote():
    assert "<script" not in night_page.mail_html(summary(turn("failed", line=HOSTILE, wants=HOSTILE)), HOSTILE)


def test_json_of_the_webhook_has_a_row_for_each_subject():
    body = night_words.as_json(summary(turn(), turn("next", subject="dogs", line="next: label 30")), "/srv/index.html")
    assert json.loads(json.dumps(body)) == body
    assert (body["version"], body["night"], body["outcome"]) == (1, "2026-11-30", "next")
    assert body["counts"] == {"done": 1, "next": 1}
    first, second = body["subjects"]
    assert (first["new_pictures"], first["kept"]) == (14, {"before": 20, "after": 25})
    assert first["kid"] == {"before": 0.5, "after": 0.4, "change": "better"}
    assert second["wants"] == "label 30"
