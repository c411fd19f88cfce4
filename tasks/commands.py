"""The commands of `python -m tasks`; each returns the exit code."""

import dataclasses
import json
import os
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipeline.crawl.url import STANDARD_INPUT
from pipeline.errors import DamagedState, UserError, of_system
from pipeline.gan.config import Definition, Difference, Reading, as_tree, differences, read, schema_text
from pipeline.labels.folders import export_folders, import_folders
from pipeline.options import STAGE_OPTIONS
from pipeline.options.option import as_text, nearest
from pipeline.store.manifest import check_contents
from pipeline.text import plain
from tasks import cleanup, console, label_snapshots, paths, run_log, runner, settings
from tasks.plan import make_plan
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
    return runner.launch(pipeline, pipeline, scheduler=given.scheduler, workers=given.workers)


def _run_until(pipeline: RunPipeline, given: Namespace) -> int:
    """Bring one stage and what it needs up to date, and nothing after it."""
    task = pipeline.stages_until(given.until)[-1]
    finish = partial(pipeline.finish_until, task.stage)
    if task.complete():
        print(f"{pipeline.dataset}: everything up to {task.stage} is up to date", file=sys.stderr)
        finish()
        return 0
    return runner.launch(pipeline, task, scheduler=given.scheduler, workers=given.workers, finish=finish)


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
    code = runner.launch(pipeline, pipeline, scheduler=given.scheduler, workers=given.workers)
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
    if not task.complete() and (code := runner.launch(pipeline, task, scheduler=given.scheduler)):
        return code
    found = task.finished()
    print(console.stage_line(found.manifest), file=sys.stderr)
    print(found.folder)
    return 0


def status(given: Namespace) -> int:
    """Print what there is: the last run, each stage, the labels."""
    names = paths.datasets()
    if not names:
        print("nothing has run yet; `make run` starts with the embedded subject")
    names = [_known(given.dataset)] if given.dataset else names
    wrong = [name for name in names if _wrong(name, verify=given.verify)]
    return 1 if wrong else 0


def _wrong(dataset: str, *, verify: bool) -> bool:
    """Print the state of one dataset; a mistake in its settings must not hide the others."""
    try:
        return bool(show_status(RunPipeline(dataset=dataset), verify=verify))
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
    found = list(label_snapshots.log(_known(given.dataset)).effective().values())
    print(", ".join(f"{found.count(label)} {label}" for label in ("on", "off", "unsure")))
    return 0


def labels_import(given: Namespace) -> int:
    """Label the pictures that lie in the given folders."""
    folders = {name: getattr(given, name) for name in ("on", "off", "unsure", "unlabelled")}
    if not any(folders.values()):
        raise UserError("labels import: give at least one of --on DIR, --off DIR, --unsure DIR, --unlabelled DIR")
    log = label_snapshots.log(given.dataset)
    before = len(log.effective())
    print(import_folders(log, normalize=_normalized(given.dataset), **folders))
    advice = console.as_called("`python -m tasks plan` says what that changes")
    print(f"labels: {before} → {len(log.effective())}; {advice}")
    return 0


def labels_export(given: Namespace) -> int:
    """Copy the pictures into one folder a label, to be sorted by hand and imported again."""
    labels = label_snapshots.log(given.dataset).effective()
    print(export_folders(labels, normalize=_normalized(given.dataset), to=given.to))
    return 0


def labels_repair(given: Namespace) -> int:
    """Set unreadable lines of the label log aside; all others stay."""
    print(f"{label_snapshots.log(_known(given.dataset)).repair()} unreadable lines set aside")
    return 0


def gc(given: Namespace) -> int:
    """Delete old folders and say what that freed."""
    removed = cleanup.collect_garbage(_pipeline(given), keep=given.keep, dry_run=given.dry_run)
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
        overrides["download.urls"] = str(settings.from_standard_input(given.dataset))
    run_name = run_log.new_name()
    return RunPipeline(
        dataset=given.dataset,
        settings=settings.resolve(given.dataset, overrides).text(),
        forced=f"{run_name}:{','.join(again)}" if again else "",
        run_name=run_name,
    )


def _known(dataset: str) -> str:
    """`dataset`; a `UserError` that names the nearest one if nothing of it is there."""
    if dataset not in (names := paths.datasets()):
        raise UserError(f"there is no dataset '{dataset}'" + (f"; {nearest(dataset, names)}" if names else " yet"))
    return dataset


