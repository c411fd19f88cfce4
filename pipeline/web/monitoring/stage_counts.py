"""Counts the stages that have ended since this server started, by dataset, stage and outcome.

Of a dataset the newest records of runs are looked at, and those that were looked at before and had no end. Each is read
again only when it has changed.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from pipeline.run_record import NAME, RunEnded, StageEnded, read_events
from pipeline.store.jsonl import timestamp
from pipeline.web.datasets.manifest_heads import stamp

NEWEST = 5  # runs of a dataset that may be at work or have just ended
GONE = (0, 0)  # the stamp of a file that is not there
NOT_COUNTED = ("reused",)  # it did nothing


class CountedStage(NamedTuple):
    """What is counted apart."""

    dataset: str
    stage: str
    outcome: str


class Seen(NamedTuple):
    """How a record was when it was read."""

    changed: tuple[int, int] = GONE
    counted: int = 0  # ends of stages, whether they are of this server's time or not
    has_ended: bool = False


class StageCounts:
    """The counts of one server, for one thread at a time."""

    def __init__(self, *, since: str = "") -> None:
        self.since = since or timestamp("milliseconds")
        self.counts: Counter[CountedStage] = Counter()
        # By dataset and run. Nothing is forgotten: a dataset may leave and come back, and so may the record of a run,
        # when newer ones are deleted
        self._seen: dict[str, dict[str, Seen]] = {}

    def update(self, dataset: str, runs: Path) -> None:
        """Count what has ended in the records below `runs` since they were read last."""
        seen = self._seen.setdefault(dataset, {})
        at_work = (name for name, record in seen.items() if not record.has_ended)
        for name in dict.fromkeys([*_newest(runs), *at_work]):
            changed, known = stamp(runs / name / NAME)[0], seen.get(name, Seen())
            if changed in (known.changed, GONE):
                continue
            events = read_events(runs / name / NAME, progress=False)
            ends = [event for event in events if isinstance(event, StageEnded)]
            for event in ends[known.counted :]:
                if event.time >= self.since and event.outcome not in NOT_COUNTED:
                    self.counts[CountedStage(dataset, event.stage, event.outcome)] += 1
            has_ended = any(isinstance(event, RunEnded) for event in events)
            seen[name] = Seen(changed=changed, counted=max(known.counted, len(ends)), has_ended=has_ended)


def _newest(runs: Path) -> list[str]:
    try:
        return sorted((path.name for path in runs.iterdir()), reverse=True)[:NEWEST]
    except OSError:
        return []
