"""A server that does all the harm it can: the crawl ends, the sum comes out, and what can be had is had."""

import gzip
import json
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from pathlib import Path

import pytest

LINKS = 5000
SLOW_PAGE = 10  # seconds; icrawler's downloaders leave after 5 without work
MOST = 2_000_000  # bytes of a body
# In a process of its own, whose memory is measured; 127.0.0.1 stands for the internet, what else is private stays so.
CRAWL = """
import json, sys
from pathlib import Path
from pipeline.crawl import transport
from pipeline.crawl.download import download
from pipeline.options import DownloadOptions
from tests.memory import peak_mib
private = transport.is_private
transport.is_private = lambda address: address != "127.0.0.1" and private(address)
folder, wanted = Path(sys.argv[1]), json.loads(sys.argv[2])
options = DownloadOptions(**{key: tuple(value) if isinstance(value, list) else value for key, value in wanted.items()})
before = peak_mib()
result = download(options, dataset=folder / "dataset", folder=folder / "out")
print(json.dumps({"summary": result.summary, "before": before, "peak": peak_mib()}))
"""


def crawl(tmp_path, **options):
    command = [sys.executable, "-c", CRAWL, tmp_path, json.dumps(options)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out" / "images.jsonl").read_text().splitlines()]
    return json.loads(done.stdout), rows


def stall(handler):
    """Take the request and say nothing."""
    time.sleep(30)


def babble(handler):
    """No word of HTTP."""
    handler.wfile.write(b"\0" * 100)
    handler.close_connection = True


def cut_once(answers, data):
    """Half a body, and the whole one the next time."""

    def half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.close_connection = True

    return answers.in_turn(half, answers.body(data))


def pixel_bomb():
    """A small PNG file that promises 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000)))


def gzip_bomb():
    """Some kilobytes that unpack to 100 MB."""
    return gzip.compress(bytes(100_000_000), 1)


def harm(answers):
    """Each way to do harm: what answers, and the outcome and reason that it must have."""
    png, body, in_turn = answers.png, answers.body, answers.in_turn
    bomb = gzip_bomb()
    return {
        "drip": (answers.drip, ("failed", "timeout")),
        "stall": (stall, ("failed", "timeout")),
        "forbidden": (body(b"", status=403), ("failed", "HTTP 403")),
        "missing": (body(b"", status=404), ("failed", "HTTP 404")),
        "busy": (in_turn(body(b"", status=429, Retry_After="1"), body(png(9001))), ("saved", "")),
        "broken": (in_turn(body(b"", status=500), body(png(9002))), ("saved", "")),
        "down": (body(b"", status=500), ("failed", "HTTP 500")),
        "cut once": (cut_once(answers, png(9003)), ("saved", "")),
        "cut always": (answers.cut_short, ("failed", "body cut short")),
        "wrong type": (body(png(9004), "text/html"), ("saved", "")),
        "html": (body("<html>no</html>", "image/png"), ("rejected", "not an image: html")),
        "endless": (answers.endless, ("rejected", "too large")),
        "long": (body(bytes(MOST + 1)), ("rejected", "too large")),
        "bomb": (body(bomb, Content_Encoding="gzip"), ("rejected", "too large")),
        "bombs": (body(gzip.compress(bomb, 1), Content_Encoding="gzip, gzip"), ("rejected", "too large")),
        "no gzip": (body(b"plain", Content_Encoding="gzip"), ("failed", "body not decodable")),
        "pixels": (body(pixel_bomb()), ("rejected", "too many pixels")),
        "loop": (None, ("failed", "too many redirects")),
        "inward": (answers.redirect("http://169.254.169.254/latest/meta-data"), ("rejected", "private address")),
        "inward by name": (answers.redirect("http://localhost:1/x.png"), ("rejected", "private address")),
        "file": (answers.redirect("file:///etc/passwd"), ("rejected", "not http(s)")),
        "noai": (body(png(9005), X_Robots_Tag="noai"), ("rejected", "X-Robots-Tag: noai")),
        "no HTTP": (babble, ("failed", "connection broken")),
    }


@pytest.mark.long
def test_five_thousand_links_of_a_hostile_server(site, answers, tmp_path):
    expected = {}
    for copy in range(4):  # more than one of each is under way at a time
        for kind, (answer, outcome) in harm(answers).items():
            path = f"/harm/{kind.replace(' ', '-')}-{copy}.png"
            site.routes[path] = answer or answers.redirect(path)
            expected[path] = outcome
    good = site.pictures(LINKS - len(expected) - 500)
    same = [f"/same/{number}.jpg" for number in range(500)]
    site.routes |= {path: answers.body(answers.png(77_777)) for path in same}
    mixed = sorted([*expected, *good[:500]], key=lambda path: zlib.crc32(path.encode()))
    site.page("/", *mixed, ">/late")
    site.page("/late", *good[500:], *same)
    site.routes["/late"] = answers.slow(SLOW_PAGE, site.routes["/late"])
    options = {"limit": LINKS, "timeout": SLOW_PAGE + 2, "retries": 1, "max_bytes": MOST}

    found, rows = crawl(tmp_path, sources=["site"], site=site.url, host_connections=16, host_rate=1e6, **options)

    outcomes = {row["url"].removeprefix(site.url): (row["outcome"], row["reason"]) for row in rows}
    # Of equal bytes the first is saved and the others are duplicates
    equal = {"busy", "broken", "cut-once", "wrong-type"}
    for path in expected:
        if path.split("/")[-1].rpartition("-")[0] in equal and outcomes[path] == ("duplicate", "same bytes"):
            outcomes[path] = ("saved", "")
    assert {path: outcomes[path] for path in expected} == expected
    assert {outcomes[path] for path in good} == {("saved", "")}
    assert Counter(outcomes[path] for path in same) == {("saved", ""): 1, ("duplicate", "same bytes"): 499}
    summary = found["summary"]
    assert summary["requested"] == len(rows) == LINKS
    assert sum(summary[name] for name in ("saved", "duplicate", "rejected", "failed")) == LINKS
    assert found["peak"] - found["before"] < 60, "MiB: the bodies alone would be far more"
    assert not list((tmp_path / "dataset" / "raw" / "unfinished").iterdir())
    tries = Counter({path: count for path, count in site.hits.items() if path in outcomes})
    assert max(tries[path] for path in good + same) == 1
    assert tries.total() <= LINKS + sum(1 for path in expected) * 6  # a loop is six hops of one try
