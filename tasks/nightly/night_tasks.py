"""The Luigi tasks of a night: one for the night, one for each subject, one for the page of the morning.

A subject whose run fails has had its turn, so its task is complete: the page is made all the same. `Night` has one
parameter that matters, a date, as `RangeDaily` wants it for missed nights:

    luigi --module tasks RangeDaily --of Night --start 2026-11-27 --stop 2026-12-01 --reverse --local-scheduler

`--stop` is the day after the last night: without it `RangeDaily` goes by the days of UTC.
"""

from datetime import date
from typing import Any

import luigi
from luigi.parameter import ParameterVisibility
from luigi.task import MixinNaiveBulkComplete
from luigi.tools.range import RangeDaily

from tasks import settings
from tasks.error_text import explain
from tasks.nightly import morning, night_lock, night_news, night_options, night_plan
from tasks.nightly.night_options import NightlyOptions

SUBJECTS = 10_000  # most of one night, so that the priorities of two nights do not meet
__all__ = ["Night", "NightPage", "NightSubject", "RangeDaily"]


class NightTask(luigi.Task):
    """A task of the night of one date."""

    date = luigi.DateParameter(description="the night's date, as in 2026-11-30")
    options = luigi.Parameter(
        default="",
        significant=False,
        visibility=ParameterVisibility.PRIVATE,  # luigid has no password, and the address of a webhook may have one
        description="settings of [nightly], as in: 'minutes=10 hours=4'",
    )

    @property
    def chosen(self) -> NightlyOptions:
        """The settings of the night."""
        return night_options.resolve(settings.read_words(self.options))

    @property
    def subjects(self) -> list[str]:
        """The subjects of the night."""
        return night_plan.subjects(self.date, self.chosen)

    def on_failure(self, exception: BaseException) -> str:
        """What luigid's page shows: one line for an error of the user, a traceback for a fault of this program."""
        return explain(exception) or super().on_failure(exception)


class NightSubject(NightTask):
    """The turn of one subject: its run is a process of its own."""

    subject = luigi.Parameter(description="the dataset")

    @property
    def priority(self) -> int:  # type: ignore[override]  # a property is what Luigi's documentation shows
        """Higher for a subject that comes earlier in the order of its night, and for a later night, as those before it
        need not run again what it has run. Above 0, which all other tasks have."""
        return SUBJECTS * self.date.toordinal() - night_plan.place(self.date, self.subject)

    def complete(self) -> bool:
        return night_plan.has_had_turn(self.date, self.subject, self.chosen)

    def run(self) -> None:
        night_plan.run_turn(self.date, self.subject, self.chosen)


def _after_subjects(night: date) -> int:
    """A priority below that of all subjects of a night, and above that of earlier nights, which may take hours. Luigi
    gives the tasks that one requires at least its own priority."""
    return SUBJECTS * (night.toordinal() - 1) + 1


class NightPage(NightTask):
    """The summary of the night and its page, after the disk was brought into its budget."""

    @property
    def priority(self) -> int:  # type: ignore[override]  # a property is what Luigi's documentation shows
        """Below that of its subjects."""
        return _after_subjects(self.date)

    def deps(self) -> list[Any]:
        """The tasks that must be done first. Luigi asks for them only when it runs the night: its plan is kept now, and
        no other process may work at a night until this one ends."""
        night_lock.claim()
        night_plan.begin(self.date, self.chosen)
        return super().deps()

    def requires(self) -> list[NightSubject]:
        return [self.clone(NightSubject, subject=subject) for subject in self.subjects]

    def complete(self) -> bool:
        return all(task.complete() for task in self.requires()) and morning.is_made(self.date, self.subjects)

    def run(self) -> None:
        morning.make(self.date, self.subjects, self.chosen)


class Night(MixinNaiveBulkComplete, NightTask):
    """The whole night: after the page, mail and webhook are sent.

    `RangeDaily` asks the class for the dates that are complete, which the mixin answers by asking each.
    """

    @property
    def priority(self) -> int:  # type: ignore[override]  # a property is what Luigi's documentation shows
        """As that of its page, which comes right after its subjects."""
        return _after_subjects(self.date)

    def requires(self) -> NightPage:
        return self.clone(NightPage)

    def complete(self) -> bool:
        return self.requires().complete() and night_news.is_sent(self.date)

    def run(self) -> None:
        night_news.send_news(self.date, self.chosen)


class MissedNights(RangeDaily):
    """Nights before the last one, whose settings luigid is not told either."""

    of_params = luigi.DictParameter(  # type: ignore[var-annotated]
        default={}, visibility=ParameterVisibility.PRIVATE, description="the settings of `Night`"
    )
