import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.filter import backbone as backbones
from pipeline.filter.backbone import INTEGERS, Backbone, convert, load_network
from pipeline.filter.classifier_io import embed, extractor_name, load_classifier
from pipeline.filter.train_classifier import train_classifier
from pipeline.images.dataset import read_images
from pipeline.images.raster import resize
from pipeline.options import ClassifierOptions
from pipeline.pretrained import KNOWN, Weights, find_backbone
from pipeline.progress import never, silent

from .drawn import draw
from .photos import read_folder

pytestmark = pytest.mark.slow
# Soft shapes: an untrained network sees little in pictures of few colours
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


def save_some_weights(name: str, path: Path) -> Weights:
    """Weights of the network called `name` that has learnt nothing but how bright pictures are: its features tell
    little, but they differ from picture to picture as those of a trained one do."""
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
    return save_some_weights("MobileNet", tmp_path_factory.mktemp("weights") / "some.weights.h5")


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


def kept_features(weights: Weights, images: np.ndarray) -> float:
    """How well the converted network's deep features go with the network's own: their correlation."""
    name, network = load_network(weights)
    deep, middle = convert(weights, images)(images)
    assert len(deep) == len(middle) == len(images)
    wanted = network.predict(backbones.preprocessing(name)(backbones.enlarge(images)), verbose=0).mean(axis=(1, 2))
    assert deep.shape == wanted.shape
    return float(np.corrcoef(deep.ravel(), wanted.ravel())[0, 1])


@pytest.mark.parametrize(
    "name", [name if name == "MobileNetV3Small" else pytest.param(name, marks=pytest.mark.long) for name in KNOWN]
)
def test_every_known_network_is_told_by_its_file_and_can_be_converted(name, tmp_path):
    weights = save_some_weights(name, tmp_path / "some.weights.h5")
    assert load_network(weights)[0] == name
    # What little an untrained network sees partly drowns in the steps of integers
    assert kept_features(weights, PICTURES) > (0.3 if name in INTEGERS else 0.999)


@pytest.mark.long
def test_integers_keep_what_a_trained_network_sees(shared_data):
    weights = find_backbone(str(shared_data / "weights" / "mobilenet_1_0_224_no_top.weights.h5"))
    images = read_folder(shared_data / "pikachu" / "on")[:64]
    assert kept_features(weights, np.stack(images)) > 0.95


@pytest.mark.parametrize("channels", [1, 3])
def test_features_do_not_depend_on_what_else_is_in_the_batch(weights, channels):
    images = np.stack([draw(number, on=True, channels=channels) for number in range(35)])
    see = convert(weights, images)
    deep, middle = see(images)
    assert (deep.shape, middle.shape) == ((35, 1024), (35, 512))
    assert np.array_equal(see(images[33:])[0], deep[33:])
    assert np.array_equal(Backbone(see.content)(images)[1], middle)


def test_a_file_that_holds_something_else_is_one_line(tmp_path):
    path = tmp_path / "other.weights.h5"
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.save_weights(path)
    for broken in (path, tmp_path / "text.h5"):
        if not broken.exists():
            broken.write_text("no weights")
        with pytest.raises(UserError, match="these are no weights of MobileNet") as caught:
            load_network(Weights(name="", path=broken, digest=""))
        assert "\n" not in str(caught.value)


def test_the_classifier_holds_the_backbone_and_no_networks(trained):
    folder, result = trained
    assert {path.name for path in folder.iterdir()} == {
        *("backbone.tflite", "classifier.json", "kernel.npz", "holdout.jsonl", "out_of_fold.jsonl")
    }
    assert result.summary["backbone"].startswith("some.weights.h5 ")
    assert len(result.summary["curve"]) > 1


def test_what_was_saved_scores_as_it_did(trained, subject):
    folder, _ = trained
    held = [json.loads(line) for line in (folder / "holdout.jsonl").read_text().splitlines()]
    found = read_images(subject.normalize, [row["id"] for row in held])
    said = dict(zip(found.ids, load_classifier(folder)(found.images).probability, strict=True))
    assert [row["score"] for row in held] == pytest.approx([said[row["id"]] for row in held], abs=1e-5)


def test_samples_are_measured_with_what_the_backbone_sees(trained):
    folder, _ = trained
    images = np.stack([draw(number, on=True) for number in range(5)])
    assert embed(folder, images).shape == (5, 1024)
    assert extractor_name(folder).startswith("backbone-192-")


@pytest.mark.long
def test_two_processes_make_the_same_classifier(weights, subject, tmp_path):
    running = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        words = [str(weights.path), str(subject.normalize), str(subject.labels), str(tmp_path / name)]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-c", PROCESS, *words]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True))
    assert len({process.communicate()[0].split()[-1] for process in running}) == 1
