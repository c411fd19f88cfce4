"""Score squares on a cluster: shards of them, in the same batches as on one machine."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.cluster.client import Cluster, map_shards
from pipeline.cluster.references import Reference, keep_arrays, locate, refer
from pipeline.devices import prepare_devices
from pipeline.filter.classifier import BATCH, Classifier
from pipeline.filter.classifier_io import load_classifier
from pipeline.filter.kernel import PrincipalComponents, fit_components
from pipeline.images.dataset import read_images
from pipeline.images.packed import Images
from pipeline.progress import StageProgress, tell
from pipeline.store import digest
from pipeline.store.npz import ArrayForm

FEATURE_DIMENSIONS = 32  # of the features that compare squares on the label page
SHARD = 8 * BATCH  # squares
VERSION = 3  # of the stage filter: what an earlier one has scored is not used again


class Scored(NamedTuple):
    """What the classifier says of N squares."""

    probability: np.ndarray  # (N,) as in `Predictions`
    standard_error: np.ndarray  # (N,)
    features: np.ndarray  # (N, up to FEATURE_DIMENSIONS) float16, by which the label page compares squares


class Order(NamedTuple):
    """Score the squares `ids` of the artifact `normalize`."""

    classifier: Reference
    normalize: Reference
    ids: tuple[str, ...]


def score_images(model: Classifier, images: Images, report: Callable[[int], None] = lambda done: None) -> Scored:
    """Score `images` (N, S, S, C) uint8; `report` is told how many are done."""
    compare = fit_components(model.landmarks(), FEATURE_DIMENSIONS)
    batches = []
    for start in range(0, len(images), BATCH):
        batches.append(_score_batch(model, compare, images[start : start + BATCH]))
        report(min(start + BATCH, len(images)))
    return join(batches)


def _score_batch(model: Classifier, compare: PrincipalComponents, images: np.ndarray) -> Scored:
    found = model(images)
    # At once, as similarities take ten times as much memory
    return Scored(found.probability, found.standard_error, compare(found.similarity).astype(np.float16))


def join(parts: Sequence[Scored]) -> Scored:
    """The scores of all `parts`, in their order."""
    return Scored(*map(np.concatenate, zip(*parts, strict=True)))


def score_on_cluster(
    classifier: Path, normalize: Path, ids: Sequence[str], cluster: Cluster, progress: StageProgress
) -> Scored:
    """Score the squares `ids`, sorted, of the artifact `normalize` by the workers of the cluster.

    Raises what `map_shards` raises.
    """
    where = {"classifier": refer(classifier, cluster), "normalize": refer(normalize, cluster)}
    orders = {_name(order): order for order in _orders(ids, **where)}
    found: dict[str, Scored] = {}

    def take(name: str, scored: Scored) -> None:
        found[name] = scored
        done = sum(len(part.probability) for part in found.values())
        progress.report(done, len(ids), "squares scored")

    told = partial(tell, progress.progress)
    map_shards(cluster, score_order, orders, take, should_stop=progress.should_stop, tell=told)
    return join([found[name] for name in orders])


def _orders(ids: Sequence[str], classifier: Reference, normalize: Reference) -> Iterator[Order]:
    for start in range(0, len(ids), SHARD):
        yield Order(classifier, normalize, tuple(ids[start : start + SHARD]))


def _name(order: Order) -> str:
    return "scores-" + digest.of_value([VERSION, str(order.classifier), str(order.normalize), *order.ids])[:32]


def score_order(order: Order) -> Scored:
    """Do an `Order`, on a worker."""
    prepare_devices()
    model = _classifier(locate(order.classifier))
    count, dimensions = len(order.ids), fit_components(model.landmarks(), FEATURE_DIMENSIONS).vectors.shape[1]
    forms = {
        "probability": ArrayForm(("float32", "float64"), (count,)),
        "standard_error": ArrayForm(("float32", "float64"), (count,)),
        "features": ArrayForm(("float16",), (count, dimensions)),
    }

    def score() -> dict[str, np.ndarray]:
        images = read_images(locate(order.normalize), order.ids, remember=True).images
        return score_images(model, images)._asdict()

    return Scored(**keep_arrays(order.classifier, _name(order), forms, score))


@lru_cache(maxsize=1)  # shards of one filter follow each other
def _classifier(folder: Path) -> Classifier:
    return load_classifier(folder)
