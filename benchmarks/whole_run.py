"""Measure how long `make run` takes on the demo, stage by stage, and commands that should respond at once.

    .venv/bin/python benchmarks/whole_run.py

Runs in a temporary folder with this checkout's luigi.cfg and models; nothing else should run meanwhile. Installation is
not counted, importing TensorFlow is. Takes a few minutes.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine

REPOSITORY = Path(__file__).parent.parent
FAST_COMMANDS = (["--help"], ["plan"], ["status"], ["run"])
REPEATS = 5


def main() -> None:
    """Run once, then time the fast commands."""
    with tempfile.TemporaryDirectory() as folder:
        work_folder = Path(folder)
        shutil.copyfile(REPOSITORY / "luigi.cfg", work_folder / "luigi.cfg")
        shutil.copytree(
            REPOSITORY / "models", work_folder / "models", ignore=lambda _, names: [n for n in names if "." not in n]
        )
        print(f"{machine()}, Python {platform.python_version()}")
        seconds = timed(work_folder, ["run"])
        for row in record(work_folder):
            if row["event"] == "stage":
                print(f"{row['stage']:<14}{row['seconds']:8.1f} s")
        print(f"{'whole run':<14}{seconds:8.1f} s")
        for command_line in FAST_COMMANDS:
            seconds_each = [timed(work_folder, command_line) for _ in range(REPEATS)]
            again = " again" if command_line == ["run"] else ""
            low, high = min(seconds_each), max(seconds_each)
            print(f"{command_line[0] + again:<14}{statistics.median(seconds_each):8.2f} s ({low:.2f} to {high:.2f})")


def timed(work_folder: Path, command_line: list[str]) -> float:
    """Duration in seconds of the process `python -m tasks COMMAND_LINE` in `work_folder`."""
    start = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "tasks", *command_line]
    subprocess.run(command, cwd=work_folder, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def record(work_folder: Path) -> list[dict]:
    """The run log of the only run in `work_folder`."""
    (path,) = work_folder.glob("data/demo/runs/*/record.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
