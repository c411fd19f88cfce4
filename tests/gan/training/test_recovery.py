import numpy as np
import pytest

from pipeline.gan.training.recovery import broken, gave_up, out_of_memory, too_big
from pipeline.gan.training.train_step import METRICS


def test_what_is_no_number_is_named():
    metrics = np.zeros(len(METRICS), np.float32)
    assert broken(metrics) == ""
    metrics[METRICS.index("g_loss")] = np.nan
    metrics[METRICS.index("d_gradient")] = np.inf
    assert broken(metrics) == "g_loss, d_gradient"


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's is."""


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (ResourceExhaustedError("OOM when allocating tensor"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes"), True),  # JAX
        (RuntimeError("shapes do not match"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_backends_ways_to_say_that_memory_ran_out_are_known(error, is_memory):
    assert out_of_memory(error) == is_memory


@pytest.mark.parametrize(("batch", "advice"), [(64, '"batch": 32'), (5, '"batch": 2'), (3, '"batch": 2'), (2, "width")])
def test_who_runs_out_of_memory_is_told_what_to_try(batch, advice):
    text = str(too_big(batch=batch, size=128, definition="mine"))
    assert f"{batch} pictures of 128 pixels" in text
    assert advice in text
    assert "mine" in text


def test_who_gave_up_says_when_and_what_to_change():
    text = str(gave_up("d_loss", epoch=7, definition="mine"))
    for part in ("epoch 7", "d_loss was no number", "learning rates", "mine", 'weights "spectral"'):
        assert part in text
