"""What differs between several runs or trainings: settings, fields of the definition, latents and scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pipeline.errors import UserError
from pipeline.gan.config import Definition
from pipeline.gan.config.json_text import dotted, short_json
from pipeline.gan.config.loading import DESCRIPTION_FIELD, as_tree
from pipeline.gan.config.messages import keys, meaning
from pipeline.options import STAGE_OPTIONS
from pipeline.store.artifacts import Artifact
from pipeline.web.dataset_paths import DatasetPaths
from pipeline.web.trainings.history_bodies import DifferenceBody
from pipeline.web.trainings.run_facts import RunFacts, full_settings, read_facts
from pipeline.web.trainings.runs_view import RunsView, in_words, label_digest
from pipeline.web.trainings.trainings_view import FoundTraining, definition_of

LEAST, MOST = 2, 6  # that are compared
UNKNOWN = "not known"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A run or a training that is compared, with what belongs to it."""

    kind: str  # run or training
    id: str
    title: str
    run: RunFacts | None  # None: its record was deleted
    training: FoundTraining | None  # None: it has none, or none that is known
    filter: Artifact | None  # None: it was deleted, or the run did not come so far
    settings: dict[str, Any] | None  # every setting; None if nobody knows them
    definition: Definition | None  # None: it was deleted with the training

    @property
    def labels(self) -> str:
        """The digest of the labels; empty if that is not known."""
        return label_digest(self.run, self.filter)


def find_subjects(paths: DatasetPaths, runs: Sequence[str], trainings: Sequence[str]) -> list[Subject]:
    """What is compared, in the order in which it was asked for.

    Errors: status 404 for a name that there is not; `UserError` for too few or too many.
    """
    runs, trainings = _split(runs), _split(trainings)
    if not LEAST <= len(runs) + len(trainings) <= MOST:
        raise UserError(f"choose {LEAST} to {MOST} runs or trainings to compare, on the page of runs")
    view = RunsView(paths)
    found = [_of_run(view, view.find(name)) for name in runs]
    return found + [_of_training(view, view.trainings.find(id)) for id in trainings]


def setting_differences(subjects: Sequence[Subject]) -> tuple[list[DifferenceBody], list[DifferenceBody]]:
    """The settings that differ, and those that are the same, in the order of the stages."""
    known = [each.settings for each in subjects if each.settings is not None]
    names = [f"{stage}.{name}" for stage, options in STAGE_OPTIONS.items() for name in options.model_fields]
    names += sorted({name for settings in known for name in settings} - set(names))
    rows = [
        DifferenceBody(
            name=name,
            meaning=_option_meaning(name),
            values=[_setting_words(each.settings, name) for each in subjects],
        )
        for name in names
        if any(name in settings for settings in known)
    ]
    return _parted(rows)


def definition_differences(subjects: Sequence[Subject]) -> tuple[list[DifferenceBody], list[DifferenceBody]]:
    """The fields of the definitions that differ, and those that are the same, in the order of the schema."""
    trees = [as_tree(each.definition) if each.definition else None for each in subjects]
    rows = [
        DifferenceBody(
            name=dotted(path),
            meaning=meaning(path),
            values=[_field_words(tree, path) for tree in trees],
        )
        for path in keys()
        if path != (DESCRIPTION_FIELD,)
    ]
    return _parted(rows) if any(trees) else ([], [])


def _parted(rows: list[DifferenceBody]) -> tuple[list[DifferenceBody], list[DifferenceBody]]:
    different = [row for row in rows if len({value for value in row.values if value != UNKNOWN}) > 1]
    return different, [row for row in rows if row not in different]


def _field_words(tree: dict[str, Any] | None, path: tuple[str, ...]) -> str:
    return UNKNOWN if tree is None else short_json(reduce(lambda inner, key: inner[key], path, tree))


def _setting_words(settings: dict[str, Any] | None, name: str) -> str:
    return UNKNOWN if settings is None or name not in settings else in_words(settings[name])


def _option_meaning(name: str) -> str:
    stage, _, option = name.partition(".")
    field = STAGE_OPTIONS[stage].model_fields.get(option) if stage in STAGE_OPTIONS else None
    return (field.description or "") if field else ""


def _split(names: Sequence[str]) -> list[str]:
    """Names may be repeated parameters or separated by commas; each counts once."""
    return list(dict.fromkeys(part for name in names for part in name.split(",") if part))


def _of_run(view: RunsView, facts: RunFacts) -> Subject:
    training = view.training(facts)
    note = view.body(facts).note
    began = facts.state.began[:16].replace("T", " ")
    return Subject(
        kind="run",
        id=facts.name,
        title=note.name or f"run of {began} UTC",
        run=facts,
        training=training,
        filter=view.artifact(facts, "filter"),
        settings=full_settings(facts.settings) if facts.settings is not None else None,
        definition=definition_of(view.paths, training) if training else None,
    )


def _of_training(view: RunsView, found: FoundTraining) -> Subject:
    run = view.trainings.body(found).run
    facts = read_facts(view.paths.runs / run) if run else None
    given = facts.settings if facts else None
    gan = found.files.gan
    own = {f"gan.{name}": value for name, value in gan.manifest.options.items()} if gan else None
    return Subject(
        kind="training",
        id=found.id,
        title=found.title,
        run=facts,
        training=found,
        filter=_filter_of(view, found, facts),
        settings=full_settings(given) if given is not None else own,
        definition=definition_of(view.paths, found),
    )


def _filter_of(view: RunsView, found: FoundTraining, run: RunFacts | None) -> Artifact | None:
    """The filter whose kept squares the training learned from: that of its run, or another one that keeps the same."""
    if run and (artifact := view.artifact(run, "filter")):
        return artifact
    kept = found.files.gan.manifest.inputs.get("filter.kept") if found.files.gan else None
    return next((each for each in view.paths.filter.all() if kept and each.manifest.outputs.get("kept") == kept), None)
