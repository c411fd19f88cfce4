import numpy as np
import pytest

from pipeline.gan.training.recovery import gave_up_error, is_out_of_memory, non_finite_metrics, out_of_memory_error
from pipeline.gan.training.train_step import METRICS


def test_non_finite_metrics_are_named():
    metrics = np.zeros(len(METRICS), np.float32)
    assert non_finite_metrics(metrics) == ""
    metrics[METRICS.index("g_loss")] = np.nan
    metrics[METRICS.index("d_gradient")] = np.inf
    assert non_finite_metrics(metrics) == "g_loss, d_gradient"


class ResourceExhaustedError(Exception):
    """Has the name of TensorFlow's error."""


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
def test_out_of_memory_errors_of_all_backends_are_recognised(error, is_memory):
    assert is_out_of_memory(error) == is_memory


@pytest.mark.parametrize(("batch", "advice"), [(64, '"batch": 32'), (5, '"batch": 2'), (3, '"batch": 2'), (2, "width")])
def test_out_of_memory_error_says_what_to_try(batch, advice):
    text = str(out_of_memory_error(batch=batch, size=128, definition="dcgan"))
    assert f"{batch} squares of 128 pixels" in text
    assert advice in text
    assert "models/dcgan.json" in text


def test_gave_up_error_says_when_and_what_to_change():
    text = str(gave_up_error("d_loss", epoch=7, definition="toads"))
    for part in ("epoch 7", "d_loss became NaN", "learning rates in the definition,", 'weights "spectral"'):
        assert part in text
