"""A real luigid on a free port: runs that use it, the data of its page, exit codes, one GAN at a time on a GPU."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from datetime import datetime

import pytest

from tests.end_to_end.home import REPOSITORY, STAGES

pytestmark = pytest.mark.slow

LUIGI = ("-m", "luigi", "--module", "tasks", "RunPipeline")


@pytest.fixture(scope="module")
def luigid(tmp_path_factory):
    """The URL of a luigid for this module's tests."""
    folder = tmp_path_factory.mktemp("luigid")
    (folder / "luigi.cfg").write_bytes((REPOSITORY / "luigi.cfg").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "tasks", "luigid", "--port", str(port)]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(words, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)
    assert (folder / "data" / "luigid" / "state.pickle").exists()
    assert (folder / "data" / "luigid" / "history.db").exists()
    assert "Scheduler instance shutting down" in (folder / "data" / "luigid" / "luigi-server.log").read_text()


def wait_until_it_answers(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(url)


def ask(luigid: str, question: str, **arguments) -> dict:
    """Query luigid like its page."""
    query = urllib.parse.urlencode({"data": json.dumps(arguments)})
    with urllib.request.urlopen(f"{luigid}/api/{question}?{query}", timeout=10) as answer:
        return json.load(answer)["response"]


@pytest.mark.parametrize(
    ("stage", "flag"),
    [
        ("report", "--report-thumbnails=20"),
        pytest.param("generate", "--generate-seed=3", marks=pytest.mark.long),
        pytest.param("gan", "--gan-seed=3", marks=pytest.mark.long),
    ],
)
def test_luigid_shows_a_run_with_its_graph_and_outcome(home, luigid, stage, flag):
    assert home.run("--scheduler", luigid, flag) == list(STAGES[STAGES.index(stage) :])
    done = ask(luigid, "task_list", status="DONE", upstream_status="")
    mine = {task["display_name"].split("(")[0]: name for name, task in done.items()}
    assert {"Download", "Normalize", "TrainClassifier", "Filter", "TrainGan", "Generate", "Report"} <= set(mine)
    graph = ask(luigid, "dep_graph", task_id=mine["Report"])
    assert len(graph) >= len(STAGES)


@pytest.mark.long
def test_luigid_counts_what_ran_for_prometheus(home, luigid):
    assert home.run("--scheduler", luigid, "--report-thumbnails=19") == ["report"]
    with urllib.request.urlopen(f"{luigid}/metrics", timeout=10) as answer:
        assert 'luigi_task_done_total{family="Report"}' in answer.read().decode()


@pytest.mark.long
def test_luigi_command_with_luigid_makes_the_same(home, luigid):
    options = "generate.seed=4 generate.count=16"
    home.do("--dataset", "demo", "--options", options, "--scheduler-url", luigid, program=LUIGI)
    assert home.ran(home.runs()[-1]) == ["generate", "report"]
    assert home.run("--generate-seed", "4", "--generate-count", "16") == []


@pytest.mark.long
def test_luigi_command_works_without_luigid(home):
    said = home.do("--options", "generate.seed=8", "--local-scheduler", program=LUIGI)
    assert home.ran(home.runs()[-1]) == ["generate", "report"]
    assert "samples" in said


@pytest.mark.long
def test_two_setting_edits_within_a_second_are_both_used(home, luigid):
    for count in ("21", "22"):
        assert home.run("--scheduler", luigid, "--report-thumbnails", count) == ["report"]


@pytest.mark.long
def test_two_label_edits_within_a_second_are_both_used(home, luigid):
    on = next(row for row in home.labels() if row["label"] == "on")
    for label in ("off", "on"):
        home.label(on | {"label": label})
        home.do("run", "--until", "filter", "--scheduler", luigid)
        assert ("classifier" in home.ran(home.runs()[-1])) == (label == "off")


@pytest.mark.long
def test_stage_that_needs_labels_ends_with_the_next_step(home, luigid):
    home.label(*(row | {"label": "on"} for row in home.labels()))
    said = home.do("run", "--scheduler", luigid, code=3)
    assert said.splitlines()[-1].startswith("next: label 50 off target: `make label`")
    assert "failed" not in said
    assert "Traceback" not in said
    said = home.do("--scheduler-url", luigid, program=LUIGI, code=30)
    assert "Traceback" not in said


def test_unreachable_luigid_is_named(home):
    said = home.do("run", "--generate-seed", "6", "--scheduler", "http://127.0.0.1:9", code=2)
    assert "luigid at http://127.0.0.1:9 does not answer" in said


@pytest.mark.long
def test_paused_luigid_is_named_and_waited_for(home, luigid):
    ask(luigid, "pause")
    run = home.start("run", "--report-thumbnails", "23", "--scheduler", luigid)
    try:
        line = run.stdout.readline()
        assert line.startswith(f"waits: luigid at {luigid} is paused")
        assert f"curl {luigid}/api/unpause" in line
    finally:
        ask(luigid, "unpause")
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert home.ran(home.runs()[-1]) == ["report"]


def is_end_of_gan(row: dict) -> bool:
    return (row["event"], row.get("stage")) == ("stage", "gan")


@pytest.mark.long
def test_two_workers_train_one_gan_at_a_time(home, luigid):
    before = home.runs()
    words = ("run", "--until", "gan", "--scheduler", luigid, "--gan-seed")
    runs = [home.start(*words, seed) for seed in ("31", "32")]
    said = [process.communicate(timeout=300)[0] for process in runs]
    assert [process.returncode for process in runs] == [0, 0], said
    rows = [row for run in home.runs() if run not in before for row in home.rows(run) if is_end_of_gan(row)]
    trained = sorted((datetime.fromisoformat(row["time"]).timestamp(), row["seconds"]) for row in rows)
    assert len(trained) == 2
    assert trained[1][0] - trained[1][1] >= trained[0][0] - 0.5  # the second began when the first had ended
