"""Set up devices and the Keras backend: TensorFlow or JAX, precision, threads, versions. Import `keras` from here.

What the backends read from the environment is set before they load. No device is touched until `prepare_devices`.
"""

import contextlib
import importlib.util
import os
import platform
from dataclasses import dataclass
from importlib import metadata

from pipeline.errors import UserError
from pipeline.machine import BACKEND_ENVIRONMENT, processor_flags, processor_name, usable_cores

os.environ |= BACKEND_ENVIRONMENT | os.environ

import keras  # reads them

__all__ = [
    "BACKEND_DEFAULT_THREADS",
    "BFLOAT16",
    "ComputeMode",
    "Threads",
    "backend",
    "choose_dtype",
    "has_bfloat16",
    "has_gpu",
    "keras",
    "prepare_devices",
    "rounding",
    "tensorflow_has_started",
]

BACKENDS = ("tensorflow", "jax")
BFLOAT16 = "mixed_bfloat16"  # Keras' name for computing in bfloat16 with weights in float32
REPEATABLE = "xla_gpu_deterministic_ops"  # of XLA's flags
# Processor flags: with one of these a processor has instructions for bfloat16, which need not be faster
NATIVE_BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}


@dataclass(frozen=True, kw_only=True)
class Threads:
    """How many threads TensorFlow uses `within` a layer, and for how many layers at once (`between`).

    0: TensorFlow chooses the number.
    """

    within: int = 0
    between: int = 0


BACKEND_DEFAULT_THREADS = Threads()


@dataclass(frozen=True, kw_only=True)
class ComputeMode:
    """How a training computes: `dtype` is Keras' policy, `threads` how TensorFlow shares the cores."""

    dtype: str = "float32"
    threads: Threads = BACKEND_DEFAULT_THREADS

    @property
    def precision(self) -> str:
        """'float32' or 'bfloat16'."""
        return self.dtype.removeprefix("mixed_")

    def __str__(self) -> str:
        return self.precision + (f", {self.threads.between} layers at once" if self.threads.between else "")


def backend() -> str:
    """The name of the backend that Keras runs on. Errors: a `UserError` if none here can train on it."""
    if (found := keras.backend.backend()) not in BACKENDS:
        raise UserError(f"KERAS_BACKEND={found}: training needs one of {', '.join(BACKENDS)}; unset the variable")
    return found


def prepare_devices(threads: Threads = BACKEND_DEFAULT_THREADS) -> None:
    """Let GPUs hand out memory as it is needed, and choose kernels that give the same bits on every run.

    On a CPU the kernels used here are repeatable as they are; TensorFlow shares its cores as `threads` say.
    JAX reads its flags when it first touches a device: after that, in a notebook, they change nothing.
    Errors: a `UserError` if no step fits Keras' backend.
    """
    if backend() == "jax":
        _make_jax_repeatable()
        return
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # a notebook has used it already, by whatever rule
            tf.config.experimental.set_memory_growth(gpu, True)
    if gpus:
        tf.config.experimental.enable_op_determinism()
    else:
        _set_threads(threads)


def _make_jax_repeatable() -> None:
    """Have XLA leave out a GPU's kernels whose sums come in any order, and choose among the others without timing
    them, unless the user has set this flag. Without a plugin for GPUs there is nothing to choose."""
    flags = os.environ.get("XLA_FLAGS", "")
    if importlib.util.find_spec("jax_plugins") and REPEATABLE not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --{REPEATABLE}=true".strip()


def rounding(dtype: str) -> str:
    """What the last bits of a step in `dtype` hang on besides its numbers: sums in another order are others."""
    return f"{_device()}, in {dtype.removeprefix('mixed_')}"


def _device() -> str:
    if backend() == "jax":
        import jax

        return f"JAX on {jax.devices()[0].device_kind}, {usable_cores()} cores"
    import tensorflow as tf

    if gpus := tf.config.list_physical_devices("GPU"):
        return f"TensorFlow on {tf.config.experimental.get_device_details(gpus[0]).get('device_name', 'a GPU')}"
    threads = tf.config.threading.get_intra_op_parallelism_threads() or usable_cores()
    return f"TensorFlow on a processor, {threads} at work on a layer"


def choose_dtype(precision: str) -> str:
    """Keras' dtype policy for the networks: 'auto' is bfloat16 on GPUs that gain by it, else float32. Whether a
    processor gains by it has to be measured: see `tuning`."""
    if precision == "auto":
        precision = "bfloat16" if _gains_by_bfloat16() else "float32"
    return BFLOAT16 if precision == "bfloat16" else "float32"


def _gains_by_bfloat16() -> bool:
    """GPUs since 2020 do."""
    if backend() == "jax":
        return has_gpu()
    import tensorflow as tf

    if gpus := tf.config.list_physical_devices("GPU"):
        details = (tf.config.experimental.get_device_details(gpu) for gpu in gpus)
        return all(detail.get("compute_capability", (0, 0)) >= (8, 0) for detail in details)
    return False


def has_bfloat16() -> bool:
    """Whether the processor has instructions for bfloat16, which need not mean that it gains by them."""
    return bool(NATIVE_BFLOAT16_FLAGS & processor_flags())


def has_gpu() -> bool:
    """Whether Keras' backend, TensorFlow or JAX, sees a GPU."""
    if backend() == "jax":
        import jax

        return jax.default_backend() == "gpu"
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def tensorflow_has_started() -> bool:
    """Whether TensorFlow has begun to compute in this process: it takes no other threads then, nor may it be forked."""
    import tensorflow as tf

    before = tf.config.threading.get_inter_op_parallelism_threads()
    try:
        tf.config.threading.set_inter_op_parallelism_threads(before + 1)
    except RuntimeError:
        return True
    tf.config.threading.set_inter_op_parallelism_threads(before)
    return False


def _set_threads(threads: Threads) -> None:
    """Set TensorFlow's threads, unless the environment sets them or TensorFlow has started, as in a notebook."""
    import tensorflow as tf

    flags_set = {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"} & os.environ.keys()
    if threads.between and not flags_set:
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(threads.within)
            tf.config.threading.set_inter_op_parallelism_threads(threads.between)


def versions() -> dict[str, str]:
    """Of Python, the system, this project, and what computes."""
    packages = {name: metadata.version(name) for name in ("keras", backend(), "numpy")}
    return {"python": platform.python_version(), "system": platform.platform(terse=True), "ganmill": _own(), **packages}


def _own() -> str:
    """The release of this project. Run from its folder without `make`, it need not be installed."""
    try:
        return metadata.version("ganmill")
    except metadata.PackageNotFoundError:
        return "not installed as a package"


def device() -> str:
    """What computes, as its maker calls it; the first one of several."""
    if backend() == "jax":
        import jax

        first = jax.devices()[0]
        return processor_name() if first.platform == "cpu" else first.device_kind
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else processor_name()
