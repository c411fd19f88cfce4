"""What there is of a dataset, for `python -m tasks status`."""

from collections import Counter

from pipeline.errors import DamagedState
from pipeline.store.manifest import check_contents
from tasks import records, snapshots, words
from tasks.plan import plan
from tasks.run_pipeline import RunPipeline


def show(pipeline: RunPipeline, *, verify: bool = False) -> list[str]:
    """Print the state of one dataset; returns what is wrong with it, a line each."""
    print(f"{pipeline.dataset}: {_last_run(pipeline.dataset)}; {_labels(pipeline.dataset)}")
    for step, task in zip(plan(pipeline), pipeline.stages(), strict=True):
        newest = task.published() or task.shelf.newest()
        line = words.stage_line(newest.manifest) if newest else ""
        print(f"  {step.stage:<11}{step.state:<11}{line}".rstrip())
    wrong = _wrong(pipeline, verify=verify)
    for line in wrong:
        print(f"  damaged: {line}")
    return wrong


def _last_run(dataset: str) -> str:
    record = records.last(dataset)
    if record is None:
        return "never ran"
    rows = record.rows()
    if not rows:
        return f"last run not known: {record.path} holds no whole line"
    outcome = rows[-1]["outcome"] if rows[-1]["event"] == "end" else "running, or killed"
    stages = Counter(record.stages().values())
    counts = ", ".join(f"{number} {word}" for word, number in stages.items())
    return f"last run {rows[0]['time'][:16]} {outcome}" + (f" ({counts})" if counts else "")


def _labels(dataset: str) -> str:
    found = Counter(snapshots.log(dataset).effective().values())
    return "labels: " + (", ".join(f"{number} {label}" for label, number in sorted(found.items())) or "none")


def _wrong(pipeline: RunPipeline, *, verify: bool) -> list[str]:
    wrong = [text for task in pipeline.stages() for text in task.shelf.damaged().values()]
    for task in pipeline.stages() if verify else []:
        for published in task.shelf.all():
            try:
                check_contents(published.manifest, published.folder)
            except DamagedState as error:
                wrong.append(f"{error}; `python -m tasks rerun {task.stage}` makes it again")
    return wrong
