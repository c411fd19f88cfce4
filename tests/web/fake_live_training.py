"""A fake run that trains: it writes the sheets, statistics, progress and alarm of a training, as far as a test wants.

The file GATE.epochs says how many epochs are done; a test writes a larger number to let the training come on. When GATE
is there, the training ends as its text says: `failed: WHY`, or well, with samples.
"""

import time
from pathlib import Path
from typing import Any

from pipeline.store.jsonl import read_rows, write_rows
from tests.web import fake_trainings
from tests.web.fake_dataset import FakeDataset

NAME, EPOCHS = "live", 10
ALARM_EPOCH = 3  # from which samples are all alike
LONGEST = 50.0  # seconds, so that nothing is left running when a test fails


def train(record: Any, fake: FakeDataset, gate: Path) -> str:
    """Train until `gate` is there; returns how the run ends, or nothing if it ended well."""
    record.add("plan", until="", stages=["gan", "generate"])
    shown = 0
    for _ in range(int(LONGEST / 0.05)):
        wanted = int(gate.with_suffix(".epochs").read_text() or shown or 1)
        if wanted > shown:
            shown = wanted
            _advance(record, fake, shown)
        if gate.exists():
            break
        time.sleep(0.05)
    how = gate.read_text() if gate.exists() else "failed: nobody opened the gate"
    if how.startswith("failed"):
        return how
    _finish(record, fake)
    return ""


def advance(fake: FakeDataset, epochs: int, *, finished: bool = False) -> str:
    """The training with its first `epochs` epochs; from ALARM_EPOCH on its samples are all alike. Returns its key."""
    key = fake_trainings.training(fake, NAME, epochs=epochs, finished=finished)
    for path in (fake.folder / "generated" / fake.dataset / "training").glob(f"{key[:12]}/stats.jsonl"):
        rows = [row | {"diversity": 0.9 if row["epoch"] < ALARM_EPOCH else 0.1} for row in read_rows(path)]
        write_rows(path, rows)
    return key


def _advance(record: Any, fake: FakeDataset, epochs: int) -> None:
    key = advance(fake, epochs)
    if epochs == 1:
        record.add("stage_start", stage="gan", key=key)
    if epochs >= ALARM_EPOCH:
        record.add("note", stage="gan", text=f"alarm since epoch {ALARM_EPOCH}: samples are all alike")
    record.add("progress", stage="gan", done=epochs, total=EPOCHS, note=f"epoch {epochs} of {EPOCHS}")


def _finish(record: Any, fake: FakeDataset) -> None:
    key = advance(fake, EPOCHS, finished=True)
    record.add("stage", stage="gan", outcome="ran", made=f"{EPOCHS} epochs", key=key, seconds=60.0)
    record.add("stage_start", stage="generate", key="k")
    fake_trainings.samples(fake, key)
    record.add("stage", stage="generate", outcome="ran", made="made 12 samples", seconds=5.0)
    record.add("end", outcome="done", seconds=65.0)
