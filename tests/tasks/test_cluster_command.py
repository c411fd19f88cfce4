"""The command that makes certificates and runs schedulers and workers: what is wrong is one line."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.cli import main

REPOSITORY = Path(__file__).parents[2]


def error_of(capsys, *words: str) -> str:
    assert main(["cluster", *words]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


def test_certificates_are_made_in_the_folder_of_the_settings(configure, capsys):
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    folder = configure("")
    assert main(["cluster", "certificates"]) == 0
    assert sorted(path.name for path in (folder / "data" / ".cluster").iterdir()) == [
        "ca.pem",
        "certificate.pem",
        "key.pem",
    ]
    assert "copy this folder to every machine" in capsys.readouterr().out
    assert "has certificates already" in error_of(capsys, "certificates")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["scheduler", "--host", "0.0.0.0"], "`python -m tasks cluster certificates` makes them"),
        (["worker", "tls://example.org:8786"], "`python -m tasks cluster certificates` makes them"),
        (["worker", "example.org"], "expected nothing, local, or an address such as tls://"),
        (["worker", "tcp://127.0.0.1:8786", "--processes", "-1"], "--processes -1: expected a whole number"),
        (["wroker"], "'wroker' is not known; did you mean 'worker'?"),
    ],
)
def test_a_mistake_is_one_line(configure, capsys, words, says):
    pytest.importorskip("distributed", reason="distributed is not installed")
    configure("")
    assert says in error_of(capsys, *words)


@pytest.mark.slow
def test_a_scheduler_and_its_workers_end_in_order(tmp_path):
    pytest.importorskip("distributed", reason="distributed is not installed")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}

    def start(*words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tasks", "cluster", *words]
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)

    assert start("certificates").wait(timeout=60) == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scheduler = start("scheduler", "--port", str(port))
    worker = start("worker", f"tls://127.0.0.1:{port}", "--processes", "1", "--trainings", "0")
    try:
        assert scheduler.stdout.readline() == f"scheduler: tls://127.0.0.1:{port}  (ctrl-C ends it)\n"
        assert worker.stdout.readline() == f"1 workers of tls://127.0.0.1:{port}  (ctrl-C ends them)\n"
        for process in (worker, scheduler):
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 130
        assert not list(tmp_path.glob("ganmill-worker-*"))
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()
