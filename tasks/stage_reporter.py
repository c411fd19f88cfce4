"""Reports one stage of a run: to its record, to the console and to luigid, from the same events.

A stage may call `progress` for every picture. What it reports becomes an event at most once in `EVERY` seconds, and in
a long stage less often: no progress bar needs more than `STEPS` steps, and the record of a run of days stays small.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from pipeline.run_record import Event
from pipeline.store.manifest import Manifest
from tasks import console
from tasks.run_log import RunLog

EVERY = 1.0  # seconds between two events on progress
STEPS = 500  # and at least this part of the time that the stage has taken so far
SAY_EVERY = 10.0  # seconds between two lines on the console, and two messages to luigid: a nightly log stays short

Tell = Callable[[str, int | None], None]  # a status message and a percentage for luigid's page


class StageReporter:
    """The events of the stage `stage` in `record`; `tell` passes them on to luigid."""

    def __init__(self, record: RunLog, stage: str, tell: Tell, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._record, self._stage, self._tell, self._clock = record, stage, tell, clock
        self._bar = console.ProgressBar(stage) if sys.stderr.isatty() else None
        self._began = self._said = self._next = clock()
        self._latest: tuple[int, int, str] | None = None  # progress that is not in the record yet

    def started(self, key: str) -> None:
        """The stage begins to make `key`."""
        self._show(self._record.add("stage_start", stage=self._stage, key=key))

    def progress(self, done: int, total: int, note: str = "") -> None:
        """The stage's `Progress`."""
        self._latest = (done, total, note)
        if self._bar:
            self._bar.draw(done, total, note)
        now = self._clock()
        if now >= self._next:
            self._next = now + max(EVERY, (now - self._began) / STEPS)
            self._report(*self._latest, aloud=now - self._said >= SAY_EVERY)

    def made(self, manifest: Manifest) -> None:
        """The stage published its folder."""
        facts = {"key": manifest.key, "seconds": manifest.seconds, "summary": manifest.summary}
        self._end("ran", made=console.stage_line(manifest), **facts)
        for notice in console.notices(manifest):
            self._record.tell("note", stage=self._stage, text=notice)

    def failed(self, outcome: str, error: str, key: str) -> None:
        """The stage failed or was stopped. The console says so when the run ends."""
        self._end(outcome, error=error, key=key)

    def _report(self, done: int, total: int, note: str, *, aloud: bool) -> None:
        self._latest = None
        event = self._record.add("progress", stage=self._stage, done=int(done), total=int(total), note=note)
        if aloud:
            self._said = self._clock()
            self._show(event)
            self._tell(event.note, event.percent)

    def _end(self, outcome: str, **facts: Any) -> None:
        if self._bar:
            self._bar.close()
        if self._latest:
            self._report(*self._latest, aloud=False)
        event = self._record.add("stage", stage=self._stage, outcome=outcome, **facts)
        self._tell(event.made or event.error, 100 if outcome == "ran" else None)
        if outcome == "ran":
            console.show(event)

    def _show(self, event: Event) -> None:
        if not self._bar:
            console.show(event)
