"""Measures one thing for gpu_check.py, in a process that has the device for itself.

A process of its own gives all memory back when it ends, has a peak of its own, reads flags of its own, and can be
killed. It costs some seconds, mostly of imports. What it finds goes line by line, as JSON, into the file that the job
names: libraries print what they like.
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
# What each kind of job is measured by; the modules load a backend, so each only where it is needed
KINDS = {
    "step": "benchmarks.gpu_step.measure_step",
    "torch": "benchmarks.torch_dcgan.measure_torch",
    "resume, whole": "benchmarks.gpu_resume.train_whole",
    "resume, again": "benchmarks.gpu_resume.train_again",
    "quality": "benchmarks.gpu_quality.measure_quality",
}
LONGEST = 200  # characters of a reason


def main() -> None:
    """Do the job that the first argument describes, in JSON."""
    job = json.loads(sys.argv[1])
    signal.alarm(int(job["limit"]) + 5)  # it ends even where the process that began it is no more
    module, _, function = KINDS[job["kind"]].rpartition(".")
    with Path(job["results"]).open("a", encoding="utf-8") as file:

        def tell(**found: Any) -> None:
            print(json.dumps(found), file=file, flush=True)

        try:
            getattr(importlib.import_module(module), function)(job, tell)
        except Exception as error:  # whatever a backend raises is a finding: the next job goes on
            tell(failed=reason(error))
            sys.stderr.flush()
            os._exit(1)  # a device that has failed may keep an orderly end waiting


def reason(error: BaseException) -> str:
    """What went wrong, in a line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}{': ' if lines else ''}{lines[0] if lines else ''}"[:LONGEST]


if __name__ == "__main__":
    main()
