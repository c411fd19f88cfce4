"""The whole chain as one task: the stages that a run needs, and how it ends."""

from tasks import paths, run_log
from tasks.cli import main
from tasks.run_pipeline import RunPipeline


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
