"""A hostile server: the crawl ends, the counts add up, and every available picture is saved."""

import json
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import pytest

from tests.crawl.hostile import MOST, hostile_responders

LINKS = 5000
SLOW_PAGE = 10  # seconds; icrawler's own downloaders end after 5 without work
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
