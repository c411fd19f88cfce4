"""Squares that a cluster scores get the scores of one machine."""

import pytest

from pipeline.cluster.client import Cluster
from pipeline.errors import Stopped
from pipeline.filter import score_shards as module
from pipeline.images import dataset
from pipeline.options import FilterOptions
from pipeline.progress import never, silent
from pipeline.store import verified
from tasks.stages import Filter

CLUSTER = Cluster(address="tls://127.0.0.1:8786", dataset="cats")


@pytest.fixture
def shards(monkeypatch):
    """The sizes of the shards, which are done in this process, the last first."""
    sizes = []

    def map_shards(cluster, work, orders, take, *, should_stop, tell):
        for name, order in reversed(orders.items()):
            if should_stop():
                raise Stopped
            sizes.append(len(order.ids))
            take(name, work(order))

    monkeypatch.setattr(module, "map_shards", map_shards)
    return sizes


def test_names_follow_from_the_version_of_the_stage():
    assert Filter.version == module.VERSION


def files(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.long
def test_scores_and_features_are_those_of_one_machine(run_filter, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 16)
    monkeypatch.setattr(module, "SHARD", 32)
    results = {}
    for name, cluster in (("alone", None), ("cluster", CLUSTER)):
        (tmp_path / name).mkdir()
        results[name] = run_filter(FilterOptions(threshold=0.5), folder=tmp_path / name, cluster=cluster)
    assert results["alone"] == results["cluster"]
    assert files(tmp_path / "alone") == files(tmp_path / "cluster")
    assert shards == [28, 32]


def test_the_rows_of_squares_are_read_once_for_all_shards_that_a_worker_scores(run_filter, shards, monkeypatch):
    def rows(folder, name):
        read.append(name)
        return iterate_rows(folder, name)

    read, iterate_rows = [], verified.iterate_rows
    monkeypatch.setattr(verified, "iterate_rows", rows)
    monkeypatch.setattr(module, "SHARD", 8)
    dataset._remembered.cache_clear()
    run_filter(FilterOptions(threshold=0.5), cluster=CLUSTER)
    assert len(shards) == 8
    assert read.count("images.jsonl") == 2  # by the stage, and by the worker


def test_progress_counts_squares(run_filter, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 25)
    seen = []
    hooks = {"progress": lambda *call: seen.append(call), "should_stop": never}
    run_filter(FilterOptions(threshold=0.5), cluster=CLUSTER, **hooks)
    assert seen == [(done, 60, "squares scored") for done in (10, 35, 60)]


def test_a_stop_ends_the_stage(run_filter, shards):
    with pytest.raises(Stopped):
        run_filter(FilterOptions(threshold=0.5), cluster=CLUSTER, progress=silent, should_stop=lambda: True)


def test_without_a_classifier_nothing_is_scored(run_filter, shards):
    assert run_filter(FilterOptions(method="none"), classifier=None, cluster=CLUSTER).summary["kept"] == 40 // 2 + 20
    assert shards == []
