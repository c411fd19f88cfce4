"""The stages: the one list of them, what they say before they run, how they look up the chain, what they call."""

import inspect
import json
import typing
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import pretrained
from pipeline.errors import UserError
from pipeline.gan import frozen_network
from pipeline.options import STAGE_OPTIONS, STAGES
from pipeline.result import Result
from pipeline.store.artifacts import Artifact, ArtifactStore
from tasks import console, isolation, paths
from tasks.run_pipeline import RunPipeline
from tasks.stage_task import StageTask
from tasks.stages import STAGE_TASKS, Measured

GIVEN_TO_ALL = {"folder", "progress", "should_stop"}


@pytest.fixture
def finished(monkeypatch) -> list[Path]:
    """Every stage has a finished folder; the list fills with the stores that were asked for one."""
    looked = []

    def find(artifact_store: ArtifactStore, key: str, **which: Any) -> Artifact:
        looked.append(artifact_store.root)
        outputs = dict.fromkeys(("images", "model", "kept", "generator"), key)
        return Artifact(Path(key[:12]), SimpleNamespace(outputs=outputs, unfinished=""))

    monkeypatch.setattr(ArtifactStore, "find", find)
    return looked


def test_there_is_one_list_of_stages_and_every_table_follows_it():
    assert tuple(task.stage for task in STAGE_TASKS) == STAGES
    assert tuple(paths.STAGE_ROOTS) == STAGES
    assert tuple(console.LINES) == (*STAGES, "stylize")  # that is a command, whose results are shown as those of stages


def test_a_stage_reads_only_from_stages_before_it(configure):
    configure("[download]\nquery = toads\n")
    for task in RunPipeline(dataset="toads").stages():
        for read in task.reads():
            assert STAGES.index(read.stage) < STAGES.index(task.stage)


def test_gan_stage_warns_about_ignored_fields_before_training(configure):
    folder = configure("[gan]\ndefinition = foreign\n[normalize]\nsize = 16\n")
    (folder / "models").mkdir()
    tree = {"generator": {"choice": "gan"}, "discriminator": {"choice": "gan"}, "GAN_model": {"epochs": 50}}
    (folder / "models" / "foreign.json").write_text(json.dumps(tree))
    (folder / "models" / "seeing.json").write_text('{"generator": {"attention": [32]}}')

    def warnings(options: str) -> list[str]:
        pipeline = RunPipeline(dataset="demo", options=options)
        (gan,) = (stage for stage in pipeline.stages_until("gan") if stage.stage == "gan")
        return gan.warnings()

    assert "foreign.json: GAN_model.epochs = 50 is not followed: set gan.epochs in luigi.cfg" in warnings("")
    (told,) = warnings("gan.definition=seeing")
    assert told.startswith("seeing.json: generator.attention = [32]: feature maps of 16 px pictures are 8, 4 wide")


@pytest.mark.parametrize("aided", [True, False])
def test_what_a_vision_aided_gan_learns_with_is_part_of_its_key_and_does_not_measure_it(
    configure, shipped_weights, weights_found_anew, aided
):
    folder = configure("[download]\nquery = toads\n[classifier]\nbackbone = none\n[gan]\ndefinition = mine\n")
    (folder / "models").mkdir()
    (folder / "models" / "mine.json").write_text(json.dumps({"discriminator": {"vision_aided": aided}}))
    measured = [task for task in RunPipeline(dataset="toads").stages() if isinstance(task, Measured)]
    assert [task.stage for task in measured] == ["gan", "generate"]
    assert [task.content()["extractor"] for task in measured] == [pretrained.SHIPPED_SHA256] * 2
    expected = [frozen_network.content() if aided else None, None]
    assert [task.content().get("frozen_network") for task in measured] == expected


def test_a_vision_aided_gan_without_the_package_is_refused_before_anything_runs(configure, no_package):
    folder = configure("[download]\nquery = toads\n[gan]\ndefinition = mine\n")
    (folder / "models").mkdir()
    (folder / "models" / "mine.json").write_text(json.dumps({"discriminator": {"vision_aided": True}}))
    (gan,) = (stage for stage in RunPipeline(dataset="toads").stages() if stage.stage == "gan")
    with pytest.raises(UserError, match=r"discriminator.vision_aided: the package .* is not installed"):
        gan.content()


