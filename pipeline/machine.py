"""What there is to compute with, as far as it is known without loading a network library: processor and cores.

`devices` sets up TensorFlow or JAX on it. The environment that both read when they load is here, for the processes that
must not load them.
"""

import os
import platform
from pathlib import Path

GPU_FILES = ("/dev/nvidiactl", "/dev/dxg")  # of Linux, and of Windows' subsystem for Linux
# What TensorFlow and Keras read when they load, unless the user's environment has it. On some processors oneDNN is off
# by default; it makes the convolutions about twice as fast. The log level silences the lines of TensorFlow's start.
BACKEND_ENVIRONMENT = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}

# For a process that must leave the GPU to others; read when TensorFlow or JAX loads
CPU_ENVIRONMENT = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}


def usable_cores() -> int:
    """How many cores this process may use: a container or `taskset` may have left it fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor_flags() -> set[str]:
    """The instruction sets that Linux names; empty elsewhere."""
    return set(_of_processor("flags").split())


def processor_name() -> str:
    """The processor, as its maker calls it where the system knows."""
    return _of_processor("model name") or platform.processor() or platform.machine()


def has_gpu_driver() -> bool:
    """Whether there is an NVIDIA GPU, as far as it is known without a network library: the files of its driver."""
    return any(Path(path).exists() for path in GPU_FILES)


def _of_processor(field: str) -> str:
    """What Linux says in `field` of the first core; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(field)), "")