def _normalized(dataset: str) -> Path:
    """The folder of squares that the settings in luigi.cfg name, or else the newest."""
    found = RunPipeline(dataset=dataset).upstream(Normalize).published() or paths.shelf(dataset, "normalize").newest()
    if found is None:
        raise UserError(f"{dataset} has no pictures yet; `python -m tasks run --dataset {dataset}` fetches them")
    return found.folder


LINE = 500  # characters of a description that a line shows


def models_list(given: Namespace) -> int:
    """Print a line for each definition in models/: its loss and what it is for, or what is wrong with it."""
    found = paths.definitions()
    name_width = max(map(len, found), default=0)
    for name, path in found.items():
        print(f"{name.ljust(name_width)}  {_line(path)}".rstrip())
    return 0


def models_show(given: Namespace) -> int:
    """Print what one definition has other than the defaults, what that means, and the whole of it."""
    path = _file(given.name)
    reading = _read_aloud(path)
    definition = reading.definition
    print(f"{path}: {plain(definition.description, LINE)}".rstrip(": "))
    changed = differences(definition)
    print("\nother than the defaults:" if changed else "\nevery key has its default")
    for difference in changed:
        print(f"  {_difference(difference)}")
    print(f"\nthe whole of it:\n{_whole(definition)}")
    return 0


def models_check(given: Namespace) -> int:
    """Print what is wrong with each definition and what of it is not followed; 2 if any cannot be used."""
    wrong = 0
    for name in given.names or paths.definitions():
        try:
            path = _file(name)
            if path.name == paths.SCHEMA:
                print(f"{path}: what editors read, no definition")
                continue
            _read_aloud(path)
            print(f"{path}: ok")
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            wrong += 1
    return 2 if wrong else 0


def models_schema(given: Namespace) -> int:
    """Write the JSON schema that `"$schema"` in a definition leads editors to."""
    try:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise UserError(f"--output {given.output}: cannot be written: {error.strerror}") from None
    print(given.output)
    return 0


def _line(path: Path) -> str:
    try:
        reading = read(path)
    except UserError as error:
        return f"wrong: {str(error).removeprefix(f'{path}: ')}"
    many = len(reading.warnings)
    which = "1 key is" if many == 1 else f"{many} keys are"
    note = f" ({which} not followed: `models check {path.stem}` says why)" if many else ""
    return f"{reading.definition.loss.ljust(14)}  {plain(reading.definition.description, LINE)}{note}"


def _read_aloud(path: Path) -> Reading:
    """The definition in `path`; what of it is not followed is printed."""
    reading = read(path)
    for warning in reading.warnings:
        print(f"{path}: warning: {warning}", file=sys.stderr)
    return reading


def _difference(difference: Difference) -> str:
    value, default = (json.dumps(each, ensure_ascii=False) for each in (difference.value, difference.default))
    return f"{difference.key} = {value}  (default {default}): {difference.meaning}"


def _whole(definition: Definition) -> str:
    return json.dumps(as_tree(definition), indent=2, ensure_ascii=False)


def _file(name: str) -> Path:
    """The file that `name` means: a definition in models/, or a path."""
    known = paths.definitions()
    if name in known:
        return known[name]
    if name.endswith(".json") or Path(name).parent != Path() or os.path.isfile(name):  # of any length
        return Path(name)
    raise UserError(f"there is no models/{name}.json; {nearest(name, known)}")


def show_status(pipeline: RunPipeline, *, verify: bool = False) -> list[str]:
    """Print the state of one dataset; returns what is wrong with it, a line each."""
    print(f"{pipeline.dataset}: {_last_run(pipeline.dataset)}; {_labels(pipeline.dataset)}")
    for step, task in zip(make_plan(pipeline), pipeline.stages(), strict=True):
        newest = task.published() or task.shelf.newest()
        line = console.stage_line(newest.manifest) if newest else ""
        print(f"  {step.stage:<11}{step.state:<11}{line}".rstrip())
    wrong = _wrong_state(pipeline, verify=verify)
    for line in wrong:
        print(f"  damaged: {line}")
    return wrong


def _last_run(dataset: str) -> str:
    record = run_log.last(dataset)
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
    found = Counter(label_snapshots.log(dataset).effective().values())
    return "labels: " + (", ".join(f"{number} {label}" for label, number in sorted(found.items())) or "none")


def _wrong_state(pipeline: RunPipeline, *, verify: bool) -> list[str]:
    wrong = [text for task in pipeline.stages() for text in task.shelf.damaged().values()]
    for task in pipeline.stages() if verify else []:
        for published in task.shelf.all():
            try:
                check_contents(published.manifest, published.folder)
            except DamagedState as error:
                wrong.append(f"{error}; `python -m tasks rerun {task.stage}` makes it again")
    return wrong
