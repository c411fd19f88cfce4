"""Counts the stages that have ended since this server started, by dataset, stage and outcome.

Only the newest records of runs are looked at, and each is read again only when it has changed.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.run_record import NAME, StageEnded, read_events
from pipeline.store.jsonl import timestamp
from pipeline.web.datasets.manifest_heads import stamp

NEWEST = 5  # runs of a dataset that may be at work or have just ended
NOT_COUNTED = ("reused",)  # it did nothing


class CountedStage(NamedTuple):
    """What is counted apart."""

    dataset: str
    stage: str
    outcome: str


class StageCounts:
    """The counts of one server, for one thread at a time."""

    def __init__(self, *, since: str = "") -> None:
        self.since = since or timestamp("milliseconds")
        self.counts: Counter[CountedStage] = Counter()
        self._read: dict[Path, tuple[tuple[int, int], int]] = {}  # how each record was, and how many ends it had

    def update(self, dataset: str, runs: Path) -> None:
        """Count what has ended in the records below `runs` since they were read last."""
        for record in _newest(runs):
            changed, (known, counted) = stamp(record)[0], self._read.get(record, ((0, 0), 0))
            if changed == known:
                continue
            ends = [event for event in read_events(record, progress=False) if isinstance(event, StageEnded)]
            for event in ends[counted:]:
                if event.time >= self.since and event.outcome not in NOT_COUNTED:
                    self.counts[CountedStage(dataset, event.stage, event.outcome)] += 1
            self._read[record] = changed, len(ends)

    def forget_all_but(self, datasets: dict[str, Path]) -> None:
        """Hold nothing in memory of records that are not looked at any more."""
        kept = {record for runs in datasets.values() for record in _newest(runs)}
        self._read = {record: known for record, known in self._read.items() if record in kept}


def _newest(runs: Path) -> Iterator[Path]:
    try:
        names = sorted((path.name for path in runs.iterdir()), reverse=True)[:NEWEST]
    except OSError:
        return
    yield from (runs / name / NAME for name in names)
