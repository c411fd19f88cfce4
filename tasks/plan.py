"""What a run would do, stage by stage, and why; nothing is made, and TensorFlow is not loaded."""

from dataclasses import dataclass, replace

from pipeline.option_types import as_text
from pipeline.store.manifest import Manifest
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask

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
    if key is not None and task.published():
        return PlanStep(stage=task.stage, state=UP_TO_DATE)
    reasons = _own_reasons(task, key)
    pending_inputs = [
        upstream.stage for upstream, outputs in task.reads().items() if outputs and upstream.stage in pending
    ]
    if reasons or key is not None:
        return PlanStep(stage=task.stage, state=WILL_RUN, reason=", ".join(reasons) or "its inputs changed")
    return PlanStep(stage=task.stage, state=MAY_RUN, reason=f"if {_join_with_or(pending_inputs)} makes something new")


def _own_reasons(task: StageTask, key: str | None) -> list[str]:
    """Why this stage runs whatever the stages before it make; empty if that alone decides."""
    newest = task.artifact_store.newest()
    if task.forced_by:
        return ["requested"]
    if key is not None and (damage := task.artifact_store.damage(key)):
        return [f"damaged: {damage}"]
    if key is not None and task.artifact_store.begun(key):
        return ["started but not finished" + (", resumes" if task.resumable else "")]
    if key is not None and (found := task.artifact_store.find(key, unfinished=True)):
        return [f"unfinished: {found.manifest.unfinished}"]
    if newest is None:
        return [*task.artifact_store.damaged().values()] or ["never ran"]
    return changes(task, newest.manifest)


def changes(task: StageTask, before: Manifest) -> list[str]:
    """What has changed since `before` was made, as text: 'size 64 → 128', 'labels changed: 83 → 91'."""
    found = [] if before.version == task.version else [f"code version {before.version} → {task.version}"]
    now = task.options.significant()
    for name in sorted(now | before.options):
        old, new = before.options.get(name), now.get(name)
        if old != new:
            found.append(f"{name} {as_text(old) or 'none'} → {as_text(new) or 'none'}")
    inputs = task.inputs() or task.content()
    return found + [
        _describe_input_change(task, name, before) for name in inputs if inputs[name] != before.inputs.get(name)
    ]


def _describe_input_change(task: StageTask, name: str, before: Manifest) -> str:
    stage, dot, output = name.partition(".")
    if dot:
        return f"{stage} made other {output}" if output != "folder" else f"{stage} ran"
    old, new = before.notes.get(name), task.notes().get(name)
    return f"{name} changed" + (f": {old} → {new}" if old != new else "")


def _join_with_or(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
