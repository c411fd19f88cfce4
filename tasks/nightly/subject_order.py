"""Which subject comes first in a night: the order by need.

1. subjects that never ran
2. subjects that had no turn in their last night, or whose turn was cut short
3. subjects that failed in their last night
4. subjects with labels that the filter has not seen
5. subjects whose training is unfinished
6. all others

Among those of one kind comes first whose pictures were crawled longest ago, then by name.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from pipeline.errors import UserError
from pipeline.labels.log import CurrentLabels
from pipeline.labels.snapshot import read_snapshot, read_validation, snapshot_digest
from pipeline.night_record import WITHOUT_TURN, PlannedSubject, Turn
from pipeline.text import counted
from tasks import label_snapshots, paths
from tasks.nightly import night_figures, night_files

NIGHTS_BACK = 14  # in which the last turn of a subject is looked for


@dataclass(frozen=True, kw_only=True)
class SubjectFacts:
    """What decides about the place of a subject."""

    name: str
    has_run: bool = True
    last: Turn | None = None  # of its last night
    last_night: date | None = None
    new_labels: int = 0
    is_unfinished: bool = False
    refreshed: str = ""  # when its pictures were crawled, ISO 8601, UTC


def in_order(facts: Iterable[SubjectFacts]) -> list[PlannedSubject]:
    """The subjects in the order of their turns, each with why it has its place."""
    ranked = sorted(facts, key=lambda each: (_need(each)[0], each.refreshed, each.name))
    return [PlannedSubject(name=each.name, need=_need(each)[1]) for each in ranked]


def _need(facts: SubjectFacts) -> tuple[int, str]:
    """The number of its kind in the order, and why it has it."""
    if not facts.has_run:
        return 1, "never ran"
    if facts.last and facts.last.outcome in WITHOUT_TURN:
        had = "had no turn" if facts.last.outcome == "skipped" else "was not finished"
        return 2, f"{had} on {facts.last_night}"
    if facts.last and facts.last.is_bad:
        return 3, f"failed on {facts.last_night}"
    if facts.new_labels:
        return 4, counted(facts.new_labels, "new label")
    if facts.is_unfinished:
        return 5, "its training is unfinished"
    return 6, f"crawled {facts.refreshed[:16].replace('T', ' ')}" if facts.refreshed else "never crawled"


def plan_order(names: Iterable[str], night: date, *, read: Callable[[str, date], SubjectFacts]) -> list[PlannedSubject]:
    """The order of the subjects `names` in `night`; `read` finds what decides."""
    return in_order([read(name, night) for name in names])


def read_facts(name: str, night: date) -> SubjectFacts:
    """What decides about the place of the subject `name` in `night`."""
    last_night, last = _last_turn(name, night)
    return SubjectFacts(
        name=name,
        has_run=(paths.dataset_folder(name) / "runs").is_dir(),
        last=last,
        last_night=last_night,
        new_labels=_new_labels(name),
        is_unfinished=night_figures.is_unfinished(name),
        refreshed=night_figures.refreshed(name),
    )


def _last_turn(name: str, night: date) -> tuple[date | None, Turn | None]:
    """The last night before `night` in which the subject had a turn or should have had one."""
    for earlier in [each for each in night_files.dates() if each < night][:NIGHTS_BACK]:
        if found := night_files.turn(earlier, name):
            return earlier, found
    return None, None


def _new_labels(name: str) -> int:
    """How many labels the filter has not seen, or has seen otherwise. Those of the validation set teach it nothing."""
    try:
        current = label_snapshots.log(name).current()
    except (UserError, OSError):  # the turn will say what is wrong with them
        return 0
    used = night_figures.labels_used(name)
    if used == snapshot_digest(current.labels, current.validation):
        return 0
    taught, known = _taught(current), _known(name, used)
    return sum(taught.get(id) != known.get(id) for id in taught.keys() | known.keys())


def _known(name: str, used: str) -> dict[str, str]:
    """What the labels with the digest `used` teach, by id; nothing if there are none, or their snapshot is gone."""
    snapshot = paths.dataset_folder(name) / "labels" / f"{used}.jsonl"
    try:
        return _taught(CurrentLabels(labels=read_snapshot(snapshot), validation=read_validation(snapshot)))
    except (UserError, OSError):
        return {}


def _taught(labels: CurrentLabels) -> dict[str, str]:
    return {id: label for id, label in labels.others().items() if label != "unsure"}
