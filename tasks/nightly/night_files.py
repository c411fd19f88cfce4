"""Where the records, logs and pages of nights are."""

from datetime import date, datetime
from pathlib import Path

from pipeline import night_record
from pipeline.night_record import (
    LOGS,
    NEWS,
    PLAN,
    RUNNING,
    SUMMARY,
    TURNS,
    NightPlan,
    NightSummary,
    Record,
    RunningTurn,
    Turn,
)
from pipeline.options import NIGHTS

ROOT = Path("data") / NIGHTS
PAGES = Path("generated") / NIGHTS
PAGE = "index.html"
GO_ON_HOURS = 20.0  # in which a night that was interrupted goes on, rather than the night of the next date begins


def folder(night: date) -> Path:
    """The folder of the records of a night."""
    return ROOT / night.isoformat()


def page_folder(night: date) -> Path:
    """The folder of the page of a night."""
    return PAGES / night.isoformat()


def log(night: date, subject: str) -> Path:
    """The file of what the process of a subject prints."""
    return folder(night) / LOGS / f"{subject}.txt"


def turn(night: date, subject: str) -> Turn | None:
    """The turn of a subject; None if it has none yet."""
    return night_record.read(folder(night) / TURNS / f"{subject}.json", Turn)


def write_turn(night: date, found: Turn) -> None:
    """Keep the turn of a subject."""
    night_record.write(folder(night) / TURNS / f"{found.subject}.json", found)


def turns(night: date) -> dict[str, Turn]:
    """All turns of a night so far, by subject."""
    found = (night_record.read(path, Turn) for path in sorted((folder(night) / TURNS).glob("*.json")))
    return {each.subject: each for each in found if each}


def running(night: date, subject: str) -> RunningTurn | None:
    """The process that a turn has started and that nobody has seen end."""
    return night_record.read(folder(night) / RUNNING / f"{subject}.json", RunningTurn)


def write_running(night: date, subject: str, found: RunningTurn) -> None:
    """Keep which process works for a subject."""
    night_record.write(folder(night) / RUNNING / f"{subject}.json", found)


def end_running(night: date, subject: str) -> None:
    """No process works for a subject any more."""
    (folder(night) / RUNNING / f"{subject}.json").unlink(missing_ok=True)


def plan(night: date) -> NightPlan | None:
    """The plan of a night; None before it begins."""
    return night_record.read(folder(night) / PLAN, NightPlan)


def summary(night: date) -> NightSummary | None:
    """The summary of a night; None before it is made."""
    return night_record.read(folder(night) / SUMMARY, NightSummary)


def write(night: date, name: str, record: Record) -> None:
    """Keep a record of the night as a whole: its plan, summary or news."""
    night_record.write(folder(night) / name, record)


def dates() -> list[date]:
    """The dates of all nights with records, the newest first."""
    return [found for path in night_record.nights(ROOT) if (found := night_record.night_of(path))]


def default_date(now: datetime) -> date:
    """The night that a command without a date is about: one that began in the last `GO_ON_HOURS` hours and is not
    finished, else that of today. `now` has a time zone."""
    for night in dates()[:2]:
        begun = plan(night)
        if begun and not (folder(night) / NEWS).exists() and _hours_since(begun.began, now) < GO_ON_HOURS:
            return night
    return now.date()


def _hours_since(began: str, now: datetime) -> float:
    try:
        return (now - datetime.fromisoformat(began)).total_seconds() / 3600
    except (ValueError, TypeError):
        return GO_ON_HOURS
