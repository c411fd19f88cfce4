"""A generator as ONNX makes the same samples as in Keras, whatever the definition."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.errors import UserError
from pipeline.gan.config import read_definition
from pipeline.gan.config.loading import choose_definition
from pipeline.gan.networks import build_generator, onnx_export
from pipeline.gan.networks.onnx_export import LEVELS, check_packages, largest_difference, to_onnx
from pipeline.gan.sampling import draw_samples, fixed_latents, to_pixels
from tests.gan.conftest import TINY
from tests.long_values import and_long

REPOSITORY = Path(__file__).parent.parent.parent.parent
BUILT_IN = sorted(path for path in (REPOSITORY / "models").glob("*.json") if path.name != "schema.json")
QUICK = ("dcgan-128", "multi-scale", "progressive")  # of all layers there are; the others in the long tests
needs_onnx = pytest.mark.skipif(
    any(not onnx_export.importlib.util.find_spec(name) for name in onnx_export.PACKAGES),
    reason="needs requirements-onnx.txt",
)


def varied(definition, *, size: int = 32, channels: int = 3, classes: int = 0) -> keras.Model:
    """The exported form of a generator with weights as different as those of a long training."""
    shape = {"size": size, "channels": channels, "classes": classes}
    network = build_generator(definition, **shape, seed=0, keras_only=True).whole
    rng = np.random.default_rng(0)
    for variable in network.variables:
        noise = rng.standard_normal(variable.shape).astype(np.float32)
        if "variance" in variable.path:
            variable.assign(0.5 + np.abs(noise))
        elif "kernel" in variable.path:
            variable.assign(noise * np.float32(np.sqrt(3 / np.prod(variable.shape[:-1]))))
        else:
            variable.assign(noise * np.float32(0.3) + ("gamma" in variable.path))
    return network


@pytest.fixture(scope="module")
def tiny() -> keras.Model:
    return varied(choose_definition(TINY).definition, size=16)


@needs_onnx
def test_a_conditional_generator_makes_the_same_samples_of_each_class():
    generator = varied(choose_definition(TINY | {"conditional": True}).definition, size=16, classes=3)
    content = to_onnx(generator, facts={})
    assert largest_difference(content, generator) <= LEVELS


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [path if path.stem in QUICK else pytest.param(path, marks=pytest.mark.long) for path in BUILT_IN],
    ids=lambda path: path.stem,
)
def test_every_built_in_definition_makes_the_same_samples(path):
    definition = read_definition(path)
    generator = varied(definition)
    content = to_onnx(generator, facts={})
    assert draw_samples(generator, fixed_latents(64, size=definition.latent, seed=7)).std() > 20  # not all are grey
    assert largest_difference(content, generator) <= LEVELS


@needs_onnx
@pytest.mark.parametrize("batch", and_long([3], long=[1, 64, 130]))
def test_a_batch_has_any_size(tiny, batch):
    from onnxruntime import InferenceSession

    session = InferenceSession(to_onnx(tiny, facts={"epoch": "9"}), providers=["CPUExecutionProvider"])
    latents = fixed_latents(batch, size=8, seed=batch)
    (pictures,) = session.run(["picture"], {"latent": latents})
    assert pictures.dtype == np.float32
    assert np.abs(to_pixels(pictures).astype(int) - draw_samples(tiny, latents)).max() <= LEVELS
    assert session.get_modelmeta().custom_metadata_map == {"epoch": "9"}
    assert [(each.name, each.shape) for each in session.get_inputs()] == [("latent", ["batch", 8])]
    assert [(each.name, each.shape) for each in session.get_outputs()] == [("picture", ["batch", 16, 16, 3])]


@needs_onnx
def test_the_same_generator_gives_the_same_bytes(tiny):
    assert to_onnx(tiny, facts={"a": "1", "b": "2"}) == to_onnx(tiny, facts={"b": "2", "a": "1"})


@needs_onnx
def test_a_file_that_makes_other_pictures_is_refused(tiny, monkeypatch):
    other = to_onnx(tiny, facts={})
    changed = varied(choose_definition(TINY).definition, size=16)
    changed.variables[0].assign(np.asarray(changed.variables[0]) * 2)
    assert largest_difference(other, changed) > LEVELS
    monkeypatch.setattr(onnx_export, "largest_difference", lambda *_: 2)
    with pytest.raises(UserError, match="differ by 2 of 255 levels"):
        to_onnx(tiny, facts={})


@needs_onnx
def test_a_layer_that_cannot_be_translated_is_one_line(monkeypatch):
    def no_such_operation(*_, **__):
        raise ValueError("Unsupported\n  operation")

    monkeypatch.setattr(keras.Model, "export", no_such_operation)
    network = build_generator(choose_definition(TINY).definition, size=16, channels=3, seed=0, keras_only=True).whole
    with pytest.raises(UserError, match="this generator cannot be written as ONNX: Unsupported operation"):
        to_onnx(network, facts={})


@needs_onnx
def test_a_file_that_cannot_be_read_is_one_line(tiny, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("Unsupported\n  opset")

    monkeypatch.setattr("onnxruntime.InferenceSession", refuse)
    with pytest.raises(UserError, match="cannot read the file, so it was not written: Unsupported opset; `make onnx`"):
        to_onnx(tiny, facts={})


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(onnx_export, "PACKAGES", ("json", "no_onnx", "no_tf2onnx"))
    with pytest.raises(UserError, match=r"not installed: no_onnx, no_tf2onnx; .*requirements-onnx.txt"):
        check_packages()


def test_a_training_on_jax_is_told_to_use_tensorflow_for_this(tmp_path):
    pytest.importorskip("jax")
    code = (
        "import json; from pipeline.errors import UserError; from pipeline.gan.networks import onnx_export as made\n"
        "made.PACKAGES = ()\n"
        "try:\n    made.to_onnx(None, facts={})\nexcept UserError as error:\n    print(json.dumps(str(error)))\n"
    )
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    assert "unset KERAS_BACKEND" in json.loads(found.stdout)
