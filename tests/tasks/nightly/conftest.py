"""Subjects whose turns take no time."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from luigi.setup_logging import InterfaceLogging
from luigi.task_register import Register

from pipeline.errors import Stopped
from pipeline.night_record import Figures, Outcome, Turn
from pipeline.store.jsonl import timestamp
from tasks.nightly import night_files, subject_turn
from tasks.nightly.night_options import NightlyOptions


class FakeTurns:
    """Gives turns that end as `outcomes` says, `done` without a word, and keeps who had one."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.seconds = 60.0
        self.stops_at = ""  # the subject at which somebody presses ctrl-C
        self.given: list[str] = []

    def give(self, night: date, subject: str, options: NightlyOptions, *, need: str) -> Turn:
        if subject == self.stops_at:
            raise Stopped
        self.given.append(subject)
        outcome = self.outcomes.get(subject, "done")
        found = Turn(
            subject=subject,
            need=need,
            outcome=outcome,
            line=f"<b>{outcome}</b> it is" if outcome != "done" else "",
            began=timestamp("milliseconds"),
            seconds=self.seconds,
            log=str(night_files.log(night, subject)),
            before=Figures(pictures=30, kept=20, kid=0.5, kid_error=0.01, measured_by="one"),
            after=Figures(pictures=44, kept=25, kid=0.4, kid_error=0.01, measured_by="one"),
            bytes=1 << 20,
        )
        return night_files.write_turn(night, found)


@pytest.fixture
def turns(configure, monkeypatch) -> FakeTurns:
    """Turns that take no time, in an empty folder whose luigi.cfg has three subjects."""
    configure("[nightly]\nsubjects = cats,dogs,koalas\nhours = 8\n[worker]\ncheck_complete_on_run = true\n")
    Register.clear_instance_cache()  # of the folders of other tests
    monkeypatch.setattr(InterfaceLogging, "_configured", True)  # no handler that keeps the standard error of one test
    fake = FakeTurns()
    monkeypatch.setattr(subject_turn, "give_turn", fake.give)
    return fake


class FakeStart:
    """Starts processes that end at once with `code`, and keeps their commands."""

    pid, born = 2**30, 1.0

    def __init__(self, code: int = 0, printed: str = "") -> None:
        self.exit_code, self.printed, self.commands = code, printed, []

    def __call__(self, words: Sequence[str], log: Path) -> "FakeStart":
        self.commands.append(list(words))
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(self.printed)
        return self

    def is_working(self) -> bool:
        return False

    def code(self) -> int:
        return self.exit_code

    def interrupt(self) -> None:
        """Nothing: it has ended."""

    def kill(self) -> None:
        """Nothing: it has ended."""
