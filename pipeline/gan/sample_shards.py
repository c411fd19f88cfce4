"""Draw samples on a cluster: shards of them, in the same batches as on one machine."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.cluster.client import Cluster, map_shards
from pipeline.cluster.references import Reference, keep_arrays, locate, refer
from pipeline.devices import keras, prepare_devices
from pipeline.gan.class_names import ClassChoice
from pipeline.gan.networks.pyramid import sides
from pipeline.gan.sampling import BATCH, draw_samples, fixed_latents
from pipeline.gan.trained_generator import load_generator
from pipeline.progress import ShouldStop
from pipeline.store import digest
from pipeline.store.npz import ArrayForm

SHARD = 2048 // BATCH * BATCH  # samples
VERSION = 4  # of the stage generate: what an earlier one has drawn is not used again


class Order(NamedTuple):
    """Draw the samples from `first` to `stop` of a seed, a truncation and perhaps a class, of the generator in the
    artifact `gan`."""

    gan: Reference
    seed: int
    truncation: float
    first: int
    stop: int
    chosen: ClassChoice | None = None


def draw_on_cluster(
    gan: Path,
    count: int,
    *,
    seed: int,
    truncation: float,
    chosen: ClassChoice | None,
    cluster: Cluster,
    report: Callable[[int], None],
    should_stop: ShouldStop,
    tell: Callable[[str], None],
) -> np.ndarray:
    """The first `count` samples (count, S, S, C) uint8, drawn by the workers of the cluster.

    `report` is told how many are done, `tell` is called as by `map_shards`. Raises what `map_shards` raises.
    """
    where = refer(gan, cluster)
    ranges = [(first, min(first + SHARD, count)) for first in range(0, count, SHARD)]
    orders = {_name(order): order for order in (Order(where, seed, truncation, *each, chosen) for each in ranges)}
    found: dict[str, np.ndarray] = {}

    def take(name: str, samples: np.ndarray) -> None:
        found[name] = samples
        report(sum(map(len, found.values())))

    map_shards(cluster, draw_order, orders, take, should_stop=should_stop, tell=tell)
    return np.concatenate([found[name] for name in orders])


def _name(order: Order) -> str:
    return "samples-" + digest.of_value([VERSION, str(order.gan), *order[1:]])[:32]


def draw_order(order: Order) -> np.ndarray:
    """Do an `Order`, on a worker."""
    prepare_devices()
    generator = _generator(locate(order.gan))
    size = generator.input_shape[1]
    shape = (order.stop - order.first, *sides(generator.outputs)[-1].shape[1:])  # (N, S, S, C)

    def draw() -> dict[str, np.ndarray]:
        latents = fixed_latents(
            order.stop, size=size, seed=order.seed, truncation=order.truncation, chosen=order.chosen
        )[order.first :]
        batches = [draw_samples(generator, latents[start : start + BATCH]) for start in range(0, len(latents), BATCH)]
        return {"samples": np.concatenate(batches)}

    return keep_arrays(order.gan, _name(order), {"samples": ArrayForm(("uint8",), shape)}, draw)["samples"]


@lru_cache(maxsize=1)  # shards of one generator follow each other
def _generator(gan: Path) -> keras.Model:
    return load_generator(gan)
