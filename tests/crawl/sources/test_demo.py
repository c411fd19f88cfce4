"""The demo dataset, crawled like any other site."""

from pipeline import demo
from pipeline.crawl.download import download
from pipeline.crawl.sources.demo import DemoSource
from pipeline.crawl.validate import content_inputs
from pipeline.options import DownloadOptions
from pipeline.store import digest, jsonl

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


def test_another_seed_gives_other_pictures_of_the_same_entries_and_keeps_those_of_the_first(tmp_path):
    few = OPTIONS.model_copy(update={"demo_pictures": 6, "limit": 6})
    rows = []
    for seed in (0, 7):
        options = few.model_copy(update={"demo_seed": seed})
        download(options, dataset=tmp_path / "dataset", folder=tmp_path / str(seed))
        rows.append(list(jsonl.read_rows(tmp_path / str(seed) / "images.jsonl")))
    first, second = ({row["id"] for row in each if row["outcome"] == "saved"} for each in rows)
    assert first
    assert second
    assert not first & second
    assert all(row["url"].startswith(f"demo:/v{demo.VERSION}/6/seed-7/") for row in rows[1])
    on = [list(demo.truth(row["url"] for row in each).values()) for each in rows]
    assert on[0] == on[1]


def test_seed_is_part_of_the_content_key_and_the_default_is_as_it_was(tmp_path):
    found = [content_inputs(DownloadOptions(sources=("demo",), demo_seed=seed), tmp_path)["demo"] for seed in (0, 7)]
    assert found[0] == digest.of_value({"version": demo.VERSION, "pictures": 700})
    assert found[1] != found[0]
    assert "demo_seed" not in DownloadOptions(demo_seed=7).significant()
