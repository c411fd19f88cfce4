import subprocess
import sys

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks import build_discriminator, build_generator
from pipeline.gan.networks.export import to_keras_only_discriminator, to_keras_only_generator
from tests.gan.drawn_discs import draw_discs
from tests.gan.step_runner import StepRunner, define

GENERATORS = {
    "batch norm": {},
    "spectral with attention": {"generator": {"weights": "spectral", "attention": [8], "blocks": "residual"}},
    "weight norm": {"generator": {"weights": "weight", "norm": "none", "upsample": "resize"}},
    "layer norm": {"generator": {"norm": "layer", "attention": [4, 8], "upsample": "transposed"}},
    "multi-scale": {"generator": {"blocks": "residual", "weights": "spectral"}, "multi_scale": True},
    "growing": {
        "generator": {"norm": "layer"},
        "discriminator": {"norm": "none"},
        "growing": {"start": 8, "fade": 8, "hold": 8},
    },
}
DISCRIMINATORS = {
    "batch norm": {},
    "spectral with attention": {"norm": "none", "weights": "spectral", "attention": [8], "blocks": "residual"},
    "weight norm and stddev": {"norm": "layer", "weights": "weight", "minibatch": "stddev"},
    "discrimination": {"minibatch": "discrimination"},
    "multi-scale": {"norm": "layer"},
}
LATENTS = np.random.default_rng(0).standard_normal((16, 6)).astype(np.float32)

DRAW = """
import sys
import keras
import numpy as np

assert not any(name.split(".")[0] in ("pipeline", "tasks") for name in sys.modules)
given = np.load("given.npz")
for name in given.files:
    network = keras.models.load_model(f"{name}.keras")
    np.save(f"{name}.npy", np.asarray(network(given[name], training=False)))
"""


def randomise(variables: list[keras.Variable]) -> None:
    """Give every variable, gates and statistics too, a random value, as if it had been trained."""
    rng = np.random.default_rng(1)
    for variable in variables:
        variable.assign(np.abs(variable + 0.3 * rng.standard_normal(variable.shape)))


@pytest.fixture(scope="module")
def loaded_by_keras(tmp_path_factory):
    """The folder with the outputs of every network in Keras alone, and the expected outputs."""
    folder, given, expected = tmp_path_factory.mktemp("alone"), {}, {}
    for name, tree in GENERATORS.items():
        definition, key = define(tree), f"g-{name}"
        generator = build_generator(definition, size=16, channels=3, seed=0)
        randomise(generator.variables)
        generator.power_iteration()
        given[key], expected[key] = LATENTS, np.asarray(generator.whole(LATENTS, training=False))
        to_keras_only_generator(definition, generator).save(folder / f"{key}.keras")
    for name, tree in DISCRIMINATORS.items():
        definition, key = define({"discriminator": tree, "multi_scale": name == "multi-scale"}), f"d-{name}"
        discriminator = build_discriminator(definition, size=16, channels=3, seed=0)
        randomise(discriminator.variables)
        discriminator.power_iteration()
        pictures = draw_discs(8).astype(np.float32) / 127.5 - 1
        expected[key] = np.asarray(discriminator.whole(pictures, training=False)[0])
        to_keras_only_discriminator(definition, discriminator).save(folder / f"{key}.keras")
        if not tree.get("minibatch"):  # minibatch layers are ganmill's own
            given[key] = pictures
    np.savez(folder / "given.npz", **given)
    command = [sys.executable, "-c", DRAW]
    environment = {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder, expected


@pytest.mark.parametrize("name", GENERATORS)
def test_exported_generator_gives_the_same_samples_in_keras_alone(loaded_by_keras, name):
    folder, expected = loaded_by_keras
    drawn = np.load(folder / f"g-{name}.npy")
    assert drawn.std() > 0.01
    assert np.allclose(drawn, expected[f"g-{name}"], atol=1e-5)


@pytest.mark.parametrize("name", [name for name, tree in DISCRIMINATORS.items() if not tree.get("minibatch")])
def test_exported_discriminator_gives_the_same_logits_in_keras_alone(loaded_by_keras, name):
    folder, expected = loaded_by_keras
    assert np.allclose(np.load(folder / f"d-{name}.npy"), expected[f"d-{name}"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name, tree in DISCRIMINATORS.items() if tree.get("minibatch")])
def test_exported_discriminator_with_minibatch_layers_loads_with_ganmill(loaded_by_keras, name):
    folder, expected = loaded_by_keras
    pictures = draw_discs(8).astype(np.float32) / 127.5 - 1
    logits = keras.models.load_model(folder / f"d-{name}.keras")(pictures, training=False)
    assert np.allclose(logits, expected[f"d-{name}"], rtol=1e-4, atol=1e-4)


@pytest.mark.long
def test_exported_generator_equals_the_average_after_bfloat16_steps():
    runner = StepRunner(define(GENERATORS["spectral with attention"]), dtype="mixed_bfloat16")
    runner.run(range(2))
    exported = to_keras_only_generator(runner.definition, runner.state.average)
    assert exported.compute_dtype == "float32"
    expected = np.asarray(runner.state.average.whole(LATENTS, training=False))
    assert np.allclose(exported(LATENTS, training=False), expected, atol=1e-6)
