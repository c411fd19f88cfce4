import subprocess
import sys

import numpy as np
import pytest

from pipeline.devices import keras
from pipeline.gan.networks import build_discriminator, build_generator
from pipeline.gan.networks.export import plain_discriminator, plain_generator
from tests.gan.discs import discs
from tests.gan.play import Play, define

GENERATORS = {
    "batch norm": {},
    "spectral with attention": {"generator": {"weights": "spectral", "attention": [8], "blocks": "residual"}},
    "weight norm": {"generator": {"weights": "weight", "norm": "none", "upsample": "resize"}},
    "layer norm": {"generator": {"norm": "layer", "attention": [4, 8]}},
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


def shaken(variables: list[keras.Variable]) -> None:
    """Give every variable, gates and statistics too, a value of its own, as if it had been learned."""
    rng = np.random.default_rng(1)
    for variable in variables:
        variable.assign(np.abs(variable + 0.3 * rng.standard_normal(variable.shape)))


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The folder in which Keras alone has loaded every network and drawn with it; and what the networks draw here."""
    folder, given, expected = tmp_path_factory.mktemp("alone"), {}, {}
    for name, tree in GENERATORS.items():
        definition, key = define(tree), f"g-{name}"
        generator = build_generator(definition, size=16, channels=3, seed=0)
        shaken(generator.variables)
        generator.power_iteration()
        given[key], expected[key] = LATENTS, np.asarray(generator.whole(LATENTS, training=False))
        plain_generator(definition, generator).save(folder / f"{key}.keras")
    for name, tree in DISCRIMINATORS.items():
        definition, key = define({"discriminator": tree}), f"d-{name}"
        discriminator = build_discriminator(definition, size=16, channels=3, seed=0)
        shaken(discriminator.variables)
        discriminator.power_iteration()
        pictures = discs(8).astype(np.float32) / 127.5 - 1
        expected[key] = np.asarray(discriminator.whole(pictures, training=False)[0])
        plain_discriminator(definition, discriminator).save(folder / f"{key}.keras")
        if not tree.get("minibatch"):  # those layers are ours
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
def test_keras_alone_loads_a_generator_and_draws_the_same(alone, name):
    folder, expected = alone
    drawn = np.load(folder / f"g-{name}.npy")
    assert drawn.std() > 0.01
    assert np.allclose(drawn, expected[f"g-{name}"], atol=1e-5)


@pytest.mark.parametrize("name", [name for name, tree in DISCRIMINATORS.items() if not tree.get("minibatch")])
def test_keras_alone_loads_a_discriminator_and_judges_the_same(alone, name):
    folder, expected = alone
    assert np.allclose(np.load(folder / f"d-{name}.npy"), expected[f"d-{name}"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name, tree in DISCRIMINATORS.items() if tree.get("minibatch")])
def test_with_this_project_at_hand_one_with_minibatch_layers_loads_too(alone, name):
    folder, expected = alone
    pictures = discs(8).astype(np.float32) / 127.5 - 1
    judged = keras.models.load_model(folder / f"d-{name}.keras")(pictures, training=False)
    assert np.allclose(judged, expected[f"d-{name}"], rtol=1e-4, atol=1e-4)


def test_after_some_steps_in_bfloat16_the_file_draws_what_the_average_draws():
    play = Play(define(GENERATORS["spectral with attention"]), dtype="mixed_bfloat16")
    play.run(range(2))
    plain = plain_generator(play.definition, play.state.average)
    assert plain.compute_dtype == "float32"
    expected = np.asarray(play.state.average.whole(LATENTS, training=False))
    assert np.allclose(plain(LATENTS, training=False), expected, atol=1e-6)
