"""The runs of a dataset as the studio lists them: outcome, what changed since the run before, kept squares."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from starlette.exceptions import HTTPException

from pipeline.errors import DamagedState
from pipeline.labels.log import LABEL_NAMES
from pipeline.labels.snapshot import read_snapshot
from pipeline.option_types import as_text
from pipeline.run_process import is_at_work
from pipeline.run_record import read_state
from pipeline.store.artifacts import Artifact
from pipeline.store.digest import is_digest
from pipeline.text import to_plain_line
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.trainings.history_bodies import ChangeBody, NoteBody, RunBody, RunDetail, StageBody, TrainingBody
from pipeline.web.trainings.notes import NONE, RUN, read_notes
from pipeline.web.trainings.run_facts import RunFacts, full_settings, read_facts, run_folders
from pipeline.web.trainings.training_list import kid_place
from pipeline.web.trainings.trainings_view import FoundTraining, TrainingsView

Show = Literal["all", "starred", "done", "failed", "stopped", "next", "running", "killed", "trials"]
Sort = Literal["newest", "oldest", "longest", "kid"]
SHOWS, SORTS = get_args(Show), get_args(Sort)
RUNNING, KILLED = "running", "killed"
KILLED_REASON = "its process ended before it could record why: it was killed, or the machine went down"
SEED = "seed"  # what a record has as the labels of a first run of the demo, which makes them
LONGEST_TEXT = 200  # characters of a value that is shown


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which runs are listed, and in which order."""

    show: str = "all"  # one of SHOWS
    sort: Sort = "newest"
    text: str = ""  # of their name, note, reason or settings


class RunsView:
    """The runs of one dataset, as they are now."""

    def __init__(self, paths: DatasetPaths) -> None:
        self.paths = paths
        self.trainings = TrainingsView(paths)
        self.notes = read_notes(paths.folder)

    def page(self, wanted: Wanted, *, start: int, count: int) -> tuple[int, list[RunBody]]:
        """How many runs there are that are wanted, and `count` of them from `start` on."""
        if wanted == Wanted():
            folders = self._folders
            part = [self._facts(folder) for folder in folders[start : start + count]]
            return len(folders), [self.body(facts) for facts in part if facts]
        found = [self.body(facts) for facts in map(self._facts, self._folders) if facts]
        found = [run for run in found if _is_wanted(run, wanted)]
        found = sorted(found, key=lambda run: _place(run, wanted.sort)) if wanted.sort != "newest" else found
        return len(found), found[start : start + count]

    def find(self, name: str) -> RunFacts:
        """The run called `name`; status 404 if there is none."""
        folder = next((folder for folder in self._folders if folder.name == name), None)
        facts = self._facts(folder) if folder else None
        if facts is None:
            raise HTTPException(404, f"there is no run {to_plain_line(name, 60)!r} of this dataset")
        return facts

    def body(self, facts: RunFacts) -> RunBody:
        """A run in a list."""
        return RunBody(**self._row(facts))

    def detail(self, facts: RunFacts) -> RunDetail:
        """A run with all its settings."""
        settings = full_settings(facts.settings) if facts.settings is not None else {}
        return RunDetail(**self._row(facts), labels=facts.state.labels, settings=settings, notes=list(facts.notes))

    def artifact(self, facts: RunFacts, stage: str) -> Artifact | None:
        """What `stage` of the run made or used; None if it did not come so far, or it was deleted."""
        return self._artifacts(stage).get(facts.keys.get(stage, ""))

    def training(self, facts: RunFacts) -> FoundTraining | None:
        """The training that the run made or used; None if it did not come so far."""
        return self._trainings.get(facts.keys.get("gan", ""))

    def _row(self, facts: RunFacts) -> dict[str, Any]:
        before, training = self._before(facts), self.training(facts)
        outcome, reason = self._outcome(facts)
        return {
            "name": facts.name,
            "began": facts.state.began,
            "seconds": facts.seconds,
            "outcome": outcome,
            "reason": reason,
            "trial": facts.state.is_trial,
            "until": facts.state.until,
            "stages": [StageBody(**asdict(each), key=facts.keys.get(each.stage, "")) for each in facts.stages],
            "changes": self.changes(before, facts) if before else [],
            "before": before.name if before else "",
            "kept": self._kept(facts),
            "training": self._bodies(training) if training else None,
            "trained": any(each.stage == "gan" and each.outcome == "ran" for each in facts.stages),
            "note": NoteBody(**asdict(self.notes.get((RUN, facts.name), NONE))),
        }

    def changes(self, before: RunFacts, now: RunFacts) -> list[ChangeBody]:
        """Which settings, and whether the labels, differ between two runs."""
        found = setting_changes(before, now)
        old, new = (label_digest(each, self.artifact(each, "filter")) for each in (before, now))
        if old and new and old != new:
            texts = [label_counts(self.paths, labels) for labels in (old, new)]
            found.append(ChangeBody(name="labels", before=texts[0], after=texts[1]))
        return found

    def _before(self, facts: RunFacts) -> RunFacts | None:
        """The run before, apart from trials, which no later run is about."""
        place = self._places[facts.name]
        for folder in self._folders[place + 1 :]:
            found = self._facts(folder)
            if found and not found.state.is_trial and found.settings is not None:
                return found
        return None

    def _outcome(self, facts: RunFacts) -> tuple[str, str]:
        """How the run stands, and why."""
        if facts.outcome:
            return facts.outcome, facts.reason
        folder = self.paths.runs / facts.name
        if not is_at_work(facts.state, folder):
            return KILLED, KILLED_REASON
        progress = read_state(folder).progress
        return RUNNING, to_plain_line(progress.line(), LONGEST_TEXT) if progress else ""

    def _kept(self, facts: RunFacts) -> str:
        figures = facts.figures.get("filter") or {}
        if not figures and (artifact := self.artifact(facts, "filter")):
            figures = artifact.manifest.summary
        kept, images = figures.get("kept"), figures.get("images")
        return f"{kept:,} of {images:,}" if type(kept) is int and type(images) is int else ""

    def _facts(self, folder: Path) -> RunFacts | None:
        return read_facts(folder)

    def _bodies(self, training: FoundTraining) -> TrainingBody:
        if training.id not in self._made:
            self._made[training.id] = self.trainings.body(training)
        return self._made[training.id]

    @cached_property
    def _made(self) -> dict[str, TrainingBody]:
        return {}

    @cached_property
    def _folders(self) -> list[Path]:
        return run_folders(self.paths.runs)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {folder.name: place for place, folder in enumerate(self._folders)}

    @cached_property
    def _trainings(self) -> dict[str, FoundTraining]:
        return {found.training.key: found for found in self.trainings.all()}

    @cached_property
    def _filters(self) -> dict[str, Artifact]:
        return {each.manifest.key: each for each in self.paths.filter.all()}

    def _artifacts(self, stage: str) -> dict[str, Artifact]:
        return self._filters if stage == "filter" else {}


