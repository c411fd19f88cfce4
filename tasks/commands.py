"""The commands of `python -m tasks`; each returns the exit code."""

import dataclasses
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from pipeline.crawl.url import STANDARD_INPUT
from pipeline.dataset_names import dataset_flag
from pipeline.errors import UserError
from pipeline.gan.config import LoadedDefinition, differences, read, schema_text
from pipeline.gan.config.wording import as_json_text, description_line, difference_line, ignored_words, warning_line
from pipeline.labels.folders import export_folders, import_folders
from pipeline.option_types import nearest
from pipeline.options import STAGE_OPTIONS, STAGES, split_setting
from pipeline.store.atomic import write_whole
from pipeline.text import counted
from tasks import console, label_snapshots, paths, run_log, runner, settings
from tasks.plan import PlanStep, make_plan
from tasks.run_pipeline import RunPipeline
from tasks.settings_commands import as_json_or_error
from tasks.stage_task import StageTask
from tasks.stages import Generate, Normalize, TrainGan

Command = Callable[[Namespace], int]


def run(arguments: Namespace) -> int:
    """Bring every stage up to date; with `refresh` crawl for new pictures first."""
    pipeline = pipeline_of(arguments, forced_stages=["download"] if arguments.refresh else None)
    pipeline.requires()  # raises an error before wrong settings are remembered
    pipeline.remember()
    if arguments.until:
        return _run_until(pipeline, pipeline.stages_until(arguments.until)[-1], arguments)
    if pipeline.complete():
        print(f"{pipeline.dataset}: everything is up to date", file=sys.stderr)
        pipeline.finish()
        return 0
    return runner.launch(pipeline, pipeline, scheduler=arguments.scheduler, workers=arguments.workers)


def _run_until(pipeline: RunPipeline, task: StageTask, arguments: Namespace) -> int:
    """Bring one stage and the stages it needs up to date."""
    finish = partial(pipeline.finish_until, task.stage)
    if task.complete():
        print(f"{pipeline.dataset}: everything up to {task.stage} is up to date", file=sys.stderr)
        finish()
        return 0
    return runner.launch(pipeline, task, scheduler=arguments.scheduler, workers=arguments.workers, finish=finish)


def plan(arguments: Namespace) -> int:
    """Print what `run` would do: lines for people, or with `json` a list for programs, or {"error": ...}."""

    def steps() -> list[PlanStep]:
        pipeline = pipeline_of(arguments, forced_stages=["download"] if arguments.refresh else None)
        return make_plan(pipeline, until=arguments.until)

    if arguments.json:
        return as_json_or_error(lambda: [dataclasses.asdict(step) for step in steps()])
    print("\n".join(step.line() for step in steps()))
    return 0


def rerun(arguments: Namespace) -> int:
    """Make one stage again, and the stages that it changes; with `downstream` all stages after it."""
    after = list(STAGES[STAGES.index(arguments.stage) :]) if arguments.downstream else [arguments.stage]
    pipeline = pipeline_of(arguments, forced_stages=after)
    pipeline.stages_until(arguments.stage)  # raises an error for a stage that these settings do not use
    pipeline.requires()
    pipeline.remember()
    code = runner.launch(pipeline, pipeline, scheduler=arguments.scheduler, workers=arguments.workers)
    if code:
        print(f"the previous artifacts are still valid; run `rerun {arguments.stage}` again", file=sys.stderr)
    return code


def generate(arguments: Namespace) -> int:
    """Generate samples with the generator of the current settings, which must be trained, to the end or not."""
    pipeline = pipeline_of(arguments).clone(unfinished=True)
    gan = pipeline.upstream(TrainGan)
    if not gan.complete():
        if (key := gan.key()) and (damage := gan.artifact_store.damage(key)):
            raise UserError(
                f"the generator of {pipeline.dataset} is damaged: {damage}; `python -m tasks run --dataset"
                f" {pipeline.dataset}` trains it again"
            )
        raise UserError(
            f"{pipeline.dataset} has no generator trained with these settings; `python -m tasks plan --dataset"
            f" {pipeline.dataset}` says why, `python -m tasks run --dataset {pipeline.dataset}` trains it"
        )
    console.print_line("gan", console.stage_line(gan.finished().manifest))
    task = pipeline.upstream(Generate)
    code = _run_until(pipeline, task, arguments)
    if code != runner.EXIT_FAILED:  # what failed would fail again
        pipeline.remember()
    if code:
        return code
    print(task.finished().folder)
    return 0


def labels_check(arguments: Namespace) -> int:
    """Print how many labels of each kind there are; an unreadable line is an error."""
    print(label_snapshots.describe(paths.existing_dataset(arguments.dataset), zeros=True))
    return 0


def labels_import(arguments: Namespace) -> int:
    """Label the pictures in the given folders."""
    folders = _label_folders(arguments)
    log = label_snapshots.log(arguments.dataset)
    before = len(log.effective())
    print(import_folders(log, normalize=_normalized(arguments.dataset), validation=arguments.validation, **folders))
    command = f"python -m tasks plan{dataset_flag(arguments.dataset)}"
    print(f"labels: {before} → {len(log.effective())}; `{command}` says what that changes")
    return 0


