"""Which GPUs trainings may use, found without a network library."""

import os
import shutil
import subprocess
from functools import lru_cache

SECONDS = 10.0  # that nvidia-smi may take


@lru_cache(maxsize=1)
def visible_gpus() -> tuple[str, ...]:
    """The names of the GPUs for CUDA_VISIBLE_DEVICES, which limits them if it is set; empty if there are none."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return tuple(each.strip() for each in chosen.split(",") if each.strip() not in ("", "-1"))
    return listed(_nvidia_smi())


def listed(text: str) -> tuple[str, ...]:
    """The numbers of the GPUs in what `nvidia-smi -L` prints."""
    gpus = [line for line in text.splitlines() if line.startswith("GPU ")]
    return tuple(str(number) for number in range(len(gpus)))


def _nvidia_smi() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        found = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout if found.returncode == 0 else ""
