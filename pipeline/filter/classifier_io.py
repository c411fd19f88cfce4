"""Save and load a classifier (JSON, arrays and networks, nothing pickled), and compute embeddings with it.

classifier.json   figures, and a digest of all weights     kernel.npz   features of the known squares, the dictionary
member-0.keras    one file for each CNN                    backbone.tflite   with a backbone, in place of the CNNs
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DamagedState
from pipeline.filter.backbone import SIDE as BACKBONE_SIDE
from pipeline.filter.backbone import Backbone
from pipeline.filter.calibration import Calibration
from pipeline.filter.classifier import BATCH, Classifier, Scale
from pipeline.filter.cnn import SIDE, Network, read_network
from pipeline.filter.features import BackboneDescriber, Describer, SmallDescriber
from pipeline.filter.figures import NAME as FIGURES
from pipeline.filter.figures import Figures, kernel_forms, read_figures
from pipeline.filter.kernel import Kernel, KernelMachine
from pipeline.filter.patches import PatchDictionary, Words
from pipeline.pretrained import MOST
from pipeline.store import digest
from pipeline.store.npz import Damaged, Foreign, Unfit, check_finite, or_damaged, read_npz

ARRAYS, BACKBONE = "kernel.npz", "backbone.tflite"
BLACK = np.zeros((1, 64, 64, 3), np.uint8)  # a picture
WAY_OUT = "`python -m tasks rerun classifier` makes it again"


def save_classifier(classifier: Classifier, folder: Path) -> str:
    """Write `classifier` into `folder`; returns the digest of its weights, which no time stamp goes into."""
    figures, arrays = _figures(classifier), _arrays(classifier)
    np.savez(folder / ARRAYS, **arrays)
    for place, network in enumerate(classifier.networks):
        network.model.save(_member(folder, place))
    if isinstance(classifier.describe, BackboneDescriber):
        (folder / BACKBONE).write_bytes(classifier.describe.backbone.content)
    figures["digest"] = _digest(figures, arrays, classifier)
    (folder / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures["digest"]


def load_classifier(folder: Path) -> Classifier:
    """The classifier that `folder` holds; `DamagedState` if it is not what was written."""
    with _told(folder):
        figures, tree = read_figures(folder)
        networks = load_networks(folder, len(figures.network_scales))
        found, arrays = _assemble(folder, figures, networks, load_backbone(folder))
        if figures.digest != _digest(tree, arrays, found):
            raise Damaged("has other weights than those that were written")
        _try_out(found)
    return found


def load_figures(folder: Path) -> Figures:
    """What the classifier in `folder` says of itself. Errors: `DamagedState`."""
    with _told(folder):
        return read_figures(folder)[0]


def load_networks(folder: Path, count: int) -> tuple[Network, ...]:
    """The first `count` networks of `folder`. Errors: `DamagedState`."""
    with _told(folder):
        return tuple(read_network(_member(folder, place)) for place in range(count))


def load_backbone(folder: Path) -> Backbone | None:
    """The backbone of `folder`, if it has one. Errors: `DamagedState`."""
    path = folder / BACKBONE
    if not path.exists():
        return None
    with _told(folder):
        if not path.is_file() or path.stat().st_size > MOST:
            raise Damaged(f"holds a {BACKBONE} that is no file of at most {MOST:,} bytes")
        found = Backbone(path.read_bytes())
        with or_damaged(f"holds a {BACKBONE} that is no network that was converted here"):
            if not all(np.isfinite(features).all() for features in found(BLACK)):
                raise ValueError
    return found


@contextlib.contextmanager
def _told(folder: Path) -> Iterator[None]:
    """What is wrong inside becomes a `DamagedState` about the classifier in `folder`."""
    try:
        yield
    except Unfit as error:
        raise DamagedState(f"{folder} {error}; {WAY_OUT}") from None
    except OSError as error:
        raise DamagedState(f"{folder} cannot be read ({error.strerror}); {WAY_OUT}") from None


def _try_out(classifier: Classifier) -> None:
    """Ask about a picture. Errors: `Foreign` if the parts do not fit each other, or the answer is no number."""
    try:
        sound = np.isfinite(classifier(BLACK).probability).all()
    except ValueError:  # of arrays whose shapes do not fit
        sound = False
    if not sound:
        raise Foreign("holds a classifier whose parts do not fit each other")


def _member(folder: Path, place: int) -> Path:
    return folder / f"member-{place}.keras"


def _figures(classifier: Classifier) -> dict[str, Any]:
    return {
        "calibration": dataclasses.asdict(classifier.calibration),
        "machine_scale": dataclasses.asdict(classifier.machine_scale),
        "network_scales": [dataclasses.asdict(scale) for scale in classifier.network_scales],
        "widths": list(classifier.machine.kernel.widths),
        **_dictionary_figures(classifier.describe),
    }


def _dictionary_figures(describe: Describer) -> dict[str, Any]:
    if not isinstance(describe, SmallDescriber):
        return {}
    dictionary = describe.dictionary
    return {"thresholds": [dictionary.first.threshold, dictionary.second.threshold], "energy": dictionary.energy}


def _arrays(classifier: Classifier) -> dict[str, Any]:
    support = zip(classifier.describe.kinds, classifier.machine.support, strict=True)
    return {
        "weights": classifier.machine.weights,
        **{f"support_{kind}": _packed(view) for kind, view in support},
        **_dictionary_arrays(classifier.describe),
    }


def _packed(view: np.ndarray) -> np.ndarray:
    """In half the space, if nothing is lost by it."""
    half = view.astype(np.float16)
    return half if np.array_equal(half, view) else view


def _dictionary_arrays(describe: Describer) -> dict[str, np.ndarray]:
    if not isinstance(describe, SmallDescriber):
        return {}
    dictionary = describe.dictionary
    return {
        "first_directions": dictionary.first.directions,
        "first_offsets": dictionary.first.offsets,
        "centre": dictionary.centre,
        "channels": dictionary.channels,
        "second_directions": dictionary.second.directions,
        "second_offsets": dictionary.second.offsets,
    }


def _assemble(
    folder: Path, figures: Figures, networks: tuple[Network, ...], backbone: Backbone | None
) -> tuple[Classifier, dict[str, np.ndarray]]:
    """The classifier, and the arrays that it is made of. Errors: `Damaged`, `Foreign`."""
    kind = BackboneDescriber if backbone else SmallDescriber
    arrays = read_npz(folder / ARRAYS, kernel_forms(kind.kinds, backbone=backbone is not None))
    check_finite(arrays)
    describe = BackboneDescriber(backbone=backbone) if backbone else _small_describer(figures, arrays)
    if len(figures.widths) != len(kind.kinds):
        raise Foreign(f"has {len(figures.widths)} widths for {len(kind.kinds)} kinds of features")
    scales = [Scale(**scale.model_dump()) for scale in (figures.machine_scale, *figures.network_scales)]
    classifier = Classifier(
        describe=describe,
        machine=KernelMachine(
            kernel=Kernel(shares=describe.shares, widths=figures.widths),
            support=tuple(arrays[f"support_{kind}"].astype(np.float32) for kind in describe.kinds),
            weights=arrays["weights"],
        ),
        machine_scale=scales[0],
        networks=networks,
        network_scales=tuple(scales[1:]),
        calibration=Calibration(**figures.calibration.model_dump()),
    )
    return classifier, arrays


def _small_describer(figures: Figures, arrays: dict[str, np.ndarray]) -> SmallDescriber:
    if figures.thresholds is None or figures.energy is None:
        raise Foreign("has no backbone, and no figures of a dictionary of patches")
    first, second = (
        Words(directions=arrays[f"{layer}_directions"], offsets=arrays[f"{layer}_offsets"], threshold=threshold)
        for layer, threshold in zip(("first", "second"), figures.thresholds, strict=True)
    )
    dictionary = PatchDictionary(
        first=first, centre=arrays["centre"], channels=arrays["channels"], energy=figures.energy, second=second
    )
    return SmallDescriber(dictionary=dictionary)


def _digest(figures: Mapping[str, Any], arrays: dict[str, np.ndarray], classifier: Classifier) -> str:
    weights = [[_of_array(array) for array in network.model.get_weights()] for network in classifier.networks]
    figures = {name: value for name, value in figures.items() if name != "digest"}
    parts = [figures, {name: _of_array(array) for name, array in arrays.items()}, weights]
    if isinstance(classifier.describe, BackboneDescriber):
        parts.append(digest.of_bytes(classifier.describe.backbone.content))
    return digest.of_value(parts)


def _of_array(array: np.ndarray) -> list[Any]:
    return [str(array.dtype), list(array.shape), digest.of_bytes(np.ascontiguousarray(array).tobytes())]


def embed(classifier: Path, images: np.ndarray) -> np.ndarray:
    """`images` (N, H, W, C) uint8 as (N, D) float32: what the backbone of the finished folder `classifier` sees, or
    else the layers before the last of its networks side by side."""
    see = _eyes(classifier)
    return np.concatenate([see(images[start : start + BATCH]) for start in range(0, len(images), BATCH)])


def extractor_name(classifier: Path) -> str:
    """What those features are called, with the start of the weights' digest: figures of one name can be compared."""
    if backbone := load_backbone(classifier):
        return f"backbone-{BACKBONE_SIDE}-{digest.of_bytes(backbone.content)[:8]}"
    return f"ganmill-cnn-{SIDE}-{load_figures(classifier).digest[:8]}"


def has_backbone(classifier: Path) -> bool:
    """Whether those features are a pretrained network's, whatever the labels say."""
    return (classifier / BACKBONE).exists()


@lru_cache(maxsize=1)  # a GAN's training asks again and again; a finished folder does not change
def _eyes(classifier: Path) -> Callable[[np.ndarray], np.ndarray]:
    if backbone := load_backbone(classifier):
        return lambda images: backbone(images)[0]
    networks = load_networks(classifier, len(load_figures(classifier).network_scales))
    return lambda images: _side_by_side(networks, images)


def _side_by_side(networks: tuple[Network, ...], images: np.ndarray) -> np.ndarray:
    return np.concatenate([network(images).features for network in networks], axis=1)
