import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.errors import Stopped, UserError
from pipeline.filter import backbone as backbones
from pipeline.filter.backbone import QUANTIZED, Backbone, convert_backbone, load_network
from pipeline.filter.classifier_io import load_classifier
from pipeline.filter.train_classifier import train_classifier
from pipeline.gan.evaluation.features import choose_extractor
from pipeline.images.dataset import read_images
from pipeline.images.raster import resize
from pipeline.options import ClassifierOptions
from pipeline.pretrained import KNOWN, Weights, find_backbone
from pipeline.progress import never, silent
from pipeline.store.hdf5 import check_weights

from .drawn import draw
from .photos import read_squares

pytestmark = pytest.mark.slow
# Smooth random squares: an untrained network hardly separates squares of few colours
COARSE = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3)).astype(np.uint8)
PICTURES = np.stack([resize(image, 64, 64) for image in COARSE])
PROCESS = """
import sys
from pathlib import Path
from pipeline.progress import never, silent
from pipeline.filter.train_classifier import train_classifier
from pipeline.pretrained import find_backbone
from pipeline.options import ClassifierOptions
weights, normalize, labels, folder = sys.argv[1:]
result = train_classifier(ClassifierOptions(), weights=find_backbone(weights), normalize=Path(normalize),
                          labels=Path(labels), folder=Path(folder), progress=silent, should_stop=never)
print(result.outputs["model"])
"""


def save_untrained_weights(name: str, path: Path) -> Weights:
    """Save weights of the network `name` that was trained on nothing, only its batch normalisation adapted: its
    features are poor, but they differ between squares like those of a trained network."""
    keras.utils.set_random_seed(0)
    shape = (backbones.SIDE, backbones.SIDE, 3)
    network = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=shape)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    network(backbones.preprocessing(name)(backbones.enlarge(PICTURES)), training=True)
    network.save_weights(path)
    return find_backbone(str(path))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Weights:
    return save_untrained_weights("MobileNet", tmp_path_factory.mktemp("weights") / "some.weights.h5")


@pytest.fixture(scope="module")
def trained(weights, subject, tmp_path_factory):
    folder = tmp_path_factory.mktemp("with-backbone")
    result = train_classifier(
        ClassifierOptions(),
        normalize=subject.normalize,
        labels=subject.labels,
        weights=weights,
        folder=folder,
        progress=silent,
        should_stop=never,
    )
    return folder, result


def feature_correlation(weights: Weights, images: np.ndarray) -> float:
    """The correlation between deep features of the converted network and of the original network."""
    name, network = load_network(weights)
    deep, middle = convert_backbone(weights, images)(images)
    assert len(deep) == len(middle) == len(images)
    wanted = network.predict(backbones.preprocessing(name)(backbones.enlarge(images)), verbose=0).mean(axis=(1, 2))
    assert deep.shape == wanted.shape
    return float(np.corrcoef(deep.ravel(), wanted.ravel())[0, 1])


@pytest.mark.long
@pytest.mark.parametrize("name", KNOWN)
def test_every_known_network_is_identified_by_its_weights_and_converted(name, tmp_path):
    weights = save_untrained_weights(name, tmp_path / "some.weights.h5")
    assert load_network(weights)[0] == name
    # The small differences in an untrained network's features are partly lost by quantisation
    assert feature_correlation(weights, PICTURES) > (0.3 if name in QUANTIZED else 0.999)


@pytest.mark.long
def test_quantised_features_correlate_with_those_of_the_trained_network(shared_data):
    weights = find_backbone(str(shared_data / "weights" / "mobilenet_1_0_224_no_top.weights.h5"))
    images = read_squares(shared_data / "pikachu" / "on")[:64]
    assert feature_correlation(weights, np.stack(images)) > 0.95


@pytest.mark.parametrize("channels", [pytest.param(1, marks=pytest.mark.long), 3])
def test_backbone_features_do_not_depend_on_the_batch(weights, channels):
    images = np.stack([draw(number, on=True, channels=channels) for number in range(35)])
    backbone = convert_backbone(weights, images)
    deep, middle = backbone(images)
    assert (deep.shape, middle.shape) == ((35, 1024), (35, 512))
    assert np.array_equal(backbone(images[33:])[0], deep[33:])
    assert np.array_equal(Backbone(backbone.content)(images)[1], middle)


def test_weights_file_of_another_network_raises_one_line_error(tmp_path):
    path = tmp_path / "other.weights.h5"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save_weights(path)
    for broken in (path, tmp_path / "text.h5"):
        if not broken.exists():
            broken.write_text("no weights")
        with pytest.raises(UserError, match="these are no weights of MobileNet") as caught:
            load_network(Weights(name="", path=broken, digest=""))
        assert "\n" not in str(caught.value)


def test_weights_file_is_read_once_before_training(weights, subject, tmp_path, monkeypatch):
    looked, learnt = [], []

    def look(path, *, most):
        looked.append(path)
        return check_weights(path, most=most)

    def learn(pool, options, weights, advance):
        learnt.append(load_network(weights)[0])
        raise Stopped

    monkeypatch.setattr("pipeline.store.hdf5.check_weights", look)
    monkeypatch.setattr("pipeline.filter.train_classifier.learn", learn)
    with pytest.raises(Stopped):
        train_classifier(
            ClassifierOptions(),
            normalize=subject.normalize,
            labels=subject.labels,
            weights=weights,
            folder=tmp_path,
            progress=silent,
            should_stop=never,
        )
    assert looked == [weights.path]
    assert learnt == ["MobileNet"]


def test_classifier_with_backbone_saves_no_cnns(trained):
    folder, result = trained
    assert {path.name for path in folder.iterdir()} == {
        *("backbone.tflite", "classifier.json", "kernel.npz", "holdout.jsonl", "out_of_fold.jsonl")
    }
    assert result.summary["backbone"].startswith("some.weights.h5 ")
    assert len(result.summary["curve"]) > 1


def test_loaded_classifier_gives_the_saved_holdout_scores(trained, subject):
    folder, _ = trained
    held = [json.loads(line) for line in (folder / "holdout.jsonl").read_text().splitlines()]
    found = read_images(subject.normalize, [row["id"] for row in held])
    said = dict(zip(found.ids, load_classifier(folder)(found.images).probability, strict=True))
    assert [row["score"] for row in held] == pytest.approx([said[row["id"]] for row in held], abs=1e-5)


def test_samples_are_measured_by_the_backbone(trained):
    folder, _ = trained
    images = np.stack([draw(number, on=True) for number in range(5)])
    for option in ("auto", "own"):
        extractor = choose_extractor(option, folder)
        assert extractor.features(images).shape == (5, 1024)
        assert extractor.name.startswith("backbone-192-")
        assert extractor.pretrained


@pytest.mark.long
def test_classifier_with_backbone_is_bit_identical_in_two_processes(weights, subject, tmp_path):
    running = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        words = [str(weights.path), str(subject.normalize), str(subject.labels), str(tmp_path / name)]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-c", PROCESS, *words]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True))
    assert len({process.communicate()[0].split()[-1] for process in running}) == 1
