"""Forty demo subjects through a night: one with broken settings, one damaged, one killed, one without network; and the
command itself is killed in the middle. All others are complete, and page, summary and webhook say what happened."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.home import Home

pytestmark = pytest.mark.long

SUBJECTS = [f"s{number:02d}" for number in range(40)]
BROKEN, DAMAGED, KILLED, CUT_OFF = SUBJECTS[4], SUBJECTS[9], SUBJECTS[14], SUBJECTS[19]
BAD = {BROKEN: "failed", DAMAGED: "failed", KILLED: "killed", CUT_OFF: "failed"}
SETTINGS = f"""
[nightly]
subjects = {",".join(SUBJECTS)}
minutes = 5
webhook = http://127.0.0.1:%(port)d/night
[download]
sources = demo
demo_pictures = 32
[normalize]
size = 16
processes = 1
[filter]
method = none
[classifier]
backbone = none
[gan]
definition = tiny
epochs = 1
sample_every = 1
extractor = own
[generate]
count = 16
grid = 4
film = 0
extractor = own
[report]
thumbnails = 9
[{BROKEN}.gan]
definition = tyni
[{CUT_OFF}.download]
sources = site
site = http://127.0.0.1:9/
allow_private = true
retries = 0
[core]
autoload_range = false
[worker]
check_complete_on_run = true
"""


class Hook(BaseHTTPRequestHandler):
    """Keeps the JSON that is posted."""

    def do_POST(self):
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def hook() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.posted = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def home(tmp_path, hook) -> Home:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.json").write_bytes((Path(__file__).parent / "tiny.json").read_bytes())
    seeds = "".join(
        f"[{name}.download]\ndemo_seed = {number}\n" for number, name in enumerate(SUBJECTS) if name != CUT_OFF
    )
    (tmp_path / "luigi.cfg").write_text(SETTINGS % {"port": hook.server_address[1]} + seeds)
    (tmp_path / "data" / DAMAGED).mkdir(parents=True)
    (tmp_path / "data" / DAMAGED / "settings.json").write_text("{")
    return Home(tmp_path)


def night(home: Home) -> Path:
    (found,) = (home.folder / "data" / "nightly").glob("20*")
    return found


def wait_for(condition) -> None:
    while not condition():
        time.sleep(0.05)


def end_of(process: subprocess.Popen, *, code: int) -> str:
    """Wait for the end of a night; returns what it printed. If it takes too long, it and its turn are stopped."""
    try:
        said, _ = process.communicate(timeout=1800)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=300)
    assert process.returncode == code, said
    return said


def processes_left(folder: Path) -> list[psutil.Process]:
    """The processes that still work in `folder` after some seconds, which the helpers of a run need to end. One that
    ended and that nobody has asked for its code does not count."""
    found = [each for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == str(folder)]
    _, alive = psutil.wait_procs(found, timeout=30)
    return [each for each in alive if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def kill_turn(home: Home, subject: str) -> None:
    """SIGKILL to the process of a turn, when its run has got as far as a stage."""
    running = home.folder / "data" / "nightly" / str(date.today()) / "running" / f"{subject}.json"
    wait_for(running.exists)
    wait_for(lambda: list((home.folder / "data" / subject / "runs").glob("*/record.jsonl")))
    os.kill(json.loads(running.read_text())["pid"], signal.SIGKILL)


def test_forty_subjects_through_a_night(home: Home, hook):
    began = time.monotonic()
    killer = threading.Thread(target=kill_turn, args=(home, KILLED), daemon=True)
    killer.start()
    first = home.start("nightly")
    turns = home.folder / "data" / "nightly" / str(date.today()) / "subjects"
    wait_for(lambda: len(list(turns.glob("*.json"))) >= 6 or first.poll() is not None)
    first.kill()
    said = first.communicate(timeout=60)[0]
    assert first.returncode == -signal.SIGKILL, said
    assert hook.posted == []
    done = {path.name: path.stat().st_mtime_ns for path in turns.glob("*.json")}

    said = end_of(home.start("nightly"), code=1)
    killer.join()
    assert "Traceback" not in said
    assert {name: (turns / name).stat().st_mtime_ns for name in done} == done  # had their turn, and no second one

    summary = json.loads((night(home) / "summary.json").read_text())
    outcomes = {turn["subject"]: turn["outcome"] for turn in summary["turns"]}
    assert outcomes == {name: BAD.get(name, "done") for name in SUBJECTS}
    lines = {turn["subject"]: turn["line"] for turn in summary["turns"]}
    assert "there is no models/tyni.json" in lines[BROKEN]
    assert "settings.json cannot be read" in lines[DAMAGED]
    assert "ended by signal 9" in lines[KILLED]
    assert "no source could be reached" in lines[CUT_OFF]

    digests = set()
    for name in set(SUBJECTS) - BAD.keys():
        assert (home.folder / "generated" / name / "report" / "latest" / "index.html").is_file()
        manifest = json.loads((home.folder / "data" / name / "normalize" / "latest" / "manifest.json").read_text())
        digests.add(manifest["outputs"]["images"])
    assert len(digests) == len(SUBJECTS) - len(BAD)  # the subjects have pictures of their own

    (posted,) = hook.posted
    assert posted["outcome"] == "failed"
    assert posted["counts"] == {"done": 36, "failed": 3, "killed": 1}
    assert {each["name"]: each["outcome"] for each in posted["subjects"]} == outcomes
    assert all(each["new_pictures"] > 8 for each in posted["subjects"] if each["outcome"] == "done")

    page = (home.folder / "generated" / "nightly" / "latest" / "index.html").read_text()
    failures = page.partition("<h2>Failed</h2>")[2].partition('<h2 id="all">')[0]
    assert [name for name in SUBJECTS if f">{name}<" in failures] == sorted(BAD)
    assert page.count("<img ") == 36

    assert "every turn was taken before" in home.do("nightly", code=1)  # it is done, and not done again
    assert len(hook.posted) == 1
    home.do("run", "--dataset", KILLED)  # what was killed resumes
    assert processes_left(home.folder) == []
    print(f"\nforty subjects: {time.monotonic() - began:.0f} s, turns {posted['seconds']:.0f} s")
