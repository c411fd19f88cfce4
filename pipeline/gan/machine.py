"""What a training runs on: the device, and the versions that decide how figures come out."""

import platform
import re
from importlib import metadata
from pathlib import Path

from pipeline.gan.runtime import backend

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


def versions() -> dict[str, str]:
    """Of Python, the system, this project, and what computes."""
    packages = {name: metadata.version(name) for name in ("keras", backend(), "numpy")}
    return {"python": platform.python_version(), "system": platform.platform(terse=True), "ganmill": _own(), **packages}


def _own() -> str:
    """This project is run from its folder, and need not be installed."""
    try:
        found = re.search(r'^version = "(.+)"$', PROJECT.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else "not known"


def device() -> str:
    """What computes, as its maker calls it; the first one of several."""
    if backend() == "jax":
        import jax

        first = jax.devices()[0]
        return _processor() if first.platform == "cpu" else first.device_kind
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU") if gpus else _processor()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
