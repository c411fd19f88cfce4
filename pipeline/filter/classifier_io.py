"""Save and load a classifier (JSON, arrays and networks; nothing is pickled).

classifier.json   parameters, and a digest of all weights     kernel.npz         kernel machine and patch dictionary
member-0.keras    one file for each CNN                       backbone.tflite    with a backbone, instead of CNNs
"""

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DamagedState
from pipeline.filter.backbone import Backbone
from pipeline.filter.calibration import Calibration
from pipeline.filter.classifier import Classifier, Scale
from pipeline.filter.cnn import Network, read_network
from pipeline.filter.features import BackboneExtractor, FeatureExtractor, HistogramPatchExtractor
from pipeline.filter.kernel import Kernel, KernelMachine
from pipeline.filter.patches import DictionaryLayer, PatchDictionary
from pipeline.filter.saved_parameters import FILE_NAME as PARAMETERS
from pipeline.filter.saved_parameters import SavedParameters, kernel_array_forms, read_parameters
from pipeline.pretrained import MAX_BYTES
from pipeline.store import digest
from pipeline.store.npz import DamagedFile, ForeignFile, UnusableFile, check_finite, or_damaged_file, read_npz

ARRAYS, BACKBONE = "kernel.npz", "backbone.tflite"
PROBE = np.zeros((1, 64, 64, 3), np.uint8)  # one square
REMEDY = "`python -m tasks rerun classifier` makes it again"


def save_classifier(classifier: Classifier, folder: Path) -> str:
    """Save `classifier` in `folder`; returns the digest of its weights, which contains no time stamp."""
    parameters, arrays = _parameters(classifier), _arrays(classifier)
    np.savez(folder / ARRAYS, **arrays)
    for index, network in enumerate(classifier.networks):
        network.model.save(_member(folder, index))
    if isinstance(classifier.extract, BackboneExtractor):
        (folder / BACKBONE).write_bytes(classifier.extract.backbone.content)
    parameters["digest"] = _digest(parameters, arrays, classifier)
    (folder / PARAMETERS).write_text(json.dumps(parameters, indent=1) + "\n", encoding="utf-8")
    return parameters["digest"]


def load_classifier(folder: Path) -> Classifier:
    """Load and check the classifier in `folder`.

    Raises:
        DamagedState: If a file is missing, damaged or not what `save_classifier` wrote.
    """
    with _as_damaged_state(folder):
        parameters, raw = read_parameters(folder)
        networks = tuple(read_network(_member(folder, index)) for index in range(len(parameters.network_scales)))
        classifier, arrays = _assemble(folder, parameters, networks, load_backbone(folder))
        if parameters.digest != _digest(raw, arrays, classifier):
            raise DamagedFile("has other weights than those that were saved")
        _check_prediction(classifier)
    return classifier


def load_backbone(folder: Path) -> Backbone | None:
    """Load the backbone of `folder`, if it has one; raises `DamagedState`."""
    path = folder / BACKBONE
    if not path.exists():
        return None
    with _as_damaged_state(folder):
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            raise DamagedFile(f"holds a {BACKBONE} that is not a file of at most {MAX_BYTES:,} bytes")
        backbone = Backbone(path.read_bytes())
        with or_damaged_file(f"holds a {BACKBONE} that is not a converted network of this program"):
            if not all(np.isfinite(features).all() for features in backbone(PROBE)):
                raise ValueError
    return backbone


@contextlib.contextmanager
def _as_damaged_state(folder: Path) -> Iterator[None]:
    """Turn errors about file contents into a `DamagedState` about the classifier in `folder`."""
    try:
        yield
    except UnusableFile as error:
        raise DamagedState(f"{folder} {error}; {REMEDY}") from None
    except OSError as error:
        raise DamagedState(f"{folder} cannot be read ({error.strerror}); {REMEDY}") from None


def _check_prediction(classifier: Classifier) -> None:
    """Predict one square as a test.

    Raises:
        ForeignFile: If the parts do not fit each other, or the prediction is NaN or infinite.
    """
    try:
        finite = np.isfinite(classifier(PROBE).probability).all()
    except ValueError:  # shapes of arrays do not fit
        finite = False
    if not finite:
        raise ForeignFile("holds a classifier whose parts do not fit each other")


def _member(folder: Path, index: int) -> Path:
    return folder / f"member-{index}.keras"


