"""A hostile server: the crawl ends, the counts add up, and every available picture is saved."""

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
SLOW_PAGE = 10  # seconds; icrawler's own downloaders end after 5 without work
MOST = 2_000_000  # bytes of a body
# In a process of its own, whose memory is measured; 127.0.0.1 counts as public, other private addresses stay private.
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
    """Accept the request and send nothing."""
    time.sleep(30)


def not_http(handler):
    """Send bytes that are not HTTP."""
    handler.wfile.write(b"\0" * 100)
    handler.close_connection = True


def cut_short_once(responders, data):
    """Send half a body, and the whole one the next time."""

    def send_half(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2])
        handler.close_connection = True

    return responders.one_after_another(send_half, responders.body(data))


def pixel_bomb():
    """A small PNG file whose header claims 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100_000)))


def gzip_bomb():
    """Some kilobytes that decompress to 100 MB."""
    return gzip.compress(bytes(100_000_000), 1)


def hostile_responders(responders):
    """Each hostile responder by name, with the outcome and reason that it must have."""
    png, body, one_after_another = responders.png, responders.body, responders.one_after_another
    bomb = gzip_bomb()
    return {
        "drip": (responders.drip, ("failed", "timeout")),
        "stall": (stall, ("failed", "timeout")),
        "forbidden": (body(b"", status=403), ("failed", "HTTP 403")),
        "missing": (body(b"", status=404), ("failed", "HTTP 404")),
        "busy": (one_after_another(body(b"", status=429, Retry_After="1"), body(png(9001))), ("saved", "")),
        "broken": (one_after_another(body(b"", status=500), body(png(9002))), ("saved", "")),
        "down": (body(b"", status=500), ("failed", "HTTP 500")),
        "cut once": (cut_short_once(responders, png(9003)), ("saved", "")),
        "cut always": (responders.cut_short, ("failed", "body cut short")),
        "wrong type": (body(png(9004), "text/html"), ("saved", "")),
        "html": (body("<html>no</html>", "image/png"), ("rejected", "not an image: html")),
        "endless": (responders.endless, ("rejected", "too large")),
        "long": (body(bytes(MOST + 1)), ("rejected", "too large")),
        "bomb": (body(bomb, Content_Encoding="gzip"), ("rejected", "too large")),
        "bombs": (body(gzip.compress(bomb, 1), Content_Encoding="gzip, gzip"), ("rejected", "too large")),
        "no gzip": (body(b"plain", Content_Encoding="gzip"), ("failed", "body not decodable")),
        "pixels": (body(pixel_bomb()), ("rejected", "too many pixels")),
        "loop": (None, ("failed", "too many redirects")),
        "inward": (responders.redirect("http://169.254.169.254/latest/meta-data"), ("rejected", "private address")),
        "inward by name": (responders.redirect("http://localhost:1/x.png"), ("rejected", "private address")),
        "file": (responders.redirect("file:///etc/passwd"), ("rejected", "not http(s)")),
        "noai": (body(png(9005), X_Robots_Tag="noai"), ("rejected", "X-Robots-Tag: noai")),
        "no HTTP": (not_http, ("failed", "connection broken")),
    }


@pytest.mark.long
def test_five_thousand_links_of_a_hostile_server_get_expected_outcomes(site, responders, tmp_path):
    expected = {}
    for copy in range(4):  # so that several of each kind are in progress at a time
        for kind, (answer, outcome) in hostile_responders(responders).items():
            path = f"/harm/{kind.replace(' ', '-')}-{copy}.png"
            site.routes[path] = answer or responders.redirect(path)
            expected[path] = outcome
    good = site.pictures(LINKS - len(expected) - 500)
    same = [f"/same/{number}.jpg" for number in range(500)]
    site.routes |= {path: responders.body(responders.png(77_777)) for path in same}
    mixed = sorted([*expected, *good[:500]], key=lambda path: zlib.crc32(path.encode()))
    site.page("/", *mixed, ">/late")
    site.page("/late", *good[500:], *same)
    site.routes["/late"] = responders.slow(SLOW_PAGE, site.routes["/late"])
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
    assert tries.total() <= LINKS + sum(1 for path in expected) * 6  # a loop is six requests for one attempt
