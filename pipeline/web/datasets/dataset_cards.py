"""What the card of a dataset shows: its numbers, labels and last run, and what a person does next.

Everything is read from the heads of the manifests that the last run used, the label log and the newest records of runs;
each is read again only if it changed. Squares are not looked at: there may be 100,000 of them.
"""

import json
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from pipeline.dataset_names import dataset_flag
from pipeline.errors import UserError
from pipeline.labels.log import LabelLog
from pipeline.labels.snapshot import ENOUGH_TO_BEGIN, EXTRA_LABELS
from pipeline.option_types import as_json
from pipeline.options import parse_setting
from pipeline.run_record import NAME as RECORD
from pipeline.web.dataset_paths import DatasetPaths, Site
from pipeline.web.datasets.card_pictures import card_picture, picture_address
from pipeline.web.datasets.ended_runs import ended_run
from pipeline.web.datasets.manifest_heads import ManifestHead, latest_head, stamp
from pipeline.web.jobs.background_run import FOLDER
from pipeline.web.jobs.job_queue import JobQueue
from pipeline.web.jobs.run_status import RunStatus
from pipeline.web.rendering import dataset_url

State = Literal["running", "labels", "run", "done"]
STATES = {"running": "running", "labels": "needs labels", "run": "run next", "done": "done"}  # as people read them
MAX_CARDS = 500  # datasets whose labels and runs are remembered


class Labels(BaseModel):
    """How many squares have each label."""

    on: int = Field(0, description="on target")
    off: int = Field(0, description="off target")
    skip: int = Field(0, description="skip: neither")


class LastRun(BaseModel):
    """The run that works now, or how the last one ended."""

    state: str = Field("none", description="none, queued, running, done, failed, stopped, next or ended")
    began: str = Field("", description="when, ISO 8601, UTC")
    stage: str = Field("", description="the stage that works, or did last")
    percent: int | None = Field(None, description="how far that stage is; null if it does not say")
    note: str = Field("", description="how far it is, in words, or what it waits for")
    outcome: str = Field("", description="one line about its end")


class NextStep(BaseModel):
    """What a person does next with the dataset."""

    text: str = Field(description="in a few words: label 12 more")
    page: str = Field(description="the address where it is done")


class DatasetCard(BaseModel):
    """One dataset: the figures of the artifacts that its last run used. A figure is null if its stage never ran."""

    name: str
    page: str = Field(description="the address of its overview")
    state: State = Field(description="a run works; labels are missing; a run is next; everything is made")
    waits: str = Field(description="the state as people read it")
    found: int | None = Field(None, description="pictures that were requested")
    saved: int | None = Field(None, description="pictures that were saved")
    squares: int | None = None
    kept: int | None = Field(None, description="squares that the filter keeps")
    samples: int | None = Field(None, description="samples that the generator made")
    labels: Labels
    run: LastRun
    next: NextStep
    picture: str = Field("", description="the address of a picture of it; empty if there is none")
    changed: str = Field("", description="when something was made last, ISO 8601, UTC")
    problem: str = Field("", description="what is wrong, in one line; empty if nothing is")


@dataclass(frozen=True, kw_only=True)
class Heads:
    """The manifests of the artifacts that the last run used."""

    download: ManifestHead | None
    normalize: ManifestHead | None
    classifier: ManifestHead | None
    filter: ManifestHead | None
    gan: ManifestHead | None
    generate: ManifestHead | None

    def number(self, stage: str, name: str) -> int | None:
        """A figure of a stage; None if it never ran."""
        head: ManifestHead | None = getattr(self, stage)
        return head.number(name) if head else None