def _label_folders(arguments: Namespace) -> dict[str, Path | None]:
    """The folder for each label: given by itself, or in the one folder that `labels export` would make."""
    folders: dict[str, Path | None] = {name: getattr(arguments, name) for name in ("on", "off", "unsure", "unlabelled")}
    if arguments.folder:
        names = ("on", "off") if arguments.validation else ("on", "off", "unsure")
        found = {name: arguments.folder / name for name in names if (arguments.folder / name).is_dir()}
        if not found:
            raise UserError(f"labels import: {arguments.folder} has no folder on, off or unsure in it")
        folders = {name: folders[name] or found.get(name) for name in folders}
    if not any(folders.values()):
        taken = "--on DIR, --off DIR" + ("" if arguments.validation else ", --unsure DIR, --unlabelled DIR")
        raise UserError(f"labels import: give a folder with on/ and off/ in it, or at least one of {taken}")
    if arguments.validation and (folders["unsure"] or folders["unlabelled"]):
        raise UserError("labels import --validation takes only --on DIR and --off DIR: nothing else can be measured on")
    return folders


def labels_export(arguments: Namespace) -> int:
    """Copy the squares into one folder for each label, for sorting by hand and importing again."""
    labels = label_snapshots.log(arguments.dataset).effective()
    print(export_folders(labels, normalize=_normalized(arguments.dataset), to=arguments.to))
    return 0


def labels_repair(arguments: Namespace) -> int:
    """Move unreadable lines out of the label log; all others stay."""
    count = label_snapshots.log(paths.existing_dataset(arguments.dataset)).repair()
    print(f"{counted(count, 'unreadable line')} moved out of the label log")
    return 0


def pipeline_of(arguments: Namespace, *, forced_stages: list[str] | None = None) -> RunPipeline:
    """The run that the flags and luigi.cfg describe."""
    overrides = {name: value for name, value in vars(arguments).items() if "." in name}
    if "query" in arguments:
        overrides["download.query"] = arguments.query
    if overrides.get("download.urls") == STANDARD_INPUT:
        overrides["download.urls"] = str(settings.from_standard_input(arguments.dataset))
    if getattr(arguments, "unremembered", False):
        _check_unremembered(overrides)
    run_name = run_log.new_name()
    return RunPipeline(
        dataset=arguments.dataset,
        settings=settings.resolve(arguments.dataset, overrides).text(),
        forced=f"{run_name}:{','.join(forced_stages)}" if forced_stages else "",
        run_name=run_name,
        once=getattr(arguments, "once", False),
        unremembered=getattr(arguments, "unremembered", False),
    )


def _check_unremembered(overrides: Mapping[str, str]) -> None:
    """Refuse flags that change what is made: later commands would speak of other settings than the run had."""
    for name in overrides:
        stage, option = split_setting(name)
        if not STAGE_OPTIONS[stage].model_fields[option].exclude:
            raise UserError(
                f"--unremembered: --{stage}-{option.replace('_', '-')} changes what is made, so it must be remembered;"
                " give only flags such as --gan-max-minutes, or --once for a trial"
            )


def _normalized(dataset: str) -> Path:
    """The folder of squares that the last run used; without one, that of the current settings."""
    task = RunPipeline(dataset=dataset).upstream(Normalize)
    found = task.artifact_store.latest() or task.published()
    if found is None:
        raise UserError(f"{dataset} has no squares yet; `python -m tasks run --dataset {dataset}` makes them")
    return found.folder


def models_list(arguments: Namespace) -> int:
    """Print a line for each definition in models/: its loss and description, or its error."""
    definitions = paths.definitions()
    name_width = max(map(len, definitions), default=0)
    for name, path in definitions.items():
        print(f"{name.ljust(name_width)}  {_definition_line(path)}".rstrip())
    return 0


def models_show(arguments: Namespace) -> int:
    """Print how a definition differs from the defaults, with explanations, and the whole definition."""
    path = _definition_path(arguments.name)
    reading = _read_with_warnings(path)
    definition = reading.definition
    print(f"{path}: {description_line(definition)}".rstrip(": "))
    changed = differences(definition)
    print("\ndifferent from the defaults:" if changed else "\nevery field has its default")
    for difference in changed:
        print(f"  {difference_line(difference)}")
    print(f"\nall fields:\n{as_json_text(definition)}")
    return 0


def models_check(arguments: Namespace) -> int:
    """Print the errors and warnings of each definition; returns 2 if any cannot be used."""
    errors = 0
    for name in arguments.names or paths.definitions():
        try:
            path = _definition_path(name)
            if path.name == paths.SCHEMA:
                print(f"{path}: a JSON schema for editors, not a definition")
                continue
            _read_with_warnings(path)
            print(f"{path}: ok")
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            errors += 1
    return 2 if errors else 0


def models_schema(arguments: Namespace) -> int:
    """Write the JSON schema that `"$schema"` in a definition refers to."""
    try:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        write_whole(arguments.output, schema_text().encode("utf-8"), sync=False)
    except OSError as error:
        raise UserError(f"--output {arguments.output}: cannot be written: {error.strerror}") from None
    print(arguments.output)
    return 0


def _definition_line(path: Path) -> str:
    try:
        reading = read(path)
    except UserError as error:
        return f"wrong: {str(error).removeprefix(f'{path}: ')}"
    ignored = ignored_words(reading)
    note = f" ({ignored}: `models check {path.stem}` says why)" if ignored else ""
    return f"{reading.definition.loss.ljust(14)}  {description_line(reading.definition)}{note}"


def _read_with_warnings(path: Path) -> LoadedDefinition:
    """Read the definition in `path`, and print its warnings."""
    reading = read(path)
    for warning in reading.warnings:
        print(warning_line(path, warning), file=sys.stderr)
    return reading


def _definition_path(name: str) -> Path:
    """The file that `name` means: a definition in models/, or a path."""
    known = paths.definitions()
    if name in known:
        return known[name]
    if (
        name.endswith(".json") or Path(name).parent != Path() or os.path.isfile(name)
    ):  # also if the name is too long for a file
        return Path(name)
    raise UserError(f"there is no models/{name}.json; {nearest(name, known)}")
