"""The demo dataset, crawled like any other site."""

from pipeline import demo
from pipeline.crawl.download import download
from pipeline.crawl.sources.demo import DemoSource
from pipeline.options import DownloadOptions
from pipeline.store import jsonl

OPTIONS = DownloadOptions(sources=("demo",), demo_pictures=40, limit=40)


def test_demo_is_crawled_with_licence_and_each_url_once(tmp_path, monkeypatch):
    first = download(OPTIONS, dataset=tmp_path / "dataset", folder=tmp_path / "first")
    monkeypatch.setattr(DemoSource, "fetch", None)
    second = download(OPTIONS, dataset=tmp_path / "dataset", folder=tmp_path / "second")

    rows = [list(jsonl.read_rows(tmp_path / name / "images.jsonl")) for name in ("first", "second")]
    assert rows[0] == rows[1]
    assert first.outputs == second.outputs
    assert first.summary["requested"] == 40
    assert first.summary["saved"] > 30
    assert all(row["url"].startswith(f"demo:/v{demo.VERSION}/40/") and row["license"] for row in rows[0])