def _parameters(classifier: Classifier) -> dict[str, Any]:
    return {
        "calibration": dataclasses.asdict(classifier.calibration),
        "machine_scale": dataclasses.asdict(classifier.machine_scale),
        "network_scales": [dataclasses.asdict(scale) for scale in classifier.network_scales],
        "widths": list(classifier.machine.kernel.widths),
        **_dictionary_parameters(classifier.extract),
    }


def _dictionary_parameters(extract: FeatureExtractor) -> dict[str, Any]:
    if not isinstance(extract, HistogramPatchExtractor):
        return {}
    dictionary = extract.dictionary
    return {"thresholds": [dictionary.first.threshold, dictionary.second.threshold], "energy": dictionary.energy}


def _arrays(classifier: Classifier) -> dict[str, Any]:
    support = zip(classifier.extract.kinds, classifier.machine.support, strict=True)
    return {
        "weights": classifier.machine.weights,
        **{f"support_{kind}": _packed(view) for kind, view in support},
        **_dictionary_arrays(classifier.extract),
    }


def _packed(view: np.ndarray) -> np.ndarray:
    """As float16 if that loses nothing."""
    half = view.astype(np.float16)
    return half if np.array_equal(half, view) else view


def _dictionary_arrays(extract: FeatureExtractor) -> dict[str, np.ndarray]:
    if not isinstance(extract, HistogramPatchExtractor):
        return {}
    dictionary = extract.dictionary
    return {
        "first_directions": dictionary.first.directions,
        "first_offsets": dictionary.first.offsets,
        "centre": dictionary.centre,
        "channels": dictionary.channels,
        "second_directions": dictionary.second.directions,
        "second_offsets": dictionary.second.offsets,
    }


def _assemble(
    folder: Path, parameters: SavedParameters, networks: tuple[Network, ...], backbone: Backbone | None
) -> tuple[Classifier, dict[str, np.ndarray]]:
    """Build the classifier; returns it and the arrays that it is made of. Raises `DamagedFile`, `ForeignFile`."""
    kind = BackboneExtractor if backbone else HistogramPatchExtractor
    arrays = read_npz(folder / ARRAYS, kernel_array_forms(kind.kinds, backbone=backbone is not None))
    check_finite(arrays)
    extract = BackboneExtractor(backbone=backbone) if backbone else _patch_extractor(parameters, arrays)
    if len(parameters.widths) != len(kind.kinds):
        raise ForeignFile(f"has {len(parameters.widths)} widths for {len(kind.kinds)} kinds of features")
    scales = [Scale(**scale.model_dump()) for scale in (parameters.machine_scale, *parameters.network_scales)]
    classifier = Classifier(
        extract=extract,
        machine=KernelMachine(
            kernel=Kernel(coefficients=extract.coefficients, widths=parameters.widths),
            support=tuple(arrays[f"support_{kind}"].astype(np.float32) for kind in extract.kinds),
            weights=arrays["weights"],
        ),
        machine_scale=scales[0],
        networks=networks,
        network_scales=tuple(scales[1:]),
        calibration=Calibration(**parameters.calibration.model_dump()),
    )
    return classifier, arrays


def _patch_extractor(parameters: SavedParameters, arrays: dict[str, np.ndarray]) -> HistogramPatchExtractor:
    if parameters.thresholds is None or parameters.energy is None:
        raise ForeignFile("has no backbone, and no parameters of a patch dictionary")
    first, second = (
        DictionaryLayer(
            directions=arrays[f"{layer}_directions"], offsets=arrays[f"{layer}_offsets"], threshold=threshold
        )
        for layer, threshold in zip(("first", "second"), parameters.thresholds, strict=True)
    )
    dictionary = PatchDictionary(
        first=first, centre=arrays["centre"], channels=arrays["channels"], energy=parameters.energy, second=second
    )
    return HistogramPatchExtractor(dictionary=dictionary)


def _digest(parameters: Mapping[str, Any], arrays: dict[str, np.ndarray], classifier: Classifier) -> str:
    weights = [[_of_array(array) for array in network.model.get_weights()] for network in classifier.networks]
    parameters = {name: value for name, value in parameters.items() if name != "digest"}
    parts = [parameters, {name: _of_array(array) for name, array in arrays.items()}, weights]
    if isinstance(classifier.extract, BackboneExtractor):
        parts.append(digest.of_bytes(classifier.extract.backbone.content))
    return digest.of_value(parts)


def _of_array(array: np.ndarray) -> list[Any]:
    return [str(array.dtype), list(array.shape), digest.of_bytes(np.ascontiguousarray(array).tobytes())]
