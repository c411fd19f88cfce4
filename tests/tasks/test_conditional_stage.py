"""Classes of pictures in the content keys: a changed class trains a conditional GAN again, and no other one."""

import json
from pathlib import Path

import pytest

from pipeline.gan.class_names import write_names
from pipeline.gan.config import definition_digest, read_definition
from pipeline.result import Result
from pipeline.store import digest
from tasks import paths
from tasks.cli import main
from tasks.run_pipeline import RunPipeline
from tasks.stages import Generate, TrainGan
from tests.tasks import fake_stages
from tests.tasks.fake_stages import use_fakes

CONFIG = "[frogs.download]\nquery = frog\n[filter]\nmethod = none\n[gan]\nextractor = own\ndefinition = {}\n"


@pytest.fixture
def start(configure, monkeypatch):
    """Configures a dataset with a conditional definition or another one; its query is the class of its pictures."""

    def start(*, conditional: bool) -> Path:
        folder = configure(CONFIG.format("own"))
        (folder / "models").mkdir()
        (folder / "models" / "own.json").write_text(json.dumps({"conditional": conditional}))
        use_fakes(monkeypatch)
        return folder

    return start


@pytest.fixture
def with_classes(monkeypatch) -> None:
    """The download says classes, as since it does."""
    plain = fake_stages.download

    def download(options, **arguments) -> Result:
        made = plain(options, **arguments)
        return Result(outputs={**made.outputs, "classes": digest.of_value(options.query)}, summary=made.summary)

    monkeypatch.setattr(fake_stages, "download", download)


def planned(capsys, *words: str) -> dict[str, str]:
    """The reason why each stage would run."""
    capsys.readouterr()
    assert main(["plan", "--json", "--dataset", "frogs", *words]) == 0
    return {step["stage"]: step["reason"] for step in json.loads(capsys.readouterr().out)}


@pytest.mark.usefixtures("with_classes")
def test_other_classes_of_the_same_pictures_train_a_conditional_gan_again(start, capsys):
    start(conditional=True)
    assert main(["run", "--dataset", "frogs"]) == 0
    assert planned(capsys)["gan"] == ""
    assert main(["run", "--dataset", "frogs", "--until", "download", "--query", "toad"]) == 0
    assert planned(capsys)["normalize"] == ""
    assert planned(capsys)["gan"] == "download made other classes"


@pytest.mark.usefixtures("with_classes")
def test_they_do_not_matter_to_another_gan(start, capsys):
    start(conditional=False)
    assert main(["run", "--dataset", "frogs"]) == 0
    assert main(["run", "--dataset", "frogs", "--until", "download", "--query", "toad"]) == 0
    assert planned(capsys)["gan"] == ""


def test_a_download_of_an_earlier_version_says_no_classes_and_its_folder_stands_for_them(start, capsys):
    start(conditional=True)
    assert main(["run", "--dataset", "frogs"]) == 0
    assert planned(capsys)["gan"] == ""
    download = paths.artifact_store("frogs", "download").latest()
    gan = RunPipeline(dataset="frogs").upstream(TrainGan)
    assert gan.known_inputs()["download.classes"] == download.folder.name


def test_generate_reads_the_classes_only_for_samples_of_one(start):
    start(conditional=True)
    plain = RunPipeline(dataset="frogs").upstream(Generate)
    chosen = RunPipeline(dataset="frogs", options="generate.class_name=frog").upstream(Generate)
    assert "download" not in {task.stage for task in plain.reads()}
    assert {task.stage: outputs for task, outputs in chosen.reads().items()}["download"] == ("classes",)


def test_the_flag_class_of_generate_is_the_setting(start, capsys):
    start(conditional=True)
    assert main(["run", "--dataset", "frogs"]) == 0
    write_names(("blue", "red"), paths.artifact_store("frogs", "gan").latest().folder)
    assert main(["generate", "--dataset", "frogs", "--class", "red"]) == 0
    manifest = paths.artifact_store("frogs", "generate").latest().manifest
    assert manifest.options["class_name"] == "red"
    assert main(["generate", "--dataset", "frogs", "--generate-class-name", "red"]) == 0
    assert paths.artifact_store("frogs", "generate").latest().manifest.key == manifest.key


def test_a_plan_refuses_a_class_that_the_trained_generator_does_not_have(start, capsys):
    start(conditional=True)
    words = ["plan", "--dataset", "frogs", "--generate-class-name", "rde"]
    assert main(words) == 0  # nobody knows yet what the classes are
    assert main(["run", "--dataset", "frogs"]) == 0
    write_names(("blue", "red"), paths.artifact_store("frogs", "gan").latest().folder)
    capsys.readouterr()
    assert main(words) == 2
    assert "class 'rde': this generator has no such class; did you mean 'red'" in capsys.readouterr().err
    assert main([*words, "--gan-seed", "5"]) == 0


def test_without_conditional_a_definition_has_the_digest_that_it_had(start):
    own = start(conditional=False) / "models" / "own.json"
    own_digest = definition_digest(read_definition(own))
    own.write_text("{}")
    assert definition_digest(read_definition(own)) == own_digest
