"""Stands in for `python -m tasks`: records what a run records, and goes on until a file lets it end.

`GATE run ...` works until the file GATE is there. Its text says how the run ends: `failed: WHY`, `refused: WHY` (before
any record), or what the stage filter made. If it begins with `trained`, the run also makes a training and samples. If
GATE.epochs is there, the run trains as slowly as a test wants: see fake_live_training.py.
"""

import json
import os
import platform
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
LONGEST = 50.0  # seconds, so that nothing is left running when a test fails
STAGE = "classifier"


class Record:
    """A record in `folder`, written without loading Luigi. tests/tasks/test_run_contract.py has real ones."""

    def __init__(self, folder: Path) -> None:
        from pipeline.run_record import NAME, process_start

        folder.mkdir(parents=True)
        self.path = folder / NAME
        self.add("start", pid=os.getpid(), born=process_start(os.getpid()), host=platform.node())

    def add(self, event: str, **facts: Any) -> None:
        """Append one event."""
        row = {"event": event, "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"), **facts}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def main() -> int:
    gate = Path(sys.argv[1])
    if sys.argv[2] == "sampler":
        from tests.web import fake_sampler

        fake_sampler.main()
        return 0
    command, dataset = sys.argv[2], sys.argv[sys.argv.index("--dataset") + 1]
    if command in ("options", "remember"):
        from tests.web.fake_settings import answer

        print(json.dumps(answer(gate, sys.argv[3:])))
        return 0
    if command == "plan":
        print(json.dumps([{"stage": "filter", "state": "will run", "reason": "labels changed: 8 → 9"}]))
        return 0
    with gate.with_suffix(".runs").open("a") as file:
        file.write(" ".join(sys.argv[2:]) + "\n")
    if gate.exists() and gate.read_text().startswith("refused"):
        print(f"error: {gate.read_text()}", file=sys.stderr)
        return 2
    record = Record(gate.parent / "data" / dataset / "runs" / f"{datetime.now(timezone.utc):%Y%m%d-%H%M%S-%f}")
    trains = gate.with_suffix(".epochs").exists()
    signal.signal(signal.SIGINT, lambda *_: stop(record, "gan" if trains else STAGE))
    if trains:
        from tests.web import fake_live_training
        from tests.web.fake_dataset import FakeDataset

        how = fake_live_training.train(record, FakeDataset(gate.parent, dataset), gate)
        return end(record, how, "gan") if how else 0
    record.add("plan", until="filter", stages=[STAGE, "filter"])
    record.add("stage_start", stage=STAGE, key="k")
    record.add("progress", stage=STAGE, done=40, total=80, note="learning")
    for _ in range(int(LONGEST / 0.05)):
        if gate.exists():
            break
        time.sleep(0.05)
    how = gate.read_text() if gate.exists() else "failed: nobody opened the gate"
    if how.startswith("trained"):
        train(record, gate.parent, dataset)
    return end(record, how)


def end(record: Record, how: str, stage: str = STAGE) -> int:
    """Record an end, and return the exit code."""
    _, failed, why = how.partition("failed: ")
    if failed:
        record.add("stage", stage=stage, outcome="failed", error=why)
        record.add("end", outcome="failed", error=f"{stage} failed: {why}")
        return 1
    _, awaiting, step = how.partition("next: ")
    if awaiting:
        record.add("stage", stage=STAGE, outcome="next", error=step)
        record.add("end", outcome="next", error=how)
        return 3
    how = how.splitlines()[0].removeprefix("filter").strip()
    record.add("stage", stage=STAGE, outcome="ran", made="learned from 8 on + 8 off", seconds=1.0)
    record.add("stage", stage="filter", outcome="ran", made=how, seconds=0.5)
    record.add("end", outcome="done", seconds=1.5)
    return 0


def train(record: Record, folder: Path, dataset: str) -> None:
    """Make a training with its sheets and networks, and twelve samples."""
    from tests.web import fake_trainings
    from tests.web.fake_dataset import FakeDataset

    fake = FakeDataset(folder, dataset)
    key = fake_trainings.training(fake, record.path.parent.name)
    record.add("stage_start", stage="gan", key=key)
    record.add("stage", stage="gan", outcome="ran", key=key, made="trained", seconds=1.0)
    samples = fake_trainings.samples(fake, key)
    record.add("stage", stage="generate", outcome="ran", key=samples.manifest.key, made="12 samples", seconds=1.0)


def stop(record: Record, stage: str) -> None:
    """End as ctrl-C ends a run."""
    record.add("stage", stage=stage, outcome="stopped", error="stopped; the next run resumes here")
    record.add("end", outcome="stopped", error="stopped; the next run resumes here")
    sys.exit(130)


if __name__ == "__main__":
    sys.exit(main())
