"""`run --until` and `plan --until`: one stage and the stages it needs."""

import json
import shutil
from pathlib import Path

import pytest

from tasks import paths, run_log
from tasks.cli import main
from tasks.run_pipeline import RunPipeline

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def working_folder(tmp_path, monkeypatch):
    """A working folder that contains only the GAN definitions."""
    (tmp_path / "models").mkdir()
    shutil.copy(REPOSITORY / "models" / "dcgan.json", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(capsys, *words: str) -> list[dict[str, str]]:
    assert main(["plan", "--json", "--dataset", "cats", "--query", "cat", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_plan_json_has_stage_state_and_reason(working_folder, capsys):
    steps = planned(capsys)
    assert steps[0] == {"stage": "download", "state": "will run", "reason": "never ran", "remark": ""}
    assert [step["stage"] for step in steps][-1] == "report"


def test_plan_until_filter_lists_only_needed_stages(working_folder, capsys):
    stages = [step["stage"] for step in planned(capsys, "--until", "filter")]
    assert stages == ["download", "normalize", "classifier", "filter"]


def test_plan_until_filter_without_a_classifier_needs_only_squares(working_folder, capsys):
    stages = [step["stage"] for step in planned(capsys, "--until", "filter", "--filter-method", "none")]
    assert stages == ["download", "normalize", "filter"]


def test_run_until_an_unused_stage_is_an_error(working_folder, capsys):
    words = ["--dataset", "cats", "--query", "cat", "--filter-method", "none", "--until", "classifier"]
    assert main(["run", *words]) == 2
    assert "do not use the stage classifier" in capsys.readouterr().err


def test_run_until_normalize_stops_after_it(working_folder, capsys):
    words = ["--until", "normalize", "--download-sources", "demo", "--download-demo-pictures", "30"]
    assert main(["run", *words, "--normalize-size", "16", "--normalize-processes", "1"]) == 0
    output = capsys.readouterr().err
    assert "pictures made 16 px squares" in output.splitlines()[-2]
    assert paths.artifact_store("demo", "normalize").newest()
    assert not paths.artifact_store("demo", "classifier").newest()
    last = run_log.last("demo").rows()[-1]
    assert (last["event"], last["outcome"]) == ("end", "done")


def test_second_run_until_download_is_up_to_date(working_folder, capsys):
    words = ["run", "--until", "download", "--download-sources", "demo", "--download-demo-pictures", "20"]
    assert main(words) == 0
    capsys.readouterr()
    assert main(words) == 0
    assert "everything up to download is up to date" in capsys.readouterr().err
    assert run_log.last("demo").stages() == {"download": "reused"}


def test_stages_until_without_a_stage_returns_all(working_folder):
    pipeline = RunPipeline(dataset="demo")
    assert pipeline.stages_until("") == pipeline.stages()
