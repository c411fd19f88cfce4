"""What a checkpoint is of, read without its weights."""

import json
import subprocess
import sys

import numpy as np
import pytest

from pipeline.gan.training.checkpoint_outline import load_outline
from pipeline.gan.training.phase import FIRST
from pipeline.store.npz import ForeignFile

ORIGIN = {"seed": 3, "name": "dcgan", "images": [50, 32, 32, 1]}


@pytest.fixture
def checkpoint(tmp_path):
    """Writes a checkpoint of some arrays; returns its path."""

    def checkpoint(**arrays):
        path = tmp_path / "step.npz"
        np.savez(path, **{"step": np.int64(40), "generator/000": np.zeros(5, np.float32)} | arrays)
        return path

    return checkpoint


def text(value):
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def test_it_says_step_origin_and_sizes(checkpoint):
    found = load_outline(checkpoint(origin=text(ORIGIN)))
    assert (found.steps_done, found.bytes["generator"], found.bytes["discriminator"]) == (40, 20, 0)
    assert (found.origin.name, found.origin.shape, found.origin.classes) == ("dcgan", (32, 32, 1), None)
    assert found.phase == FIRST


def test_an_early_checkpoint_has_no_origin_and_is_of_the_first_phase(checkpoint):
    found = load_outline(checkpoint())
    assert found.origin is None
    assert found.phase == FIRST


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"step": np.int64(-1)}, "is of step -1, which is out of bounds"),
        ({"step": np.float32(1)}, "step is float32"),
        ({"origin": text(ORIGIN | {"images": [50, 32, 31, 1]})}, "has an origin that no training writes: images"),
        ({"origin": text("x" * 20_000)}, "origin is uint8"),
    ],
    ids=["step", "type", "images", "length"],
)
def test_what_no_training_writes_is_foreign(checkpoint, arrays, says):
    with pytest.raises(ForeignFile, match=says):
        load_outline(checkpoint(**arrays))


def test_reading_one_loads_no_network_library():
    code = "import sys, pipeline.gan.training.checkpoint_outline; print('tensorflow' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
