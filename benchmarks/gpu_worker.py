"""Runs one job of gpu_check.py, in a process that has the device for itself.

A process of its own releases all memory when it ends, has its own peak memory and flags, and can be killed. It costs
some seconds, mostly for imports. It writes its findings as JSON lines into the file that the job names, since libraries
may print anything.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
# The function of each kind of job; the modules load a backend, so each is imported only if needed
KINDS = {
    "step": "benchmarks.gpu_step.measure_step",
    "torch": "benchmarks.torch_dcgan.measure_torch",
    "resume, whole": "benchmarks.gpu_resume.train_whole",
    "resume, again": "benchmarks.gpu_resume.train_again",
    "quality": "benchmarks.gpu_quality.measure_quality",
}
LONGEST = 200  # characters of a reason


def main() -> None:
    """Run the job in the first argument, a JSON object."""
    job = json.loads(sys.argv[1])
    signal.alarm(int(job["limit"]) + 5)  # it also ends if its parent has died
    module, _, function = KINDS[job["kind"]].rpartition(".")
    with Path(job["results"]).open("a", encoding="utf-8") as file:

        def tell(**found: Any) -> None:
            print(json.dumps(found), file=file, flush=True)

        try:
            getattr(importlib.import_module(module), function)(job, tell)
        except Exception as error:  # any error of a backend is a finding
            tell(failed=reason(error))
            sys.stderr.flush()
            os._exit(1)  # a normal exit may hang on a failed device


def reason(error: BaseException) -> str:
    """The error in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' if lines else ''}{lines[0] if lines else ''}"[:LONGEST]


if __name__ == "__main__":
    main()
