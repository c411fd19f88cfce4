"""What each command of `python -m tasks` does; returns the exit code."""

import dataclasses
import json
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipeline.crawl.local import STANDARD_INPUT
from pipeline.errors import UserError, of_system
from pipeline.labels.folders import export_folders, import_folders
from pipeline.options import STAGE_OPTIONS
from pipeline.options.option import as_text, nearest
from tasks import addresses, homes, launch, records, rubbish, settings, snapshots, state, words
from tasks.plan import plan as make_plan
from tasks.run_pipeline import RunPipeline
from tasks.stages import Generate, Normalize, TrainGan

Command = Callable[[Namespace], int]


def run(given: Namespace) -> int:
    """Bring every stage up to date; with `refresh` the crawl looks for more first."""
    pipeline = _pipeline(given, again=["download"] if given.refresh else None)
    pipeline.requires()  # what is wrong is not to be remembered
    pipeline.remember()
    if given.until:
        return _run_until(pipeline, given)
    if pipeline.complete():
        print(f"{pipeline.dataset}: everything is up to date", file=sys.stderr)
        pipeline.finish()
        return 0
    return launch.launch(pipeline, pipeline, scheduler=given.scheduler, workers=given.workers)


def _run_until(pipeline: RunPipeline, given: Namespace) -> int:
    """Bring one stage and what it needs up to date, and nothing after it."""
    task = pipeline.stages_until(given.until)[-1]
    finish = partial(pipeline.finish_until, task.stage)
    if task.complete():
        print(f"{pipeline.dataset}: everything up to {task.stage} is up to date", file=sys.stderr)
        finish()
        return 0
    return launch.launch(pipeline, task, scheduler=given.scheduler, workers=given.workers, finish=finish)


def plan(given: Namespace) -> int:
    """Print what `run` would do, in lines for people or, with `json`, as one list for programs."""
    steps = make_plan(_pipeline(given, again=["download"] if given.refresh else None), until=given.until)
    print(
        json.dumps([dataclasses.asdict(step) for step in steps])
        if given.json
        else "\n".join(step.line() for step in steps)
    )
    return 0


def rerun(given: Namespace) -> int:
    """Make one stage again and whatever that changes; with `downstream` all that hangs below it."""
    stages = list(STAGE_OPTIONS)
    below = stages[stages.index(given.stage) :] if given.downstream else [given.stage]
    pipeline = _pipeline(given, again=below)
    pipeline.stages_until(given.stage)  # a stage that is not in the chain is a mistake
    pipeline.requires()
    pipeline.remember()
    code = launch.launch(pipeline, pipeline, scheduler=given.scheduler, workers=given.workers)
    if code:
        print(f"what was there before still stands; `rerun {given.stage}` has to be given again", file=sys.stderr)
    return code


def generate(given: Namespace) -> int:
    """Draw with the generator that the settings name; it must have been trained."""
    pipeline = _pipeline(given)
    if not pipeline.upstream(TrainGan).complete():
        raise UserError(
            f"{pipeline.dataset} has no generator trained with these settings; `python -m tasks plan --dataset"
            f" {pipeline.dataset}` says why, `python -m tasks run --dataset {pipeline.dataset}` trains it"
        )
    task = pipeline.upstream(Generate)
    if not task.complete() and (code := launch.launch(pipeline, task, scheduler=given.scheduler)):
        return code
    found = task.published()
    print(words.stage_line(found.manifest), file=sys.stderr)
    print(found.folder)
    return 0


def status(given: Namespace) -> int:
    """Print what there is: the last run, each stage, the labels."""
    names = homes.datasets()
    if not names:
        print("nothing has run yet; `make run` starts with the embedded subject")
    names = [_known(given.dataset)] if given.dataset else names
    wrong = [name for name in names if _wrong(name, verify=given.verify)]
    return 1 if wrong else 0


