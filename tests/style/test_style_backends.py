"""TensorFlow and JAX compute the same losses and the same gradient, each in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

pytest.importorskip("jax")
CODE = """
import json
import numpy as np
from tests.style.test_objective import PICTURE, objective
value = objective(shift=3)(PICTURE, 1)
print(json.dumps([*value.losses().values(), *np.abs(value.gradient).sum(axis=(0, 1)).tolist()]))
"""


def losses(backend: str) -> list[float]:
    environment = os.environ | {"KERAS_BACKEND": backend}
    words = [sys.executable, "-c", CODE]
    found = subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    return json.loads(found.stdout.splitlines()[-1])


@pytest.mark.slow
def test_both_backends_compute_the_same():
    assert losses("jax") == pytest.approx(losses("tensorflow"), rel=1e-4)