def label_digest(run: RunFacts | None, filter: Artifact | None) -> str:
    """The digest of the labels of a run: what its filter read, or else what the run was given; empty if not known."""
    read = filter.manifest.inputs.get("labels") if filter else None
    given = run.state.labels if run else ""
    return str(read) if read else "" if given == SEED else given


def setting_changes(before: RunFacts, now: RunFacts) -> list[ChangeBody]:
    """Which settings differ between two runs, in the order of their names."""
    if before.settings is None or now.settings is None:
        return []
    old, new = (full_settings(each.settings or {}) for each in (before, now))
    names = [name for name in sorted(before.settings.keys() | now.settings.keys()) if old.get(name) != new.get(name)]
    return [ChangeBody(name=name, before=in_words(old.get(name)), after=in_words(new.get(name))) for name in names]


def in_words(value: Any) -> str:
    """A setting as it is written in luigi.cfg."""
    return to_plain_line(as_text(value), LONGEST_TEXT) or "(empty)"


def label_counts(paths: DatasetPaths, digest: str) -> str:
    """How many labels a snapshot has: "30 on target, 50 off target"."""
    try:
        path = _snapshot_path(paths, digest)
        return _count_words(path, path.stat().st_mtime_ns)
    except OSError:
        return "a snapshot that is gone"


def snapshot(paths: DatasetPaths, digest: str) -> dict[str, str] | None:
    """The labels of the snapshot `digest`, by id of the square; None if it is gone or damaged. Do not change it."""
    try:
        path = _snapshot_path(paths, digest)
        return _snapshot(path, path.stat().st_mtime_ns)
    except (OSError, DamagedState):
        return None


def _snapshot_path(paths: DatasetPaths, digest: str) -> Path:
    """The file of a snapshot. Errors: `FileNotFoundError` if `digest` is none, as a record may say anything."""
    if not is_digest(digest):
        raise FileNotFoundError(digest)
    return paths.folder / "labels" / f"{digest}.jsonl"


@lru_cache(maxsize=2000)
def _count_words(path: Path, modified: int) -> str:
    """How many labels a snapshot has, by how often each is written in it: a list has many snapshots to count."""
    data = path.read_bytes()
    found = {label: data.count(b'"label": "%s"' % label.encode()) for label in LABEL_NAMES}
    return label_words(label for label, count in found.items() for _ in range(count))


@lru_cache(maxsize=4)  # a snapshot of 100,000 labels takes some 20 MB
def _snapshot(path: Path, modified: int) -> dict[str, str]:
    return read_snapshot(path)


def _is_wanted(run: RunBody, wanted: Wanted) -> bool:
    shown = {"all": True, "starred": run.note.star, "trials": run.trial}.get(wanted.show, run.outcome == wanted.show)
    return shown and (not wanted.text or wanted.text.casefold() in _searched(run))


def _searched(run: RunBody) -> str:
    """What a search looks at."""
    changes = (f"{change.name} {change.before} {change.after}" for change in run.changes)
    texts = [run.name, run.note.name, run.note.note, run.reason, run.until, *changes]
    if run.training:
        texts += [run.training.folder_name, run.training.note.name, run.training.id]
    return "\n".join(texts).casefold()


def _place(run: RunBody, sort: Sort) -> Any:
    """Where the run is in the order."""
    if sort == "longest":
        return -(run.seconds or 0.0)
    if sort == "kid":
        return kid_place(run.training.score if run.training else None)
    return run.name


def label_words(labels: Iterable[str]) -> str:
    """How many labels of each kind there are."""
    found = Counter(labels)
    words = [f"{found[label]:,} {name}" for label, name in LABEL_NAMES.items() if found[label]]
    return ", ".join(words) or "none"