def test_schedule_that_needs_the_number_of_epochs_is_refused_before_anything_runs(configure):
    folder = configure("[demo.download]\nsources = demo\n[normalize]\nsize = 16\n[gan]\ndefinition = decays\n")
    (folder / "models").mkdir()
    tree = {"generator": {"optimizer": {"schedule": {"kind": "cosine"}}}}
    (folder / "models" / "decays.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match=r"epochs = auto: .*models/decays\.json .*set gan\.epochs to a number"):
        RunPipeline(dataset="demo").requires()
    RunPipeline(dataset="demo", options="gan.epochs=9").requires()


def test_stages_are_looked_up_once_each(configure, finished):
    configure("[download]\nquery = toads\n")
    pipeline = RunPipeline(dataset="toads")
    assert pipeline.complete()
    assert len(finished) == len(set(finished)) == len(STAGES)
    assert pipeline.complete()  # another look, at what there is then
    assert len(finished) == 2 * len(STAGES)


def resolved(task: type[StageTask]) -> Callable[..., Result]:
    module, _, name = task.function.partition(":")
    return getattr(import_module(module), name)


def one_of(annotation: Any) -> set[Any]:
    """The types that an annotation allows: `Path | None` is {Path, NoneType}."""
    return set(typing.get_args(annotation)) or {annotation}


@pytest.mark.parametrize("task", STAGE_TASKS, ids=lambda task: task.stage)
def test_the_function_of_a_stage_takes_its_options_and_returns_a_result(task):
    function = resolved(task)
    parameters, hints = inspect.signature(function).parameters, typing.get_type_hints(function)
    first, *others = parameters.values()
    assert hints[first.name] is STAGE_OPTIONS[task.stage]
    assert all(each.kind in (each.KEYWORD_ONLY, each.VAR_KEYWORD) for each in others)
    assert parameters.keys() >= GIVEN_TO_ALL
    assert hints["return"] is Result


@pytest.mark.parametrize("task", STAGE_TASKS, ids=lambda task: task.stage)
def test_the_types_of_the_arguments_of_a_stage_are_those_of_its_function(task):
    wanted, given = typing.get_type_hints(resolved(task)), argument_types(task)
    for name in given.keys() & wanted.keys():
        assert one_of(given[name]) <= one_of(wanted[name]), name


def argument_types(task: type[StageTask]) -> dict[str, Any]:
    """What the TypedDict that `arguments()` returns says of each."""
    returned = typing.get_type_hints(task.arguments)["return"]
    return typing.get_type_hints(returned) if typing.is_typeddict(returned) else {}


@pytest.mark.parametrize("extractor", ["own", "MobileNet"])
@pytest.mark.parametrize("method", ["cnn", "none"])
def test_a_task_gives_its_function_all_that_it_requires_and_nothing_that_it_does_not_take(
    configure, finished, method, extractor
):
    configure(
        f"[download]\nquery = toads\n[classifier]\nbackbone = none\n[filter]\nmethod = {method}\n"
        f"[gan]\nextractor = {extractor}\n[generate]\nextractor = {extractor}\n"
    )
    tasks = RunPipeline(dataset="toads").stages()
    assert len(tasks) == len(STAGES) - (method == "none")
    for task in tasks:
        arguments, folders = task.arguments(), task.folders()
        assert arguments.keys() == argument_types(type(task)).keys(), task.stage
        given = {**arguments, **folders, **dict.fromkeys(GIVEN_TO_ALL)}
        inspect.signature(resolved(task)).bind(task.options, **given)  # a TypeError names what is missing or too much
        types = typing.get_type_hints(resolved(task))
        for name, value in {**arguments, **folders}.items():
            wanted = types.get(name, types.get("stages"))  # the report takes the folders as **stages
            assert isinstance(value, tuple(one_of(wanted))), f"{task.stage}: {name}"


def test_the_report_takes_the_folder_of_every_stage_that_it_reads(configure, finished):
    configure("[download]\nquery = toads\n")
    (report,) = (task for task in RunPipeline(dataset="toads").stages() if task.stage == "report")
    folders = report.folders()
    assert inspect.signature(import_module("pipeline.report.report").StageFolders).bind(**folders)
    assert len(folders) == len(STAGES) - 1


def test_what_the_server_of_processes_imports_first_are_modules_of_isolated_stages():
    isolated = {task.function.partition(":")[0] for task in STAGE_TASKS if task.isolated}
    preloaded = {name for name in isolation.SERVER.modules if name.startswith("pipeline.")}
    assert preloaded
    assert preloaded <= isolated
