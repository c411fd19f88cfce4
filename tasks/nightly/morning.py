"""The morning after a night: bring the disk into its budget, summarise the turns, and write the page."""

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pipeline.errors import UserError, of_system
from pipeline.night_record import PAGE, SUMMARY, NightSummary, Turn
from pipeline.report import night_page
from pipeline.report.night_page import Links
from pipeline.run_record import LONGEST_LINE
from pipeline.store.artifacts import ArtifactStore
from pipeline.store.jsonl import timestamp
from pipeline.text import to_plain_line
from tasks import disk_budget, paths
from tasks.disk_budget import Freed
from tasks.nightly import night_files
from tasks.nightly.night_options import NightlyOptions


def is_made(night: date, subjects: Sequence[str]) -> bool:
    """Whether the page of `night` says what became of all `subjects`."""
    found, turns = night_files.summary(night), night_files.turns(night)
    is_written = (night_files.page_folder(night) / PAGE).exists() or night_files.is_unwritten(night, SUMMARY)
    if found is None or not is_written:
        return False
    return set(subjects) <= turns.keys() and {turn.subject: turn for turn in found.turns} == turns


def make(night: date, subjects: Sequence[str], options: NightlyOptions) -> None:
    """Delete what the budget of disk does not allow, then write the page and the summary; the summary last. If the disk
    does not take the page, a line of the summary says so, and the next command writes both.
    """
    freed = tidy(night, subjects, options)
    turns, plan = night_files.turns(night), night_files.plan(night)
    order = list(plan.needs()) if plan else []
    found = NightSummary(
        date=night,
        began=plan.began if plan else "",
        ended=timestamp(),
        turns=tuple(sorted(turns.values(), key=lambda turn: _place(order, turn))),
        hours=options.hours,
        freed=freed.bytes,
        bytes=freed.left,
        disk_free=_free_bytes(),
        budget=_one_line([freed.budget_line(), *freed.notes[:3]]),
    )
    try:
        _write_page(found)
    except OSError as error:
        line = _one_line([f"the page could not be written: {of_system(error)}", found.budget])
        night_files.keep_unwritten(night, SUMMARY, found.model_copy(update={"budget": line}))
    else:
        night_files.write(night, SUMMARY, found)


def _one_line(parts: Sequence[str]) -> str:
    return to_plain_line("; ".join(filter(None, parts)), LONGEST_LINE)


def _free_bytes() -> int:
    try:
        return shutil.disk_usage(night_files.ROOT).free
    except OSError:
        return 0


def _write_page(found: NightSummary) -> None:
    """Write the page of a night, and let `latest` name it. Errors: `OSError`."""
    folder, store = night_files.page_folder(found.date), ArtifactStore(night_files.PAGES)
    night_page.write(found, folder, links=lambda turn: _links(turn, folder))
    if store.latest_name() <= folder.name:  # a missed night that was made up for is not the latest
        store.point_latest(folder)


def _place(order: Sequence[str], turn: Turn) -> int:
    return order.index(turn.subject) if turn.subject in order else len(order)


def tidy(night: date, subjects: Sequence[str], options: NightlyOptions) -> Freed:
    """Keep all datasets in the budget of disk; what cannot be done is a line, never an error of the night."""
    everything = sorted({*paths.datasets(), *subjects})
    try:
        return disk_budget.keep_within(
            everything, gib=options.gib, days=options.days, nights=bool(options.days), night=night
        )
    except (UserError, OSError) as error:
        line = str(of_system(error)) if isinstance(error, OSError) else str(error)
        return Freed(notes=[f"the disk was not tidied: {line}"])


def _links(turn: Turn, folder: Path) -> Links:
    """The pages and the log of a subject, as far as they are there, relative to the page."""
    generated = paths.generated_folder(turn.subject)
    return Links(
        trainings=night_page.link(folder, generated / "index.html"),
        report=night_page.link(folder, generated / "report" / "latest" / "index.html"),
        log=night_page.link(folder, Path(turn.log)) if turn.log else "",
    )
