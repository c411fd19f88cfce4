"""The same definition gives the same metrics on TensorFlow and on JAX, which runs in another process."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gan.training.step_definitions import DEFINITIONS, metrics

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[3]
# The norms of its small batches, also of the heads of an aid, amplify rounding
TOLERANCE = dict.fromkeys(("dcgan", "vision-aided"), 4e-3)
# XLA's optimisations are not what is tested, and take most of the time
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"


def both(names: list[str]) -> tuple[dict, dict]:
    """The metrics of the steps on TensorFlow, and at the same time on JAX."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax, which is not installed (requirements-dev.txt names it)")
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "XLA_FLAGS": QUICK}
    command = [sys.executable, "-m", "tests.gan.training.step_definitions", *names]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        here = metrics(names)
        out, error = process.communicate(timeout=500)
    assert process.returncode == 0, error
    return here, json.loads(out)


@pytest.mark.parametrize(
    "names",
    [["dcgan", "wgan-gp"], pytest.param([*DEFINITIONS][1:], marks=pytest.mark.long)],
    ids=len,
)
def test_steps_are_equal_on_tensorflow_and_jax(names):
    here, there = both(names)
    assert list(here) == list(there) == names
    for name in names:
        for step, (one, other) in enumerate(zip(here[name], there[name], strict=True)):
            assert one == pytest.approx(other, rel=TOLERANCE.get(name, 2e-4), abs=2e-5), f"{name}, step {step}"
    if "wgan-gp" in names:  # its generator's rate drops by half at the second of these steps
        assert [step["g_rate"] for step in there["wgan-gp"]] == pytest.approx([1e-3, 5e-4, 5e-4])
        assert [step["d_rate"] for step in there["wgan-gp"]] == pytest.approx([1e-3] * 3)
