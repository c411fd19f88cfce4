"""A classifier on disk: JSON, arrays and networks, nothing pickled.

classifier.json   figures, and a digest of all weights     kernel.npz   the views of the known pictures, the dictionary
member-0.keras    the networks, one file each              backbone.tflite   where there is one, in place of networks
"""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.errors import DamagedState
from pipeline.filter.backbone import Backbone
from pipeline.filter.calibration import Calibration
from pipeline.filter.classifier import Classifier, Scale
from pipeline.filter.kernel import Kernel, KernelMachine
from pipeline.filter.network import Network
from pipeline.filter.patches import PatchDictionary, Words
from pipeline.filter.views import BackboneDescriber, Describer, SmallDescriber
from pipeline.store import digest

FIGURES, ARRAYS, BACKBONE = "classifier.json", "kernel.npz", "backbone.tflite"
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
    try:
        figures = json.loads((folder / FIGURES).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
        networks = load_networks(folder, len(figures["network_scales"]))
        backbone = load_backbone(folder)
        found = _assemble(figures, arrays, networks, backbone)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DamagedState(f"{folder} holds no whole classifier ({error}); {WAY_OUT}") from None
    if figures.pop("digest", None) != _digest(figures, arrays, found):
        raise DamagedState(f"{folder}: the weights are not those that were written; {WAY_OUT}")
    return found


def load_networks(folder: Path, count: int) -> tuple[Network, ...]:
    """The first `count` networks of `folder`."""
    return tuple(Network(keras.saving.load_model(_member(folder, place), compile=False)) for place in range(count))


def load_backbone(folder: Path) -> Backbone | None:
    """The backbone of `folder`, if it has one."""
    path = folder / BACKBONE
    return Backbone(path.read_bytes()) if path.exists() else None


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
    if isinstance(describe, BackboneDescriber):
        return {}
    dictionary = describe.dictionary
    return {"thresholds": [dictionary.first.threshold, dictionary.second.threshold], "energy": dictionary.energy}


def _arrays(classifier: Classifier) -> dict[str, np.ndarray]:
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
    if isinstance(describe, BackboneDescriber):
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
    figures: dict[str, Any], arrays: dict[str, np.ndarray], networks: tuple[Network, ...], backbone: Backbone | None
) -> Classifier:
    describe = BackboneDescriber(backbone=backbone) if backbone else _small_describer(figures, arrays)
    return Classifier(
        describe=describe,
        machine=KernelMachine(
            kernel=Kernel(shares=describe.shares, widths=tuple(figures["widths"])),
            support=tuple(arrays[f"support_{kind}"].astype(np.float32) for kind in describe.kinds),
            weights=arrays["weights"],
        ),
        machine_scale=Scale(**figures["machine_scale"]),
        networks=networks,
        network_scales=tuple(Scale(**scale) for scale in figures["network_scales"]),
        calibration=Calibration(**figures["calibration"]),
    )


def _small_describer(figures: dict[str, Any], arrays: dict[str, np.ndarray]) -> SmallDescriber:
    first, second = (
        Words(directions=arrays[f"{layer}_directions"], offsets=arrays[f"{layer}_offsets"], threshold=threshold)
        for layer, threshold in zip(("first", "second"), figures["thresholds"], strict=True)
    )
    dictionary = PatchDictionary(
        first=first, centre=arrays["centre"], channels=arrays["channels"], energy=figures["energy"], second=second
    )
    return SmallDescriber(dictionary=dictionary)


def _digest(figures: dict[str, Any], arrays: dict[str, np.ndarray], classifier: Classifier) -> str:
    weights = [[_of_array(array) for array in network.model.get_weights()] for network in classifier.networks]
    parts = [figures, {name: _of_array(array) for name, array in arrays.items()}, weights]
    if isinstance(classifier.describe, BackboneDescriber):
        parts.append(digest.of_bytes(classifier.describe.backbone.content))
    return digest.of_value(parts)


def _of_array(array: np.ndarray) -> list[Any]:
    return [str(array.dtype), list(array.shape), digest.of_bytes(np.ascontiguousarray(array).tobytes())]
