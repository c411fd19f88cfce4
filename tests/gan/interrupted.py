"""Trainings of the stage that are killed, in this process or in another one, and how two trainings are compared."""

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.gan.training.checkpoint import read_arrays
from pipeline.store.jsonl import read_rows
from tests.gan.conftest import OPTIONS

REPOSITORY = Path(__file__).parent.parent.parent
LEFT = ["README.md", "best.npz", "card.json", "definition.json", "discriminator.keras", "final.npz", "generator.keras",
        "plots", "samples", "stats.jsonl"]  # fmt: skip
STEPS = 8  # four epochs of two
SHEETS = ["epoch-0000.png", "epoch-0002.png", "epoch-0004.png", "reals.png"]

CHILD = """
import json, os, sys
from pathlib import Path
from pipeline.gan import train_gan as stage
from pipeline.options import GanOptions
from tests.gan.fake_evaluator import BrightnessEvaluator

stage.SampleEvaluator = BrightnessEvaluator
given = json.loads(sys.argv[1])
def progress(done, total, note=""):
    print(done, flush=True)
    if done == given["die_at"]:
        os.kill(os.getpid(), 9)
folders = {name: Path(path) for name, path in given["folders"].items()}
result = stage.train_gan(
    GanOptions(**given["options"]),
    **folders,
    classifier=None,
    live=None,
    progress=progress,
    should_stop=lambda: False,
)
print(json.dumps(result.outputs))
"""


class Killed(BaseException):
    """A fake SIGKILL in this process: nothing catches it."""


def train_elsewhere(workspace, name, *, die_at=0) -> subprocess.CompletedProcess:
    """Train in a new process, which kills itself after `die_at` steps."""
    folders = {**workspace.inputs, "definition": workspace.definition, "folder": workspace.folder(name)}
    given = {"die_at": die_at, "options": OPTIONS, "folders": {key: str(path) for key, path in folders.items()}}
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", CHILD, json.dumps(given)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def kill_at(patch: pytest.MonkeyPatch, function: str, calls: int) -> None:
    """Let `function` work for so many calls, and then raise `Killed`."""
    path, name = function.rsplit(".", 1)
    owner, left = pkgutil.resolve_name(path), [calls]
    really = getattr(owner, name)

    def killed(*arguments, **keywords):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return really(*arguments, **keywords)

    patch.setattr(owner, name, killed)


def final(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of the last checkpoint, without the seconds."""
    return {name: array for name, array in read_arrays(folder / "final.npz").items() if name != "seconds"}


def figures(folder: Path) -> list[dict]:
    """The rows of stats.jsonl, without the seconds."""
    timed = ("seconds", "images_per_second")
    return [{key: row[key] for key in row if key not in timed} for row in read_rows(folder / "stats.jsonl")]


def assert_same(found: Path, expected: Path) -> None:
    """Assert that two trainings have bit-identical weights, optimizers, statistics and sheets."""
    mine, theirs = final(found), final(expected)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not np.array_equal(mine[name], theirs[name])] == []
    assert figures(found) == figures(expected)
    for sheet in SHEETS:
        assert (found / "samples" / sheet).read_bytes() == (expected / "samples" / sheet).read_bytes()
