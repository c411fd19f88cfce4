"""Samples that a cluster draws are those of one machine."""

import pytest

from pipeline.cluster.client import Cluster
from pipeline.gan import sample_shards as module
from pipeline.gan.class_names import ClassChoice
from pipeline.gan.generate import generate
from pipeline.gan.sampling import BATCH
from pipeline.options import GenerateOptions
from pipeline.progress import never
from tasks.stages import Generate

CLUSTER = Cluster(address="tls://127.0.0.1:8786", dataset="cats")


@pytest.fixture
def shards(monkeypatch):
    """The ranges of the shards, which are done in this process, the last first."""
    ranges = []

    def map_shards(cluster, work, orders, take, *, should_stop, tell):
        for name, order in reversed(orders.items()):
            ranges.append((order.first, order.stop))
            take(name, work(order))

    monkeypatch.setattr(module, "map_shards", map_shards)
    monkeypatch.setattr(module, "SHARD", BATCH)
    return ranges


def test_names_follow_from_the_version_of_the_stage():
    assert Generate.version == module.VERSION


def test_shards_of_each_class_have_names_of_their_own(tmp_path):
    chosen = (None, ClassChoice(0, 2), ClassChoice(1, 2))
    names = {module._name(module.Order(tmp_path, 5, 0.0, 0, 64, each)) for each in chosen}
    assert len(names) == 3


def test_samples_are_those_of_one_machine(trained, tmp_path, shards):
    made, seen = {}, []
    options = GenerateOptions(count=BATCH + 6, grid=4, extractor="own", seed=5, film=0)
    for name, cluster in (("alone", None), ("cluster", CLUSTER)):
        folder = tmp_path / name
        folder.mkdir()
        result = generate(
            options,
            gan=trained.folder("gan"),
            **trained.inputs,
            classifier=None,
            folder=folder,
            progress=lambda done, total, note="": seen.append((done, total, note)),
            should_stop=never,
            cluster=cluster,
        )
        made[name] = result, {path.name: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}
    assert made["alone"] == made["cluster"]
    assert shards == [(BATCH, BATCH + 6), (0, BATCH)]
    assert (BATCH + 6, BATCH + 6, "samples generated") in seen
