"""Reports one stage of a run: to its record, to the console and to luigid, from the same events.

A stage may call `progress` for every picture. What it reports becomes an event of the record at most once in
`RECORD_EVERY` seconds, and in a long stage less often: no progress bar needs more than `STEPS` steps, and the record of
a run of days stays small. The console and luigid show such an event at most once in `SHOW_EVERY` seconds.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from pipeline.progress import ProgressBar
from pipeline.run_record import Event
from pipeline.store.manifest import Manifest
from tasks import console
from tasks.run_log import RunLog

RECORD_EVERY = 1.0  # seconds between two events on progress
STEPS = 500  # and at least this part of the time that the stage has taken so far
SHOW_EVERY = 10.0  # seconds between two lines on the console, and two messages to luigid: a nightly log stays short

ShowOnLuigid = Callable[[str, int | None], None]  # (status message, percentage or None) for luigid's page


class StageReporter:
    """Records the events of the stage `stage` in `record`, prints their lines and passes them to `show_on_luigid`."""

    def __init__(
        self,
        record: RunLog,
        stage: str,
        show_on_luigid: ShowOnLuigid,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._record, self._stage, self._show_on_luigid, self._clock = record, stage, show_on_luigid, clock
        self._bar = ProgressBar(stage) if sys.stderr.isatty() else None
        self._began = self._shown_at = self._next = clock()
        self._latest: tuple[int, int, str] | None = None  # progress that is not in the record yet

    def started(self, key: str) -> None:
        """The stage begins to make `key`."""
        self._print(self._record.add("stage_start", stage=self._stage, key=key))

    def progress(self, done: int, total: int, note: str = "") -> None:
        """The stage's `Progress`."""
        self._latest = (done, total, note)
        if self._bar:
            self._bar.draw(done, total, note)
        now = self._clock()
        if now >= self._next:
            self._next = now + max(RECORD_EVERY, (now - self._began) / STEPS)
            self._report(*self._latest, also_show=now - self._shown_at >= SHOW_EVERY)

    def tell(self, line: str) -> None:
        """Record a line that the stage tells while it works, such as an alarm, and show it at once."""
        event = self._record.add("note", stage=self._stage, text=line)
        if self._bar:
            self._bar.tell(event.line())
        self._print(event)

    def made(self, manifest: Manifest) -> None:
        """The stage published its folder."""
        facts = {"key": manifest.key, "seconds": manifest.seconds, "summary": manifest.summary}
        self._end("ran", made=console.stage_line(manifest), **facts)
        for notice in console.notices(manifest):
            self._record.add_and_print("note", stage=self._stage, text=notice)

    def failed(self, outcome: str, error: str, key: str) -> None:
        """The stage failed, was stopped, or needs something of the user. The console says so when the run ends."""
        self._end(outcome, error=error, key=key)

    def _report(self, done: int, total: int, note: str, *, also_show: bool) -> None:
        """Record progress; with `also_show`, print it on the console and show it on luigid's page."""
        self._latest = None
        event = self._record.add("progress", stage=self._stage, done=int(done), total=int(total), note=note)
        if also_show:
            self._shown_at = self._clock()
            self._print(event)
            self._show_on_luigid(event.words, event.percent)

    def _end(self, outcome: str, **facts: Any) -> None:
        if self._bar:
            self._bar.close()
        if self._latest:
            self._report(*self._latest, also_show=False)
        event = self._record.add("stage", stage=self._stage, outcome=outcome, **facts)
        self._show_on_luigid(event.made or event.error, 100 if outcome == "ran" else None)
        if outcome == "ran":
            console.print_event(event)

    def _print(self, event: Event) -> None:
        """Print the line of `event`, unless a progress bar shows how far the stage is."""
        if not self._bar:
            console.print_event(event)
