"""What a run would do, stage by stage, and why; nothing is made, and TensorFlow is not loaded."""

from dataclasses import dataclass, replace
from typing import Any

from pipeline.option_types import as_text
from pipeline.store.artifacts import Artifact, ArtifactStore
from pipeline.store.manifest import Manifest
from pipeline.text import to_plain_line
from tasks import run_log
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask

LONGEST = 200  # characters of a value
UP_TO_DATE, WILL_RUN, MAY_RUN = "up to date", "will run", "may run"


@dataclass(frozen=True, kw_only=True)
class PlanStep:
    """What would happen to one stage. `reason` is empty if it is up to date; `remark` says what it works with."""

    stage: str
    state: str
    reason: str = ""
    remark: str = ""

    def line(self) -> str:
        """The step as one line of text."""
        text = "; ".join(part for part in (self.reason, self.remark) if part)
        return f"{self.stage:<11}{self.state:<11}{text}".rstrip()


def make_plan(pipeline: RunPipeline, *, until: str = "") -> list[PlanStep]:
    """One step for each stage in order; with `until` only that stage and those it needs."""
    pipeline.requires()
    steps: list[PlanStep] = []
    for task in pipeline.stages_until(until):
        step = _plan_stage(task, {step.stage for step in steps if step.state != UP_TO_DATE})
        steps.append(replace(step, remark=task.remark(again=step.state != UP_TO_DATE)))
    return steps


def _plan_stage(task: StageTask, pending: set[str]) -> PlanStep:
    key = task.key()
    if key is not None and (found := task.published()):
        return PlanStep(stage=task.stage, state=UP_TO_DATE, reason=_return_to(task, found))
    if key is not None:
        return PlanStep(stage=task.stage, state=WILL_RUN, reason=", ".join(_reasons(task, key)))
    reasons = [] if _may_exist(task) else _reasons(task, None)
    if reasons:
        return PlanStep(stage=task.stage, state=WILL_RUN, reason=", ".join(reasons))
    waits_for = [upstream.stage for upstream, outputs in task.reads().items() if outputs and upstream.stage in pending]
    reason = f"if {_join_with_or(waits_for)} makes something new" if waits_for else "if the first labels are others"
    return PlanStep(stage=task.stage, state=MAY_RUN, reason=reason)


def _return_to(task: StageTask, found: Artifact) -> str:
    """Why a stage that need not run takes another artifact than the last run; empty if it is the same."""
    last = task.artifact_store.latest()
    if last is None or last.folder == found.folder:
        return ""
    return ", ".join([*changes(task, last.manifest), f"was made on {found.manifest.created[:10]}"])


def _reasons(task: StageTask, key: str | None) -> list[str]:
    """Why this stage runs; without a `key`, whatever the stages before it make."""
    store, last = task.artifact_store, task.artifact_store.latest()
    if task.forced_by:
        return ["requested"]
    if key is not None and (damage := store.damage(key)):
        return [f"damaged: {damage}"]
    reasons = changes(task, last.manifest) if last else [_without_last(store)]
    if key is not None and store.is_in_use(key):
        return [*reasons, "another run makes it now"]
    if key is not None and (found := store.find(key, unfinished=True)):
        return [*reasons, f"unfinished: {found.manifest.unfinished}"]
    if key is not None and store.begun(key):
        return [*reasons, _how_it_ended(task, key) or "started but not finished" + (", resumes" * task.resumable)]
    return reasons


def _how_it_ended(task: StageTask, key: str) -> str:
    """What the newest run says that came as far as making `key` and could not: why it failed, or what to do first."""
    for record in run_log.newest(task.dataset):
        ended = record.state().ended.get(task.stage)
        if ended and ended.row().get("key") == key:
            return f"{ended.outcome}: {ended.error}" if ended.outcome in ("failed", "next") else ""
    return ""


def _without_last(store: ArtifactStore) -> str:
    """Why a stage runs if the artifact of the last run cannot be compared with."""
    if damaged := [*store.damaged().values()]:
        return damaged[0]
    if name := store.latest_name():
        return f"{store.root / name} of the last run was deleted"
    return "was not made with these settings" if store.folders() else "never ran"


def _may_exist(task: StageTask) -> bool:
    """Whether there is an artifact which this stage takes if the stages before it make what it was made from."""
    known = task.known_inputs()
    return not task.forced_by and any(
        not each.unfinished
        and each.version == task.version
        and each.options == task.options.significant()
        and known.items() <= each.inputs.items()
        for each in task.artifact_store.known_manifests()
    )


def changes(task: StageTask, before: Manifest) -> list[str]:
    """What has changed since `before` was made, as far as it is known: 'size 64 → 128', 'labels changed: 83 → 91'."""
    found = [] if before.version == task.version else [f"code version {before.version} → {task.version}"]
    now = task.options.significant()
    for name in sorted(now | before.options):
        old, new = (values.get(name, task.options.left_out(name)) for values in (before.options, now))
        if old != new:
            found.append(f"{name} {_shown(as_text(old))} → {_shown(as_text(new))}")
    inputs = task.known_inputs()
    changed = [name for name in inputs if inputs[name] != before.inputs.get(name)]
    if found:  # what was not read before is read because of an option or version, and need not have changed
        changed = [name for name in changed if name in before.inputs]
    changed += [name for name in before.notes if name in before.inputs and name not in inputs and not found]
    return found + [_describe_input_change(task, name, before) for name in changed]


def _describe_input_change(task: StageTask, name: str, before: Manifest) -> str:
    stage, dot, output = name.partition(".")
    if dot:
        return f"{stage} made other {output}" if output != "folder" else f"{stage} ran"
    old, new = before.notes.get(name), task.notes().get(name)
    return f"{name} changed" + (f": {_shown(old)} → {_shown(new)}" if old != new else "")


def _shown(value: Any) -> str:
    """A value in a line: names of classes and folders may hold anything."""
    return "none" if value in (None, "") else to_plain_line(str(value), LONGEST)


def _join_with_or(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
