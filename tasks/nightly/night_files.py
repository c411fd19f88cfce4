"""Where the records, logs and pages of nights are.

A record that the disk does not take is kept by this process, so that a night on a full disk goes on to its end and its
mail; the next command knows nothing of it.
"""

from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

from pipeline import night_record
from pipeline.dataset_names import NIGHTS
from pipeline.errors import of_system
from pipeline.night_record import (
    LOGS,
    NEWS,
    PLAN,
    RUNNING,
    SUMMARY,
    TURNS,
    AnyRecord,
    News,
    NightPlan,
    NightSummary,
    Record,
    RunningTurn,
    Turn,
)

ROOT = Path("data") / NIGHTS
PAGES = Path("generated") / NIGHTS
GO_ON_HOURS = 20.0  # in which a night that was interrupted goes on, rather than the night of the next date begins
_unwritten: dict[Path, Record] = {}  # what the disk did not take, by its absolute path


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
    return _read(folder(night) / TURNS / f"{subject}.json", Turn)


def write_turn(night: date, found: Turn) -> Turn:
    """Keep the turn of a subject; returns it, or that it failed if the disk does not take it."""
    path = folder(night) / TURNS / f"{found.subject}.json"
    if fault := _write(path, found):
        found = found.model_copy(update={"outcome": "failed", "line": f"its turn cannot be recorded: {fault}"})
        _keep(path, found)
    return found


def turns(night: date) -> dict[str, Turn]:
    """All turns of a night so far, by subject."""
    names = {path.stem for path in (folder(night) / TURNS).glob("*.json")}
    names |= {path.stem for path in _unwritten if path.parent == (folder(night) / TURNS).absolute()}
    found = (turn(night, name) for name in sorted(names))
    return {each.subject: each for each in found if each}


def running(night: date, subject: str) -> RunningTurn | None:
    """The process that a turn has started and that nobody has seen end."""
    return _read(folder(night) / RUNNING / f"{subject}.json", RunningTurn)


def at_work(night: date) -> list[str]:
    """The subjects whose processes nobody has seen end."""
    return sorted(path.stem for path in (folder(night) / RUNNING).glob("*.json"))


def write_running(night: date, subject: str, found: RunningTurn) -> None:
    """Keep which process works for a subject."""
    _write(folder(night) / RUNNING / f"{subject}.json", found)


def end_running(night: date, subject: str) -> None:
    """No process works for a subject any more."""
    path = folder(night) / RUNNING / f"{subject}.json"
    _unwritten.pop(path.absolute(), None)
    path.unlink(missing_ok=True)


def plan(night: date) -> NightPlan | None:
    """The plan of a night; None before it begins."""
    return _read(folder(night) / PLAN, NightPlan)


def summary(night: date) -> NightSummary | None:
    """The summary of a night; None before it is made."""
    return _read(folder(night) / SUMMARY, NightSummary)


def news(night: date) -> News | None:
    """What became of mail and webhook; None before they are sent."""
    return _read(folder(night) / NEWS, News)


def write(night: date, name: str, record: Record) -> None:
    """Keep a record of the night as a whole: its plan, summary or news."""
    _write(folder(night) / name, record)


def keep_unwritten(night: date, name: str, record: Record) -> None:
    """Keep a record for this process alone, as if the disk had not taken it."""
    _keep(folder(night) / name, record)


def is_unwritten(night: date, name: str) -> bool:
    """Whether only this process has a record."""
    return (folder(night) / name).absolute() in _unwritten


def _read(path: Path, kind: type[AnyRecord]) -> AnyRecord | None:
    kept = _unwritten.get(path.absolute())
    return kept if isinstance(kept, kind) else night_record.read(path, kind)


def _write(path: Path, record: Record) -> str:
    """Write a record; if the disk does not take it, this process keeps it. Returns why, empty if it is written."""
    try:
        night_record.write(path, record)
    except OSError as error:
        _keep(path, record)
        return str(of_system(error, path))
    _unwritten.pop(path.absolute(), None)
    return ""


def _keep(path: Path, record: Record) -> None:
    _unwritten[path.absolute()] = record


def dates() -> list[date]:
    """The dates of all nights with records, the newest first."""
    return [found for path in night_record.nights(ROOT) if (found := night_record.night_of(path))]


def default_date(now: datetime) -> date:
    """The night that a command without a date is about: one that began on its own day, in the last `GO_ON_HOURS` hours,
    and is not finished, else that of today. `now` has a time zone.

    A missed night that somebody makes up for began later than on its day, and does not hold up that of today.
    """
    for night in dates()[:2]:
        if (folder(night) / NEWS).exists() or not (begun := plan(night)):
            continue
        with suppress(ValueError, TypeError):
            began = datetime.fromisoformat(begun.began)
            hours = (now - began).total_seconds() / 3600
            if began.astimezone(now.tzinfo).date() == night and hours < GO_ON_HOURS:
                return night
    return now.date()
