"""luigid and workers that are killed, hung, restarted or paused while the GAN trains: what is printed, and when."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.home import Home
from tests.end_to_end.test_luigid import LUIGI, ask, wait_until_it_answers
from tests.web.live_server import free_port

pytestmark = pytest.mark.long

SECONDS = 300  # for a run
PROGRAM = "import sys; from luigi.cmdline import luigid; luigid(sys.argv[1:])"


class Daemon:
    """A luigid that can be killed and restarted on the same port without its state."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "data" / "luigid").mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        words = ["--address", "127.0.0.1", "--port", str(self.port), "--logdir", "data/luigid"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words], cwd=self.folder, stderr=subprocess.DEVNULL
        )
        wait_until_it_answers(self.url)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Watched:
    """A run whose output lines are recorded with their times in seconds."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process, self.began = process, time.monotonic()
        self.lines: list[tuple[float, str]] = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append((time.monotonic() - self.began, line.rstrip()))

    def at(self, part: str) -> float:
        """Wait for a line that contains `part`; returns its time in seconds."""
        while time.monotonic() - self.began < SECONDS:
            if found := [when for when, line in self.lines if part in line]:
                return found[0]
            assert self.thread.is_alive(), self.text
            time.sleep(0.05)
        raise TimeoutError(f"{part}: {self.text}")

    def end(self, code: int) -> float:
        """Wait for the end; returns its time in seconds."""
        self.process.wait(SECONDS)
        self.thread.join(30)
        assert self.process.returncode == code, self.text
        assert "Traceback" not in self.text
        return time.monotonic() - self.began

    @property
    def text(self) -> str:
        return "\n".join(f"{when:6.1f} {line}" for when, line in self.lines)


@pytest.fixture
def daemon(home):
    """A luigid for this folder, whose GAN must be trained again."""
    shutil.rmtree(home.stage_folder("gan"))
    made = Daemon(home.folder)
    yield made
    made.process.send_signal(signal.SIGCONT)
    made.kill()


@pytest.fixture
def start(home, daemon) -> Callable[..., Watched]:
    """`start(*words)` starts a run of about half a minute and returns when the GAN trains."""

    def begin(*words: str) -> Watched:
        run = Watched(home.start("run", "--scheduler", daemon.url, "--gan-epochs", "30", *words))
        run.at("gan        starts")
        time.sleep(2)
        return run

    return begin


def stages(home: Home) -> list[str]:
    return home.ran(home.runs()[-1])


@pytest.mark.parametrize("hung", [False, True])
def test_killed_luigid_is_reported_within_15_s_and_the_stage_finishes(home, daemon, start, hung):
    run = start()
    daemon.process.send_signal(signal.SIGSTOP if hung else signal.SIGKILL)
    began = time.monotonic() - run.began
    told, made = run.at("the stage that works goes on"), run.at("gan        30 epochs")
    ended = run.end(1)
    print(f"\ntold after {told - began:.1f} s; ended {ended - made:.1f} s after the stage")
    assert told - began < 15
    assert ended - made < 25
    assert "not finished: luigid does not answer" in run.text
    assert stages(home) == ["gan"]
    assert home.run("--gan-epochs", "30") == ["generate", "report"]


def test_luigid_restarted_during_a_stage_is_used_again(home, daemon, start):
    run = start()
    daemon.kill()
    run.at("the stage that works goes on")
    daemon.start()
    run.at("answers again")
    run.end(0)
    assert stages(home) == ["gan", "generate", "report"]


def test_luigid_restarted_between_stages_is_used_again(home, daemon, start):
    run = start()
    daemon.kill()
    run.at("the run waits 12 s for it")
    daemon.start()
    run.end(0)
    assert stages(home) == ["gan", "generate", "report"]


def test_ctrl_c_without_luigid_stops_at_once_and_the_next_run_resumes(home, daemon, start):
    run = start()
    daemon.kill()
    run.at("the stage that works goes on")
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    run.end(130)
    assert time.monotonic() - began < 10
    assert home.run("--gan-epochs", "30") == ["gan", "generate", "report"]


def test_luigid_paused_during_a_run_is_named(home, daemon, start):
    run = start()
    ask(daemon.url, "pause")
    run.at(f"waits: luigid at {daemon.url} is paused")
    ask(daemon.url, "unpause")
    run.end(0)
    assert run.text.count("is paused") == 1


def child(pid: int, *, helper: bool = False) -> int:
    """Wait for a process's child: the stage's process, or the server that starts those of stages."""
    for _ in range(600):
        for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            words = Path(f"/proc/{each}/cmdline").read_text()
            if "tensorflow" in words if helper else "resource_tracker" not in words:
                return int(each)
        time.sleep(0.1)
    raise TimeoutError(f"{pid} has no such child")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_stage_process_gives_one_sentence(home, daemon, start, workers):
    run = start("--workers", workers)
    victim = child(run.process.pid) if workers == "2" else child(child(run.process.pid, helper=True))
    os.kill(victim, signal.SIGKILL)
    run.end(1)
    lines = [line for _, line in run.lines if "failed" in line]
    assert lines == [
        "gan        failed: its process was ended by signal 9; signal 9 most often means that memory ran out; running"
        " again resumes there"
    ]
    assert ":(" not in run.text
    assert home.run("--gan-epochs", "30") == ["gan", "generate", "report"]


def test_luigi_command_reports_a_killed_luigid(home, daemon):
    run = Watched(home.start("--options", "gan.epochs=30", "--scheduler-url", daemon.url, program=LUIGI))
    run.at("gan        starts")
    daemon.kill()
    assert run.end(40) - run.at("gan        30 epochs") < 25
    assert "luigid does not answer (Connection refused); what is made is kept" in run.text
