"""How long `make run` takes on the embedded subject, stage by stage, and the commands that should answer at once.

    .venv/bin/python benchmarks/whole_run.py

Runs in a temporary folder with this checkout's luigi.cfg and models; nothing else should run meanwhile. Installing is
not counted, importing TensorFlow is. Takes some minutes.
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
QUICK = (["--help"], ["plan"], ["status"], ["run"])
TIMES = 5


def main() -> None:
    """Run once, then time what should be quick."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        shutil.copyfile(REPOSITORY / "luigi.cfg", home / "luigi.cfg")
        shutil.copytree(
            REPOSITORY / "models", home / "models", ignore=lambda _, names: [n for n in names if "." not in n]
        )
        print(f"{machine()}, Python {platform.python_version()}")
        seconds = timed(home, ["run"])
        for row in record(home):
            if row["event"] == "stage":
                print(f"{row['stage']:<14}{row['seconds']:8.1f} s")
        print(f"{'whole run':<14}{seconds:8.1f} s")
        for words in QUICK:
            found = [timed(home, words) for _ in range(TIMES)]
            again = " again" if words == ["run"] else ""
            print(f"{words[0] + again:<14}{statistics.median(found):8.2f} s ({min(found):.2f} to {max(found):.2f})")


def timed(home: Path, words: list[str]) -> float:
    """Seconds that `python -m tasks WORDS` takes in `home`, from start to end of its process."""
    start = time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "tasks", *words]
    subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def record(home: Path) -> list[dict]:
    """What the only run in `home` recorded."""
    (path,) = home.glob("data/demo/runs/*/record.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
