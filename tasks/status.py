"""The command `status`: the last run of each dataset, what it used, its labels, and what is damaged."""

from argparse import Namespace
from collections import Counter

from pipeline.dataset_names import dataset_flag
from pipeline.errors import DamagedState, UserError, of_system
from pipeline.options import STAGES
from pipeline.run_process import is_at_work
from pipeline.store.manifest import check_contents
from tasks import console, dataset_archive, gallery_updates, label_snapshots, paths, run_log
from tasks.plan import UP_TO_DATE, make_plan
from tasks.run_pipeline import RunPipeline


def status(arguments: Namespace) -> int:
    """Print the last run, the stages and the labels; with `drop` take a dataset off the list."""
    if arguments.drop:
        return _drop(arguments.dataset)
    names = paths.datasets()
    if not names:
        print("nothing has run yet; `make run` starts with the embedded demo")
    names = [paths.existing_dataset(arguments.dataset)] if arguments.dataset else names
    damaged = [name for name in names if _show_dataset(name, verify=arguments.verify)]
    return 1 if damaged else 0


def _drop(dataset: str) -> int:
    if not dataset:
        raise UserError("status --drop: name the dataset, for example --drop --dataset pikahcu")
    folder = dataset_archive.archive(paths.existing_dataset(dataset))
    print(f"{dataset}: dropped. All that it had is in {folder}; delete that folder to free the space")
    return 0


def _show_dataset(dataset: str, *, verify: bool) -> bool:
    """Print the state of one dataset; an error in its settings does not hide the other datasets."""
    gallery_updates.correct(dataset)
    try:
        return bool(show_status(RunPipeline(dataset=dataset), verify=verify))
    except UserError as error:
        print(f"{dataset}: {error}")
    except OSError as error:
        print(f"{dataset}: {of_system(error)}")
    return True


def show_status(pipeline: RunPipeline, *, verify: bool = False) -> list[str]:
    """Print the state of one dataset; returns its damage, a line each.

    Each stage has the figures of the artifact that the last run used, and the state that the plan gives it; 'unknown'
    if there can be no plan now, whose error is raised then.
    """
    labels = label_snapshots.describe(pipeline.dataset)
    print(f"{pipeline.dataset}: {_last_run(pipeline.dataset, pipeline.labels)}; labels: {labels}")
    try:
        steps = make_plan(pipeline)
    except UserError:  # for example a folder of pictures that is not there now: what was made is
        for stage in STAGES:
            if found := paths.artifact_store(pipeline.dataset, stage).latest():
                print(f"  {stage:<11}{'unknown':<11}{console.stage_line(found.manifest)}")
        raise
    for step, task in zip(steps, pipeline.stages(), strict=True):
        used = task.artifact_store.latest() or task.published()
        line = console.stage_line(used.manifest) if used else ""
        if step.state == UP_TO_DATE and step.reason:
            line += f"; the next run uses another one that was made before: {step.reason}"
        print(f"  {step.stage:<11}{step.state:<11}{line}".rstrip())
    damage = _find_damage(pipeline, verify=verify)
    for line in damage:
        print(f"  damaged: {line}")
    return damage


def _last_run(dataset: str, labels: str = "") -> str:
    """When the last run was and how it ended, and how many trials came after it; `labels` is the digest of those there
    are now."""
    trials = 0
    for record in run_log.newest(dataset):
        state = record.state()
        if not state.is_trial:
            break
        trials += 1
    else:
        return "only trials ran" if trials else "never ran"
    rows = record.rows()
    if not rows:
        return f"last run unknown: {record.path} holds no complete line"
    without_end = "is at work" if is_at_work(state, record.folder) else "was killed"
    outcome = state.end.outcome if state.end else without_end
    if state.end and outcome == "next":
        asks_still = state.labels == labels
        outcome = state.end.error if asks_still else "asked for labels, which have changed since then"
    stages = Counter(ended.outcome for ended in state.ended.values())
    counts = ", ".join(f"{number} {word}" for word, number in stages.items())
    since = f", and {trials} trial{'s' * (trials > 1)} since then" if trials else ""
    return f"last run {rows[0]['time'][:16]} {outcome}" + (f" ({counts})" if counts else "") + since


def _find_damage(pipeline: RunPipeline, *, verify: bool) -> list[str]:
    damage = [text for task in pipeline.stages() for text in task.artifact_store.damaged().values()]
    for task in pipeline.stages() if verify else []:
        for published in task.artifact_store.all():
            try:
                check_contents(published.manifest, published.folder)
            except DamagedState as error:
                damage.append(
                    f"{error}; `python -m tasks rerun {task.stage}{dataset_flag(task.dataset)}` makes it again"
                )
    return damage
