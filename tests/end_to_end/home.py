"""A working folder with settings that train in seconds, used through the command line like a user."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
SETTINGS = """
[demo.download]
sources = demo
demo_pictures = 130
[normalize]
size = 16
[classifier]
backbone = none
steps = 20
members = 2
[filter]
precision = 0.5
[gan]
definition = tiny
epochs = 4
sample_every = 2
[generate]
count = 20
grid = 4
[core]
autoload_range = false
[worker]
check_complete_on_run = true
[retcode]
already_running = 10
missing_data = 20
not_run = 25
task_failed = 30
scheduling_error = 35
unhandled_exception = 40
"""
# Where the lock on the GPU is: tests in other processes need not wait for it
TEMPORARY = tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True)
STAGES = ("download", "normalize", "classifier", "filter", "gan", "generate", "report")


@dataclass(frozen=True)
class Home:
    """A working folder."""

    folder: Path

    def start(self, *words: str, program: tuple[str, ...] = ("-m", "tasks")) -> subprocess.Popen:
        """Start a command in this folder."""
        settings = {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": TEMPORARY.name}
        environment = os.environ | settings
        return subprocess.Popen(
            [sys.executable, *program, *words],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def do(self, *words: str, code: int = 0, **keywords) -> str:
        """Run a command to its end; returns its output."""
        process = self.start(*words, **keywords)
        said, _ = process.communicate(timeout=300)
        assert process.returncode == code, f"{words} ended with {process.returncode}:\n{said}"
        return said

    def run(self, *words: str) -> list[str]:
        """Run `python -m tasks run`; returns the stages that ran, in order."""
        before = set(self.runs())
        self.do("run", *words)
        (new,) = set(self.runs()) - before
        return self.ran(new)

    def runs(self) -> list[str]:
        """The names of the runs so far."""
        return sorted(path.name for path in (self.folder / "data" / "demo" / "runs").glob("*"))

    def ran(self, run: str) -> list[str]:
        """The stages that `run` made."""
        return [row["stage"] for row in self.rows(run) if row.get("outcome") == "ran"]

    def rows(self, run: str) -> list[dict]:
        """The run log of `run`."""
        path = self.folder / "data" / "demo" / "runs" / run / "record.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def stage_folder(self, stage: str) -> Path:
        """The folder of a stage's artifacts."""
        (found,) = (
            path for top in ("data", "models", "generated") if (path := self.folder / top / "demo" / stage).exists()
        )
        return found

    def outputs(self) -> dict[str, dict[str, str]]:
        """The output digests and the content key of each stage's latest artifact."""
        manifests = {
            stage: json.loads((self.stage_folder(stage) / "latest" / "manifest.json").read_text()) for stage in STAGES
        }
        return {stage: {"key": found["key"], **found["outputs"]} for stage, found in manifests.items()}

    def labels(self) -> list[dict]:
        """The rows of the label log."""
        return [json.loads(line) for line in (self.folder / "data" / "demo" / "labels.jsonl").read_text().splitlines()]

    def label(self, *rows: dict) -> None:
        """Append to the label log, like the label page."""
        from pipeline.labels.log import LabelLog

        LabelLog(self.folder / "data" / "demo" / "labels.jsonl").append(
            {row["id"]: row["label"] for row in rows}, how="test"
        )

    def copy(self, folder: Path) -> "Home":
        """Copy the working folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Home(folder)