def _wrong(dataset: str, *, verify: bool) -> bool:
    """Print the state of one dataset; a mistake in its settings must not hide the others."""
    try:
        return bool(state.show(RunPipeline(dataset=dataset), verify=verify))
    except UserError as error:
        print(f"{dataset}: {error}")
    except OSError as error:
        print(f"{dataset}: {of_system(error)}")
    return True


def options(given: Namespace) -> int:
    """Print every setting with its value for the dataset."""
    chosen = settings.resolve(given.dataset, {})
    for stage, cls in STAGE_OPTIONS.items():
        print(f"[{stage}]")
        for field in dataclasses.fields(cls):
            print(
                f"{field.name} = {as_text(getattr(chosen[stage], field.name))}".ljust(44)
                + f"# {field.metadata['help']}"
            )
    return 0


def labels_check(given: Namespace) -> int:
    """Print how many labels of each kind there are; an unreadable line is named."""
    found = list(snapshots.log(_known(given.dataset)).effective().values())
    print(", ".join(f"{found.count(label)} {label}" for label in ("on", "off", "unsure")))
    return 0


def labels_import(given: Namespace) -> int:
    """Label the pictures that lie in the given folders."""
    folders = {name: getattr(given, name) for name in ("on", "off", "unsure", "unlabelled")}
    if not any(folders.values()):
        raise UserError("labels import: give at least one of --on DIR, --off DIR, --unsure DIR, --unlabelled DIR")
    log = snapshots.log(given.dataset)
    before = len(log.effective())
    print(import_folders(log, normalize=_normalized(given.dataset), **folders))
    print(f"labels: {before} → {len(log.effective())}; `python -m tasks plan` says what that changes")
    return 0


def labels_export(given: Namespace) -> int:
    """Copy the pictures into one folder a label, to be sorted by hand and imported again."""
    labels = snapshots.log(given.dataset).effective()
    print(export_folders(labels, normalize=_normalized(given.dataset), to=given.to))
    return 0


def labels_repair(given: Namespace) -> int:
    """Set unreadable lines of the label log aside; all others stay."""
    print(f"{snapshots.log(_known(given.dataset)).repair()} unreadable lines set aside")
    return 0


def gc(given: Namespace) -> int:
    """Delete old folders and say what that freed."""
    removed = rubbish.collect(_pipeline(given), keep=given.keep, dry_run=given.dry_run)
    for folder, size in removed.items():
        print(f"{size / 1e6:9.1f} MB  {folder}")
    print(f"{sum(removed.values()) / 1e6:9.1f} MB {'would be' if given.dry_run else ''} freed".replace("  ", " "))
    return 0


def _pipeline(given: Namespace, *, again: list[str] | None = None) -> RunPipeline:
    """The run that the flags and luigi.cfg describe."""
    overrides = {name: value for name, value in vars(given).items() if "." in name}
    if "query" in given:
        overrides["download.query"] = given.query
    if overrides.get("download.urls") == STANDARD_INPUT:
        overrides["download.urls"] = str(addresses.from_standard_input(given.dataset))
    run_name = records.new_name()
    return RunPipeline(
        dataset=given.dataset,
        settings=settings.resolve(given.dataset, overrides).text(),
        forced=f"{run_name}:{','.join(again)}" if again else "",
        run_name=run_name,
    )


def _known(dataset: str) -> str:
    """`dataset`; a `UserError` that names the nearest one if nothing of it is there."""
    if dataset not in (names := homes.datasets()):
        raise UserError(f"there is no dataset '{dataset}'" + (f"; {nearest(dataset, names)}" if names else " yet"))
    return dataset


def _normalized(dataset: str) -> Path:
    """The folder of squares that the settings in luigi.cfg name, or else the newest."""
    found = RunPipeline(dataset=dataset).upstream(Normalize).published() or homes.shelf(dataset, "normalize").newest()
    if found is None:
        raise UserError(f"{dataset} has no pictures yet; `python -m tasks run --dataset {dataset}` fetches them")
    return found.folder
