"""What a run would do, stage by stage, and why: nothing is made, and TensorFlow is not loaded."""

from dataclasses import dataclass, replace

from pipeline.option_types import as_text
from pipeline.store.manifest import Manifest
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask

CURRENT, WILL, MAY = "up to date", "will run", "may run"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What would happen to one stage. `reason` is empty when it is up to date; `remark` says what it works with."""

    stage: str
    state: str
    reason: str = ""
    remark: str = ""

    def line(self) -> str:
        """The step as one line of the plan."""
        words = "; ".join(word for word in (self.reason, self.remark) if word)
        return f"{self.stage:<11}{self.state:<11}{words}".rstrip()


def make_plan(pipeline: RunPipeline, *, until: str = "") -> list[Step]:
    """One step a stage, in the order of the chain; with `until` only those that this stage needs, and itself."""
    pipeline.requires()
    steps: list[Step] = []
    for task in pipeline.stages_until(until):
        step = _step(task, {step.stage for step in steps if step.state != CURRENT})
        steps.append(replace(step, remark=task.remark(again=step.state != CURRENT)))
    return steps


def _step(task: StageTask, pending: set[str]) -> Step:
    key = task.key()
    if key is not None and task.published():
        return Step(stage=task.stage, state=CURRENT)
    reasons = _own_reasons(task, key)
    waits = [upstream.stage for upstream, outputs in task.reads().items() if outputs and upstream.stage in pending]
    if reasons or key is not None:
        return Step(stage=task.stage, state=WILL, reason=", ".join(reasons) or "its inputs changed")
    return Step(stage=task.stage, state=MAY, reason=f"if {_either(waits)} makes something new")


def _own_reasons(task: StageTask, key: str | None) -> list[str]:
    """Why this stage runs whatever comes from above; empty if nothing but that could make it."""
    newest = task.shelf.newest()
    if task.forced_by:
        return ["asked for"]
    if key is not None and (damage := task.shelf.damage(key)):
        return [f"damaged: {damage}"]
    if key is not None and task.shelf.begun(key):
        return ["was begun but not finished" + (", goes on from there" if task.resumable else "")]
    if newest is None:
        return [*task.shelf.damaged().values()] or ["never ran"]
    return changes(task, newest.manifest)


def changes(task: StageTask, before: Manifest) -> list[str]:
    """What is different now from when `before` was made, in words: 'size 64 → 128', 'labels changed: 83 → 91'."""
    found = [] if before.version == task.version else [f"code version {before.version} → {task.version}"]
    now = task.options.significant()
    for name in sorted(now | before.options):
        was, now_is = before.options.get(name), now.get(name)
        if was != now_is:
            found.append(f"{name} {as_text(was) or 'none'} → {as_text(now_is) or 'none'}")
    inputs = task.inputs() or task.content()
    return found + [_input_changed(task, name, before) for name in inputs if inputs[name] != before.inputs.get(name)]


def _input_changed(task: StageTask, name: str, before: Manifest) -> str:
    stage, dot, output = name.partition(".")
    if dot:
        return f"{stage} made other {output}" if output != "folder" else f"{stage} ran"
    was, now = before.notes.get(name), task.notes().get(name)
    return f"{name} changed" + (f": {was} → {now}" if was != now else "")


def _either(names: list[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
