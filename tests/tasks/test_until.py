"""`run --until` and `plan --until`: one stage and what it needs, nothing after it."""

import json
import shutil
from pathlib import Path

import pytest

from tasks import paths, run_log
from tasks.cli import main
from tasks.run_pipeline import RunPipeline

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with nothing in it but the GAN definitions."""
    (tmp_path / "models").mkdir()
    shutil.copy(REPOSITORY / "models" / "dcgan.json", tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(capsys, *words: str) -> list[dict[str, str]]:
    assert main(["plan", "--json", "--dataset", "cats", "--query", "cat", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_plan_as_json_says_stage_state_and_reason(home, capsys):
    steps = planned(capsys)
    assert steps[0] == {"stage": "download", "state": "will run", "reason": "never ran", "remark": ""}
    assert [step["stage"] for step in steps][-1] == "report"


def test_a_plan_until_the_filter_names_what_the_filter_needs_and_nothing_more(home, capsys):
    stages = [step["stage"] for step in planned(capsys, "--until", "filter")]
    assert stages == ["download", "normalize", "classifier", "filter"]


def test_without_a_classifier_the_filter_needs_only_the_squares(home, capsys):
    stages = [step["stage"] for step in planned(capsys, "--until", "filter", "--filter-method", "none")]
    assert stages == ["download", "normalize", "filter"]


def test_a_stage_that_these_settings_do_not_use_is_a_mistake(home, capsys):
    words = ["--dataset", "cats", "--query", "cat", "--filter-method", "none", "--until", "classifier"]
    assert main(["run", *words]) == 2
    assert "do not use the stage classifier" in capsys.readouterr().err


def test_a_run_until_the_squares_makes_them_says_so_and_stops_there(home, capsys):
    words = ["--until", "normalize", "--download-sources", "demo", "--download-demo-pictures", "30"]
    assert main(["run", *words, "--normalize-size", "16", "--normalize-processes", "1"]) == 0
    said = capsys.readouterr().err
    assert "pictures made 16 px squares" in said.splitlines()[-2]
    assert paths.shelf("demo", "normalize").newest()
    assert not paths.shelf("demo", "classifier").newest()
    last = run_log.last("demo").rows()[-1]
    assert (last["event"], last["outcome"]) == ("end", "done")


def test_a_second_one_finds_all_of_it_up_to_date(home, capsys):
    words = ["run", "--until", "download", "--download-sources", "demo", "--download-demo-pictures", "20"]
    assert main(words) == 0
    capsys.readouterr()
    assert main(words) == 0
    assert "everything up to download is up to date" in capsys.readouterr().err
    assert run_log.last("demo").stages() == {"download": "reused"}


def test_no_stage_named_means_the_whole_chain(home):
    pipeline = RunPipeline(dataset="demo")
    assert pipeline.stages_until("") == pipeline.stages()
