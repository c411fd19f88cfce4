"""Reads how a dataset stands, for its overview page: the state of each stage, the run, the training, the next step."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from pipeline.options import STAGES
from pipeline.run_record import LONGEST_LINE, RunState
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.digest import of_value
from pipeline.text import to_plain_line
from pipeline.web.chain import run_watch, stage_times
from pipeline.web.chain.chain_state import ChainState, RunShown, StageState, StageWord, TrainingShown
from pipeline.web.chain.live_training import LiveTraining
from pipeline.web.chain.plan_cache import Plan, PlanCache, Step, fingerprint
from pipeline.web.chain.stage_figures import figures, headline, notices
from pipeline.web.dataset_paths import DatasetPaths, Site
from pipeline.web.datasets.dataset_cards import NextStep
from pipeline.web.jobs.background_run import BackgroundRun
from pipeline.web.jobs.run_status import RunStatus
from pipeline.web.rendering import dataset_url

MOST_ELSEWHERE = 40  # other datasets whose times are asked
ENDED: dict[str, StageWord] = {"failed": "failed", "next": "needs you", "stopped": "stopped"}
RETURNS = "the next run uses another one that was made before"
PLANNED: dict[str, StageWord] = {"up to date": "up to date", "will run": "will run", "may run": "may run"}


class ChainReader:
    """How one dataset stands."""

    def __init__(
        self,
        site: Site,
        paths: DatasetPaths,
        run_status: Callable[[str], RunStatus],
        suggest: Callable[[DatasetPaths], NextStep],
    ) -> None:
        """Read a dataset.

        Args:
            site: All datasets.
            paths: The dataset.
            run_status: How the run of a dataset stands that works now, or waits, or was the last.
            suggest: What a person does next with a dataset.
        """
        self.site, self.paths = site, paths
        self._run_status, self._suggest = run_status, suggest
        self.background_run = BackgroundRun(command=site.command, dataset=paths.dataset, folder=paths.folder)
        self.live_training = LiveTraining(paths)
        self._plans = PlanCache(self.background_run.plan, lambda: fingerprint(site, paths))

    def state(self) -> ChainState:
        """How it stands now."""
        status = self._run_status(self.paths.dataset)
        record = run_watch.recorded(self.paths.runs, status.began)
        running = status.state == "running"
        plan, fresh = self._plans.current(renew=not running)
        made = {stage: self._store(stage).latest() for stage in STAGES}
        run = run_watch.shown(status, record, runs=self.paths.runs, last=made.get(status.stage))
        stages = [self._stage(stage, made, plan, run, record) for stage in STAGES]
        training = self.live_training.show(_training_key(record, made, running)) or self.live_training.show("")
        found = ChainState(
            dataset=self.paths.dataset,
            version="",
            plan="failed" if plan.error else "current" if fresh or (running and plan.made) else "being made",
            plan_error=plan.error,
            stages=stages,
            run=run,
            training=training,
            next=_next(self._suggest(self.paths), self.paths, stages),
        )
        return found.model_copy(update={"version": _version(found)})

    def record(self) -> RunState | None:
        """The record of the run that is shown."""
        return run_watch.recorded(self.paths.runs, self._run_status(self.paths.dataset).began)

    def _stage(
        self, stage: str, made: dict[str, Artifact | None], plan: Plan, run: RunShown, record: RunState | None
    ) -> StageState:
        last, step = made[stage], plan.steps.get(stage, {})
        state = _state(stage, last, step, run, record)
        ended = record.ended.get(stage) if record else None
        why = ended.error if ended and ENDED.get(ended.outcome) == state else ""
        manifest = last.manifest if last else None
        return StageState(
            stage=stage,
            state=state,
            reason=to_plain_line(why, LONGEST_LINE) or _reason(state, step, run),
            remark=step.get("remark", ""),
            headline=headline(manifest) if manifest else "",
            figures=figures(manifest) if manifest else [],
            notices=notices(manifest) if manifest else [],
            seconds=stage_times.seconds_of(manifest) if manifest else None,
            time=self._time(stage, state, made, run),
            artifact=str(last.folder) if last else "",
            percent=run.percent if state == "running" else None,
        )

    def _time(self, stage: str, state: StageWord, made: dict[str, Artifact | None], run: RunShown) -> str:
        """How long the stage took, is expected to take, or still needs."""
        last = made[stage]
        if state == "running":
            return run.left.partition(",")[0]
        if state in ("up to date", "made"):
            seconds = stage_times.seconds_of(last.manifest) if last else None
            return stage_times.took(seconds) if seconds else ""
        pictures = _pictures(stage, made)
        return stage_times.expected(stage, last, pictures, () if last else self._elsewhere(stage))

    def _elsewhere(self, stage: str) -> Iterator[stage_times.Pace]:
        """How long `stage` took in other datasets."""
        if stage not in stage_times.PER_PICTURE:
            return
        for name in self.site.datasets()[:MOST_ELSEWHERE]:
            if name != self.paths.dataset:
                store: ArtifactStore = getattr(self.site.paths(name), stage)
                if pace := stage_times.pace_of(stage, name, store.latest()):
                    yield pace

    def _store(self, stage: str) -> ArtifactStore:
        store: ArtifactStore = getattr(self.paths, stage)
        return store


class ChainReaders:
    """The readers of all datasets; each is small."""

    def __init__(
        self, site: Site, run_status: Callable[[str], RunStatus], suggest: Callable[[DatasetPaths], NextStep]
    ) -> None:
        self.site, self._run_status, self._suggest = site, run_status, suggest
        self._lock = threading.Lock()
        self._readers: dict[str, ChainReader] = {}

    def of(self, paths: DatasetPaths) -> ChainReader:
        """The reader of the dataset with these `paths`."""
        with self._lock:
            if paths.dataset not in self._readers:
                self._readers[paths.dataset] = ChainReader(self.site, paths, self._run_status, self._suggest)
            return self._readers[paths.dataset]


def _state(stage: str, last: Artifact | None, step: Step, run: RunShown, record: RunState | None) -> StageWord:
    """The state of a stage: by the run while one works, by its end if it ended badly there, or else by the plan."""
    planned = PLANNED.get(step.get("state", ""))
    ended = record.ended.get(stage) if record else None
    if run.state == "running":
        if run.stage == stage and not (ended and ended.outcome in ("ran", "reused")):
            return "running"
        if ended and ended.outcome in ("ran", "reused"):
            return "up to date"
        if run.stage in STAGES and STAGES.index(stage) < STAGES.index(run.stage):
            return "up to date"  # a stage begins when those before it are done
        if record and stage in record.planned:
            return planned or "may run"
    if ended and ended.outcome in ENDED and planned != "up to date":
        return ENDED[ended.outcome]
    return planned or ("made" if last else "not made")


def _reason(state: StageWord, step: Step, run: RunShown) -> str:
    """Why a run would make the stage, or what it would use instead; a stage that this run has made needs no reason."""
    reason = step.get("reason", "")
    if state != "up to date" or not reason:
        return reason
    return "" if run.state == "running" or step.get("state") != state else f"{RETURNS}: {reason}"


def _training_key(record: RunState | None, made: dict[str, Artifact | None], running: bool) -> str:
    """The content key of the training to show: the one that is made now, or else the last one; empty: the newest."""
    started = record.started.get("gan") if record else None
    if started and (running or (record and "gan" in record.ended)):
        return started.key or ""
    last = made["gan"]
    return last.manifest.key if last else ""


def _pictures(stage: str, made: dict[str, Artifact | None]) -> int | None:
    """How many pictures `stage` would read, by the last artifact of the stage before it; None if it is not known."""
    before, field = {"normalize": ("download", "saved"), "filter": ("normalize", "kept")}.get(stage, ("", ""))
    last = made.get(before)
    count = last.manifest.summary.get(field) if last else None
    return count if isinstance(count, int) else None


def _next(suggested: NextStep, paths: DatasetPaths, stages: list[StageState]) -> NextStep:
    """What is next: what was suggested, unless that is to look at samples although a run would make or use others."""
    pending = [each.stage for each in stages if each.state not in ("up to date", "made", "running")]
    others = [each.stage for each in stages if each.state == "up to date" and each.reason]
    if not (pending or others) or suggested.page != dataset_url(paths.dataset, "samples"):
        return suggested
    if pending:
        text = f"Run: {_listed(pending)} {'are' if len(pending) > 1 else 'is'} not up to date."
    else:
        text = f"Run: it uses what {_listed(others)} made before with these settings."
    return NextStep(text=text, page=dataset_url(paths.dataset))


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _version(state: ChainState) -> str:
    """A digest of everything but how far the run is."""
    stages = [each.model_dump(exclude={"percent", "time"}) for each in state.stages]
    training: TrainingShown | None = state.training
    trained: Any = training and [training.key, training.sheet_epoch, len(training.scores), len(training.alarms)]
    if training:
        trained += [alarm.end for alarm in training.alarms]
    run = [state.run.state, state.run.began, state.run.outcome, state.run.stage, state.run.stopping]
    return of_value([stages, trained, run, state.plan, state.plan_error, state.next.model_dump()])[:16]
