"""TensorFlow and JAX, which has a process of its own, compute the same losses and the same gradient."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from tests.style.test_objective import PICTURE, objective

pytest.importorskip("jax")
CODE = "import json, tests.style.test_style_backends as test; print(json.dumps(test.losses()))"


def losses() -> list[float]:
    """The losses, and the gradient's size by channel, on the Keras backend of this process."""
    value = objective(shift=3)(PICTURE, 1)
    return [*value.losses().values(), *np.abs(value.gradient).sum(axis=(0, 1)).tolist()]


@pytest.mark.long
def test_both_backends_compute_the_same():
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    words = [sys.executable, "-c", CODE]
    found = subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout.splitlines()[-1]) == pytest.approx(losses(), rel=1e-4)
