"""Images per second of a DCGAN's training step (Radford et al. 2016: width 64, batch 64) on several backends.

    .venv/bin/python benchmarks/gan_speed.py [--side 64] [--rounds 3] [--peer PYTHON SCRIPT]

`--peer` names an interpreter and a script that prints `median N img/s` for the same networks. Each round runs every
variant once in a new process, so that a busy machine slows all alike; results are medians over the turns of all rounds.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine

STEP = Path(__file__).with_name("gan_step.py")
# Variant: its backend, and the options of gan_step.py
WAYS = {
    "TensorFlow, float32": ("tensorflow", []),
    "TensorFlow, as measured to be fastest": ("tensorflow", ["--precision", "auto"]),
    "TensorFlow, float32, XLA": ("tensorflow", ["--xla"]),
    "TensorFlow, float32, oneDNN off": ("tensorflow", []),
    "JAX, float32": ("jax", []),
}


def main() -> None:
    """Print the median of each variant, and relative to the peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", nargs=2, metavar=("PYTHON", "SCRIPT"))
    given = parser.parse_args()
    print(f"{machine()}; {given.side} px, batch {given.batch}")
    rates: dict[str, list[float]] = {}
    shares: dict[str, float] = {}
    for _ in range(given.rounds):
        for name, (backend, options) in WAYS.items():
            found = ours(backend, [*options, "--side", str(given.side), "--batch", str(given.batch)], name=name)
            if found:
                rates.setdefault(name, []).extend(found["rates"])
                shares[name] = found["share_in_step"]
        if given.peer:
            rates.setdefault("peer", []).append(theirs(*given.peer, batch=given.batch))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, median in medians.items():
        ratio = f", {median / medians['peer']:.2f} of the peer" if "peer" in medians else ""
        share = f", {shares[name]:.1%} of the time in the step" if name in shares else ""
        print(f"{name}: {median:.1f} img/s{ratio}{share}")


def ours(backend: str, options: list[str], *, name: str) -> dict | None:
    """The output of gan_step.py in a new process; None if that backend is not installed."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    if "oneDNN off" in name:
        environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
    done = subprocess.run(
        [sys.executable, STEP, *options], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def theirs(python: str, script: str, *, batch: int) -> float:
    """The peer's median."""
    done = subprocess.run([python, script, str(batch)], capture_output=True, text=True, check=True)
    return float(re.search(r"median ([\d.]+) img/s", done.stdout)[1])


if __name__ == "__main__":
    main()
