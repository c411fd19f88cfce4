"""SIGKILL in every stage: the next run resumes, and its result is bit-identical."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.end_to_end.home import STAGES, Home

pytestmark = pytest.mark.slow
LONG = pytest.mark.long


def unmake(home: Home, stage: str) -> tuple[Path, str]:
    """Take away what `stage` made, and that alone; returns a folder and what lies there once the stage works.

    The stages after it keep what they made from the undisturbed run, and are up to date only if the same comes out.
    """
    stage_folder = home.stage_folder(stage)
    shutil.rmtree(stage_folder)
    if stage == "download":
        (home.folder / "data" / "demo" / "archive.sqlite").unlink()
        shutil.rmtree(home.folder / "data" / "demo" / "raw")
        return home.folder / "data" / "demo" / "raw", "??/*"
    return stage_folder, ".work-*/*"


def kill_while_working(home: Home, sign: tuple[Path, str], number: int = signal.SIGKILL) -> subprocess.Popen:
    """Start a run and send it a signal as soon as the stage works."""
    process = home.start("run")
    deadline = time.monotonic() + 120
    while not any(sign[0].glob(sign[1])) and process.poll() is None:
        assert time.monotonic() < deadline, "the stage never began"
        time.sleep(0.002)
    os.kill(process.pid, number)
    process.communicate(timeout=60)
    return process


@LONG
@pytest.mark.parametrize("stage", STAGES)
def test_run_after_sigkill_in_a_stage_is_bit_identical(home, finished, stage):
    expected = finished.outputs()
    assert kill_while_working(home, unmake(home, stage)).returncode == -signal.SIGKILL
    assert not any(home.stage_folder(stage).glob("[0-9a-f]*")), "the stage was done before the kill"
    assert home.run() == [stage]
    assert home.outputs() == expected
    assert not any(home.stage_folder(stage).glob(".work-*/"))


@pytest.mark.parametrize(
    ("stage", "number"),
    [
        ("normalize", signal.SIGINT),
        pytest.param("download", signal.SIGTERM, marks=LONG),
        pytest.param("gan", signal.SIGINT, marks=LONG),
    ],
)
def test_run_after_a_stop_request_resumes(home, finished, stage, number):
    expected = finished.outputs()
    assert kill_while_working(home, unmake(home, stage), number).returncode == 130
    row = home.rows(home.runs()[-1])[-2]
    assert (row["stage"], row["outcome"]) == (stage, "stopped")
    assert home.run() == [stage]
    assert home.outputs() == expected


@pytest.mark.long  # tests/gan/test_going_on.py has the short ones
def test_time_limit_leaves_an_unfinished_generator_and_the_next_run_goes_on(home, finished):
    expected = finished.outputs()
    unmake(home, "gan")
    said = home.do("run", "--gan-max-minutes", "0.0001")
    assert home.ran(home.runs()[-1]) == ["gan", "generate", "report"]
    assert re.search(r"^gan +0 epochs .*; unfinished: 0 of 4 epochs, the next run goes on", said, re.MULTILINE)
    assert re.search(r"^samples .*; unfinished: 0 of 4 epochs, the next run goes on$", said, re.MULTILINE)
    folder = (home.stage_folder("gan") / "latest").resolve()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["unfinished"], manifest["summary"]["epochs"]) == ("0 of 4 epochs", 0)
    report = (home.stage_folder("report") / "latest" / "index.html").read_text()
    assert "The training is unfinished: 0 of 4 epochs." in report
    for command in ("plan", "status"):
        assert re.search(r"gan +will run ", home.do(command))
    goes_on = f"unfinished: 0 of 4 epochs; goes on from epoch 0 of {folder.relative_to(home.folder.resolve())}"
    assert re.search(f"^gan +will run +{re.escape(goes_on)}$", home.do("plan"), re.MULTILINE)
    assert "unfinished: 0 of 4 epochs" in home.do("generate")
    assert "gan" not in home.do("gc", "--keep", "0", "--dry-run").replace("generated", "")
    again = home.run("--gan-max-minutes", "0")
    assert again == ["gan", "report"]  # its generator is that of an undisturbed run, so the samples are there
    found = home.outputs()
    assert {stage: found[stage] for stage in STAGES[:-1]} == {stage: expected[stage] for stage in STAGES[:-1]}
    assert home.run() == []


@pytest.mark.long
def test_label_log_torn_by_a_kill_can_be_repaired(home):
    path = home.folder / "data" / "demo" / "labels.jsonl"
    before = home.labels()
    path.write_bytes(path.read_bytes() + b'{"id": "12')
    said = home.do("run", code=2)
    assert f"labels.jsonl, line {len(before) + 1}" in said
    assert "labels repair" in said
    assert "Traceback" not in said
    home.do("labels", "repair")
    assert home.labels() == before
    assert home.run() == []


@pytest.mark.long
def test_missing_square_is_reported_and_made_again(home):
    victim = next((home.stage_folder("normalize") / "latest" / "images").resolve().glob("*.png"))
    victim.unlink()
    assert re.search(
        r"normalize  will run   damaged: data/demo/normalize/\w+/images has \d+ files where", home.do("plan")
    )
    home.do("status", code=1)
    assert home.run() == ["normalize", "report"]  # the same squares, so nothing that reads them
    assert home.run() == []
    home.do("status")


@pytest.mark.long
@pytest.mark.parametrize("stage", ["report", "classifier"])
def test_truncated_manifest_is_reported_and_the_stage_made_again(home, stage):
    path = (home.stage_folder(stage) / "latest" / "manifest.json").resolve()
    path.write_bytes(path.read_bytes()[:100])
    assert "manifest.json cannot be read" in home.do("plan")
    assert home.do("status", code=1).count("damaged") >= 1
    assert home.run()[0] == stage


@pytest.mark.long
def test_changed_square_of_equal_size_is_not_used_and_made_again(home):
    victim = next((home.stage_folder("normalize") / "latest" / "images").resolve().glob("*.png"))
    blob = bytearray(victim.read_bytes())
    blob[-20] ^= 1
    victim.write_bytes(blob)
    said = home.do("run", "--classifier-seed", "9", code=1)
    assert victim.name in said
    assert "rerun normalize" in said
    assert "Traceback" not in said
    assert "the next run makes it again" in said
    home.do("status", "--verify")
    assert home.run()[0] == "normalize"


@pytest.mark.long
@pytest.mark.parametrize(
    ("stage", "name", "flags"),
    [
        pytest.param("download", "images.jsonl", ("--normalize-blurry", "0.01"), marks=LONG),
        pytest.param("normalize", "images.jsonl", ("--filter-threshold", "0.4"), marks=LONG),
        ("filter", "scores.jsonl", ("--gan-seed", "9")),
        pytest.param("classifier", "out_of_fold.jsonl", ("--filter-threshold", "0.4"), marks=LONG),
    ],
)
def test_changed_rows_of_equal_size_are_not_used(home, stage, name, flags):
    path = (home.stage_folder(stage) / "latest" / name).resolve()
    blob = path.read_bytes()
    changed = re.sub(rb'"id": "([0-9a-f])', lambda found: b'"id": "' + bytes([found[1][0] ^ 1]), blob, count=1)
    assert len(changed) == len(blob)
    path.write_bytes(changed)
    said = home.do("run", *flags, code=1)
    assert f"{name} is not what was written" in said
    assert f"`python -m tasks rerun {stage}`" in said
    assert "Traceback" not in said
    assert name in home.do("status", "--verify", code=1)


@LONG
def test_missing_picture_is_fetched_again(home):
    victim = next((home.stage_folder("download") / "latest" / "images").resolve().glob("*"))
    (raw,) = (home.folder / "data" / "demo" / "raw").rglob(f"{victim.stem}*")
    victim.unlink()
    raw.unlink()
    assert home.run()[0] == "download"
    rows = (home.stage_folder("download") / "latest" / "images.jsonl").read_text().splitlines()
    assert any(json.loads(row)["id"] == victim.stem for row in rows)
    assert home.run() == []
