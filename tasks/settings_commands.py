"""The commands on the settings of a dataset: `options` lists them, `remember` saves some, `forget` undoes that."""

import json
import sys
from argparse import Namespace
from collections.abc import Callable

from pipeline.dataset_names import check_dataset
from pipeline.errors import UserError, of_system
from pipeline.option_types import as_text, nearest
from pipeline.options import STAGE_OPTIONS
from tasks import machines, paths, remembered, settings, settings_page
from tasks.nightly import night_options


def options(arguments: Namespace) -> int:
    """Print every setting with its value for the dataset or, with `markdown`, the page docs/settings.md."""
    if arguments.markdown:
        print(settings_page.as_markdown(), end="")
        return 0
    if arguments.json:
        return as_json_or_error(lambda: settings.described(arguments.dataset))
    given = settings.given(arguments.dataset, {})
    current_settings = settings.resolve(arguments.dataset, {})
    if hint := paths.similar_dataset(arguments.dataset):  # no error: a name may have settings before its first run
        print(hint, file=sys.stderr)
    for stage, stage_options in STAGE_OPTIONS.items():
        print(f"[{stage}]")
        for name, field in stage_options.model_fields.items():
            known = given.get(f"{stage}.{name}")
            origin = known.origin if known else settings.DEFAULT
            _print_setting(name, as_text(getattr(current_settings[stage], name)), origin, str(field.description))
    print(f"[{machines.SECTION}]")
    for name, field in machines.MachineOptions.model_fields.items():
        print(f"{f'{name} = {getattr(machines.chosen(), name)}':<42}  # {field.description}")
    print(f"[{night_options.SECTION}]")
    for each in night_options.described():
        _print_setting(*each)
    return 0


def _print_setting(name: str, value: str, origin: str, meaning: str) -> None:
    print(f"{f'{name} = {value}':<42}  # {origin}: {meaning}")


def remember(arguments: Namespace) -> int:
    """Save settings for a dataset, as if its last run had been given them by flag; print what is saved, or with `json`
    every setting."""
    if arguments.json:
        return as_json_or_error(lambda: _described_after(lambda: _remember(arguments), arguments.dataset))
    _remember(arguments)
    dataset = arguments.dataset
    known = remembered.read(dataset)
    for name, each in sorted(known.items()):
        print(f"{dataset}: {name} = {each.text}")
    if not known:
        print(f"{dataset}: nothing is remembered")
    return 0


def _remember(arguments: Namespace) -> None:
    given = settings.read_words(arguments.settings)
    check_dataset(arguments.dataset)
    if given:
        settings.remember(arguments.dataset, settings.resolve(arguments.dataset, given))


def _described_after(change: Callable[[], object], dataset: str) -> object:
    """Every setting of `dataset` as `options --json` has it, after `change`."""
    change()
    return settings.described(dataset)


def forget(arguments: Namespace) -> int:
    """Forget settings that the last run used by flag, so that luigi.cfg and the defaults hold again; print which, or
    with `json` every setting."""
    if arguments.json:
        return as_json_or_error(lambda: _described_after(lambda: _forget(arguments), arguments.dataset))
    for line in _forget(arguments):
        print(line)
    return 0


def _forget(arguments: Namespace) -> list[str]:
    """Forget settings; returns a line for each, and one for what is still remembered."""
    dataset = paths.existing_dataset(arguments.dataset)
    if arguments.all:
        remembered.forget_all(dataset)
        return [f"{dataset}: forgot every remembered setting"]
    known = remembered.read(dataset)
    for name in arguments.names:
        if name not in known:
            raise UserError(f"{name} is not remembered for {dataset}; {nearest(name, known)}")
    names = arguments.names or [name for name in known if name not in settings.SUBJECT]
    remembered.forget(dataset, names)
    now = settings.resolve(dataset, {})
    lines = []
    for name in names:
        stage, _, option = name.partition(".")
        value = getattr(now.stages.get(stage), option, settings.DEFAULT)  # an earlier version had other settings
        lines.append(f"{dataset}: forgot {name} = {known[name].text}; now {as_text(value)}")
    kept = [name for name in known if name not in names]
    return [*lines, f"{dataset}: " + (f"still remembered: {', '.join(kept)}" if kept else "nothing is remembered")]


def as_json_or_error(find: Callable[[], object]) -> int:
    """Print what `find` returns as JSON, or {"error": ...} before its error is raised."""
    try:
        print(json.dumps(find()))
    except (UserError, OSError) as error:
        print(json.dumps({"error": str(of_system(error) if isinstance(error, OSError) else error)}))
        raise
    return 0