class DatasetCards:
    """Makes cards, and remembers labels and runs until their files change. Safe for several threads."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs, self._versions = jobs, jobs.site.versions
        self._known: OrderedDict[tuple[str, str], tuple[Any, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def all(self, site: Site) -> list[DatasetCard]:
        """The cards of all datasets, the one that was run last first."""
        cards = [self.card(site.paths(name)) for name in site.datasets()]
        return sorted(cards, key=lambda card: card.changed, reverse=True)

    def card(self, paths: DatasetPaths) -> DatasetCard:
        """The card of one dataset."""
        heads = read_heads(paths)
        labels, teaching, problem = self._remembered(
            paths, "labels", stamp(paths.labels), lambda: _count_labels(paths.labels)
        )
        run = self.run(paths)
        problem = _squares_problem(paths, heads.normalize) or problem
        state, step = _next_step(paths, heads, teaching, run, self._versions)
        return DatasetCard(
            name=paths.dataset,
            page=dataset_url(paths.dataset),
            state=state,
            waits=STATES[state],
            found=heads.number("download", "requested"),
            saved=heads.number("download", "saved"),
            squares=heads.number("normalize", "kept"),
            kept=heads.number("filter", "kept"),
            samples=heads.number("generate", "count"),
            labels=labels,
            run=LastRun(**{name: getattr(run, name) for name in LastRun.model_fields}),
            next=step,
            picture=picture_address(paths, card_picture(paths)),
            changed=_changed(paths, heads, run),
            problem=problem,
        )

    def run(self, paths: DatasetPaths) -> RunStatus:
        """How the run stands that works now or waits for its turn, or how the last one ended; read again if a record
        changed or one works."""
        if self._jobs.unfinished(paths.dataset):
            return self._jobs.run_status(paths.dataset)
        names = sorted((path.name for path in _folders(paths.runs)), reverse=True)
        newest = names[0] if names else ""
        files = paths.runs, paths.runs / newest / RECORD, paths.folder / FOLDER / "run.json"

        def find() -> RunStatus:
            return ended_run(paths.folder, names) or self._jobs.run_status(paths.dataset)

        return self._remembered(paths, "run", (newest, stamp(*files)), find, keep=lambda run: run.state != "running")

    def _remembered(
        self, paths: DatasetPaths, kind: str, stamp: Any, find: Callable[[], Any], keep: Callable[[Any], bool] = bool
    ) -> Any:
        """What `find` returned when the files were as `stamp` says; nothing is locked while it reads."""
        with self._lock:
            known = self._known.get((paths.dataset, kind))
        if known and known[0] == stamp:
            return known[1]
        found = find()
        with self._lock:
            if keep(found):
                self._known[paths.dataset, kind] = stamp, found
            else:
                self._known.pop((paths.dataset, kind), None)
            while len(self._known) > 2 * MAX_CARDS:
                self._known.popitem(last=False)
        return found


def read_heads(paths: DatasetPaths) -> Heads:
    """The manifests of the artifacts that the last run used."""
    stages = ("download", "normalize", "classifier", "filter", "gan", "generate")
    return Heads(**{stage: latest_head(getattr(paths, stage)) for stage in stages})


def _folders(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _count_labels(log: Path) -> tuple[Labels, Labels, str]:
    """How many labels of each kind there are, how many of them teach the filter, which those of the validation set do
    not, and what is wrong with the log."""
    try:
        current = LabelLog(log).current()
    except (UserError, OSError) as error:
        return Labels(), Labels(), str(error)
    return _count(current.labels), _count(current.others()), ""


def _count(by_id: Mapping[str, str]) -> Labels:
    counts = Counter(by_id.values())
    return Labels(on=counts["on"], off=counts["off"], skip=counts["unsure"])


def _squares_problem(paths: DatasetPaths, squares: ManifestHead | None) -> str:
    name = paths.normalize.latest_name()
    if not name or (squares and not squares.is_cut_short()):
        return ""
    again = f"`python -m tasks rerun normalize{dataset_flag(paths.dataset)}` makes them again"
    return f"the squares are damaged: {paths.normalize.root / name} is not what was written; {again}"


def _changed(paths: DatasetPaths, heads: Heads, run: RunStatus) -> str:
    """When the last run began; of a dataset without a run, when its folder was made."""
    if run.began:
        return run.began
    made = max((head.created for head in vars(heads).values() if head), default="")
    seconds = stamp(paths.runs)[0][0] / 1e9
    return made or datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


def _next_step(
    paths: DatasetPaths, heads: Heads, labels: Labels, run: RunStatus, versions: Mapping[str, int]
) -> tuple[State, NextStep]:
    """The state of a dataset, and what a person does next; `versions` are those of the stages now."""

    def step(text: str, tab: str = "") -> NextStep:
        return NextStep(text=text, page=dataset_url(paths.dataset, tab))

    if run.state == "running":
        return "running", step("follow the run")
    if run.state == "queued":
        return "running", step("wait for its turn")
    if not heads.number("normalize", "kept"):
        return "run", step("run: make squares" if run.state != "failed" else "run again")
    if missing := _missing_labels(paths, heads, labels):
        return "labels", step(f"label {missing} more", "label")
    new = _new_labels(heads, labels)
    if new and heads.filter:
        return "run", step(f"run with {new} new label{'s' * (new != 1)}")
    if run.state in ("failed", "ended"):
        return "run", step("run again")
    if run.state == "stopped" or (heads.gan and heads.gan.unfinished):
        return "run", step("run: it goes on")
    if not heads.generate:
        return "run", step("run: train the generator")
    unused = "classifier" if _keeps_all(paths, heads.filter) else ""
    if name := _changed_setting(paths, heads, unused):
        return "run", step(f"run: {name} has changed")
    if old := _outdated(heads, versions, unused):
        return "run", step(f"run: {old} works differently now")
    return "done", step("look at the samples", "samples")


def _changed_setting(paths: DatasetPaths, heads: Heads, unused: str) -> str:
    """The first setting saved for the dataset that differs from the artifact of its stage; empty if none does.

    What was forgotten since, or edited in luigi.cfg, only a plan finds: that takes a process of a second.
    """
    for name, row in _saved_settings(paths).items():
        stage, _, option = name.partition(".")
        head = getattr(heads, stage, None)
        if stage == unused or not isinstance(head, ManifestHead) or option not in head.options:
            continue
        try:
            if as_json(parse_setting(stage, option, row["value"], name)) != head.options[option]:
                return name
        except (UserError, LookupError, TypeError, AttributeError):  # the settings page says what is wrong with it
            continue
    return ""


def _saved_settings(paths: DatasetPaths) -> dict[str, Any]:
    """What is remembered for the dataset, by name; nothing if it cannot be read."""
    try:
        saved = json.loads((paths.folder / "settings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return saved if isinstance(saved, dict) else {}


def _outdated(heads: Heads, versions: Mapping[str, int], unused: str) -> str:
    """The first stage whose artifact another version of the stage made; empty if there is none."""
    made = (head for head in vars(heads).values() if head and head.stage != unused)
    return next((head.stage for head in made if head.version != versions.get(head.stage, head.version)), "")


def _missing_labels(paths: DatasetPaths, heads: Heads, labels: Labels) -> int:
    """How many labels to give next: until there are enough to begin with, then what the filter advises first."""
    if _keeps_all(paths, heads.filter):
        return 0
    missing = sum(max(0, good - getattr(labels, kind)) for kind, good in ENOUGH_TO_BEGIN.items())
    if missing:
        return missing
    advice = heads.filter.summary.get("raise_recall") if heads.filter else None
    first = advice[0] if isinstance(advice, list) and advice and isinstance(advice[0], dict) else {}
    return EXTRA_LABELS if first.get("way") == "labels" and not _new_labels(heads, labels) else 0


def _keeps_all(paths: DatasetPaths, filter: ManifestHead | None) -> bool:
    """Whether the filter keeps every square, so that no labels are needed."""
    try:
        return bool(_saved_settings(paths)["filter.method"]["value"] == "none")
    except (LookupError, TypeError):
        return filter is not None and filter.options.get("method") == "none"


def _new_labels(heads: Heads, labels: Labels) -> int:
    """About how many labels the filter has not seen: by their numbers, as the labels themselves are not compared."""
    used = heads.filter.summary if heads.filter else {}
    if not all(isinstance(used.get(f"labelled_{kind}"), int) for kind in ("on", "off")):
        return 0
    return abs(labels.on - used["labelled_on"]) + abs(labels.off - used["labelled_off"])
