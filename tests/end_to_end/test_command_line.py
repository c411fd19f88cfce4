"""The command line: help, plans, errors."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.end_to_end.home import REPOSITORY, SETTINGS, STAGES, Home
from tests.long_values import and_long


@pytest.fixture
def empty(tmp_path) -> Home:
    """A working folder in which nothing has run."""
    (tmp_path / "luigi.cfg").write_text(SETTINGS)
    (tmp_path / "models").mkdir()
    shutil.copyfile(REPOSITORY / "tests" / "end_to_end" / "tiny.json", tmp_path / "models" / "tiny.json")
    return Home(tmp_path)


def test_plan_before_the_first_run_lists_every_stage(empty):
    lines = empty.do("plan").splitlines()
    assert [line.split()[0] for line in lines] == list(STAGES)
    assert all("never ran" in line for line in lines)
    assert not (empty.folder / "generated").exists()


def test_status_before_the_first_run_names_make_run(empty):
    assert "make run" in empty.do("status")


def test_help_lists_every_command(empty):
    said = empty.do("--help")
    for command in ("run", "plan", "rerun", "status", "labels", "models", "generate", "gc", "options"):
        assert re.search(rf"^ +{command} ", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "says"),
    and_long(
        [
            (["run", "--gan-epohcs", "3"], "run does not take '--gan-epohcs'; did you mean '--gan-epochs'?"),
            (["run", "--gan-epochs", "0"], "gan.epochs = 0: expected a whole number, at least 1"),
            (["plan", "--gan-definition", "dcgna"], "there is no models/dcgna.json; did you mean 'dcgan'?"),
            (["models", "check", "luigi.cfg"], "luigi.cfg: not JSON at line 2"),
            (["generate"], "has no generator trained with these settings"),
        ],
        long=[
            (["run", "--gan-epochs", "ten"], "gan.epochs = 'ten': expected a whole number, at least 1"),
            (["rnu"], "COMMAND 'rnu' is not known; did you mean 'run'?"),
            (["rerun", "gna"], "stage 'gna' is not known; did you mean 'gan'?"),
            (["plan", "--dataset", "a/b"], "dataset = 'a/b'"),
            (["plan", "--gan-definition", "schema"], "there is no models/schema.json"),
            (["models", "show", "tinny"], "there is no models/tinny.json; did you mean 'tiny'?"),
            (["gc", "--keep", "-1"], "--keep -1"),
            (["run", "--workers", "0"], "--workers 0: expected a whole number, at least 1"),
            (["rerun", "classifier", "--filter-method", "none"], "do not use the stage classifier"),
            (["labels", "import"], "or at least one of --on DIR"),
            (["labels", "export", "sorted"], "demo has no squares yet"),
        ],
    ),
)
def test_wrong_arguments_give_one_line_error(empty, words, says):
    said = empty.do(*words, code=2)
    assert says in said
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1


def test_wrong_definition_is_an_error_before_anything_runs(empty):
    (empty.folder / "models" / "tiny.json").write_text('{"generator": {"width": 2}}')
    said = empty.do("plan", code=2)
    assert said.startswith("error: models/tiny.json: generator.width = 2: expected a whole number, at least 4")
    assert len(said.splitlines()) == 1


def test_invalid_subject_is_not_remembered(empty):
    empty.do("run", "--download-sources", "urls", "--download-urls", "missing.txt", code=2)
    assert not (empty.folder / "data" / "demo" / "subject.json").exists()


def test_status_shows_other_datasets_beside_a_broken_one(empty):
    for name in ("cats", "dogs"):
        (empty.folder / "data" / name / "runs").mkdir(parents=True)
    with (empty.folder / "luigi.cfg").open("a") as file:
        file.write("[cats.download]\nsources = urls\nurls = missing.txt\n[dogs.download]\nquery = dog\n")
    said = empty.do("status", code=1)
    assert "cats: source 'urls' with urls = 'missing.txt': no such file" in said
    assert re.search(r"^dogs: never ran", said, re.MULTILINE)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[gan]\nepochs = %(missing)s\n", None])
def test_unreadable_luigi_cfg_gives_one_line_error(empty, content):
    path = empty.folder / "luigi.cfg"
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    process = empty.start("plan")
    said, _ = process.communicate(timeout=60)
    assert process.returncode
    (line,) = said.splitlines()
    assert line.startswith("error: luigi.cfg")


def test_malformed_luigi_cfg_gives_one_line_error(empty):
    (empty.folder / "luigi.cfg").write_text("epochs = 5\n")
    process = empty.start("plan")
    said, _ = process.communicate(timeout=60)
    assert process.returncode
    assert "luigi.cfg cannot be read" in said
    assert len(said.splitlines()) == 1


def test_luigi_command_prints_wrong_options_without_a_traceback(empty):
    words = ["--local-scheduler", "--options", "gan.epohcs=3"]
    process = empty.start(*words, program=("-m", "luigi", "--module", "tasks", "RunPipeline"))
    said, _ = process.communicate(timeout=60)
    assert process.returncode
    assert "did you mean 'epochs'?" in said
    assert "Traceback" not in said


def test_luigi_command_finds_the_tasks():
    luigi = REPOSITORY / ".venv" / "bin" / "luigi"
    if not luigi.exists() or Path(sys.prefix) != REPOSITORY / ".venv":
        pytest.skip("needs the .venv that make sets up")
    words = [luigi, "--module", "tasks", "RunPipeline", "--help"]
    said = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=60).stdout
    assert "--dataset" in said


def test_options_command_lists_every_setting_with_its_value(empty):
    said = empty.do("options")
    assert re.search(r"^\[gan\]$", said, re.MULTILINE)
    assert re.search(r"^size = 16 +# luigi\.cfg \[normalize\]: side of the square", said, re.MULTILINE)


@pytest.mark.long
def test_generate_command_runs_only_generate(home):
    said = home.do("generate", "--generate-count", "9", "--generate-seed", "77")
    folder = home.folder / said.strip().splitlines()[-1]
    assert len(list((folder / "images").glob("*.png"))) == 9
    assert (folder / "grid.png").is_file()
    assert home.ran(home.runs()[-1]) == ["generate"]


@pytest.mark.long
def test_exported_networks_draw_the_same_samples_as_their_cards_say(home):
    """With Keras alone and with onnxruntime alone, from the latents in the card."""
    pytest.importorskip("tf2onnx")
    drawn = []
    for kind in ("model", "onnx"):
        home.do("export", kind, kind)
        card = (home.folder / kind / "README.md").read_text(encoding="utf-8")
        code = card.split("```python\n")[1].split("```")[0] + "\nnp.save('pictures.npy', pictures)"
        subprocess.run([sys.executable, "-c", code], cwd=home.folder / kind, check=True, capture_output=True)
        drawn.append(np.load(home.folder / kind / "pictures.npy").astype(int))
    assert drawn[0].shape == (16, 16, 16, 3)
    assert np.ptp(drawn[0]) > 0
    assert np.abs(drawn[0] - drawn[1]).max() <= 1


@pytest.mark.long  # tests/tasks/test_cleanup.py has the short ones
@pytest.mark.parametrize("stage", ["generate", "gan"])
def test_gc_keeps_current_artifacts_and_prints_freed_space(home, stage):
    home.run(f"--{stage}-seed", "9")
    before = home.outputs()
    assert "would be freed" in home.do("gc", "--keep", "0", "--dry-run")
    assert f"demo/{stage}/" in home.do("gc", "--keep", "0")
    assert home.run() == []
    assert home.outputs() == before
    states = {step["stage"]: step["state"] for step in json.loads(home.do("plan", "--json", f"--{stage}-seed", "0"))}
    below = STAGES[STAGES.index(stage) + 1 :]
    gone = {stage: "will run", **dict.fromkeys(below, "may run")}
    assert states == dict.fromkeys(STAGES, "up to date") | gone


@pytest.mark.slow
def test_gc_after_a_label_edit_keeps_a_resumable_training(home):
    begun = home.stage_folder("gan") / ".work-0123456789ab"
    begun.mkdir()
    home.label(next(row for row in home.labels() if row["label"] == "on") | {"label": "off"})
    current = (home.stage_folder("gan") / "latest").resolve()
    home.do("gc", "--keep", "0")
    assert begun.is_dir()
    assert current.is_dir()


@pytest.mark.slow
def test_labels_export_and_import_round_trip(home):
    before = home.labels()
    home.do("labels", "export", "sorted")
    sorted_folder = home.folder / "sorted"
    moved = sorted(sorted_folder.glob("unlabelled/*.png"))[0]
    moved.rename(sorted_folder / "on" / moved.name)
    said = home.do("labels", "import", "sorted")
    assert f"{len(before)} → {len(before) + 1}" in said
    assert home.labels()[-1]["id"] == moved.stem
    assert home.labels()[-1]["label"] == "on"


@pytest.mark.slow
def test_samples_can_be_traced_to_labels_and_urls(home):
    generate = json.loads((home.stage_folder("generate") / "latest" / "manifest.json").read_text())
    outputs = home.outputs()
    assert generate["inputs"]["gan.generator"] == outputs["gan"]["generator"]
    kept = json.loads((home.stage_folder("filter") / "latest" / "manifest.json").read_text())
    snapshot = home.folder / "data" / "demo" / "labels" / f"{kept['inputs']['labels']}.jsonl"
    assert snapshot.is_file()
    scores = [
        json.loads(line) for line in (home.stage_folder("filter") / "latest" / "scores.jsonl").read_text().splitlines()
    ]
    download = (home.stage_folder("download") / "latest" / "images.jsonl").read_text().splitlines()
    urls = {row["id"]: row["url"] for row in map(json.loads, download) if row["outcome"] == "saved"}
    assert all("/pictures/" in urls[row["id"]] for row in scores)
