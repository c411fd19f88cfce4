"""The device of this process, by Keras' backend, and its peak memory."""

import contextlib
import os
import subprocess
from typing import Any

from benchmarks.memory import resident_peak
from pipeline.devices import backend, device, versions
from pipeline.machine import usable_cores

QUERY = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]


def facts() -> dict[str, Any]:
    """The device's name and kind (gpu or cpu), its memory, and the versions that results depend on."""
    return {
        "name": device(),
        "kind": "gpu" if on_gpu() else "cpu",
        "memory_gb": round(memory / 1e9, 1) if (memory := _memory()) else None,
        "backend": backend(),
        "cores": usable_cores(),
        "nvidia_smi": _driver(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        **versions(),
    }


def on_gpu() -> bool:
    """Whether Keras' backend uses a GPU."""
    if backend() == "jax":
        import jax

        return jax.default_backend() == "gpu"
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def peak_memory() -> int:
    """The peak bytes of the GPU's memory in use; without a GPU, of this process."""
    if not on_gpu():
        return resident_peak()
    if backend() == "jax":
        import jax

        return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use", 0)
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def _memory() -> int | None:
    """Bytes of the GPU that JAX may use; None if unknown."""
    if backend() != "jax":
        return None
    import jax

    return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")


def _driver() -> str | None:
    """Name, memory and driver of the GPUs, by nvidia-smi; None without it."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=10, check=True)
        return "; ".join(done.stdout.strip().splitlines())
    return None
