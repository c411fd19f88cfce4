"""The command that makes certificates and runs schedulers and workers: what is wrong is one line."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.cluster.certificates import make_certificates
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
        (["worker", "tcp://127.0.0.1:8786"], "expected nothing, local, or an address such as tls://"),
        (["scheduler", "--port", "99999"], "--port 99999: expected a port from 1 to 65535, for example 8786"),
        (["wroker"], "'wroker' is not known; did you mean 'worker'?"),
    ],
)
def test_a_mistake_is_one_line(configure, capsys, words, says):
    pytest.importorskip("distributed", reason="distributed is not installed")
    configure("")
    assert says in error_of(capsys, *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--processes", "-1"], "--processes -1: expected a whole number"),
        (["--processes", "0", "--trainings", "0"], "--processes 0 --trainings 0: nothing would work"),
        (["--memory", "4XB"], "--memory 4XB: expected auto, or at least 256MiB, for example 4GB"),
        (["--memory", "4"], "--memory 4: expected auto, or at least 256MiB, for example 4GB"),
    ],
)
def test_a_mistake_about_workers_is_one_line(configure, capsys, words, says):
    pytest.importorskip("distributed", reason="distributed is not installed")
    folder = configure("")
    make_certificates(folder / "data" / ".cluster")
    assert says in error_of(capsys, "worker", "tls://127.0.0.1:1", *words)


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1"], ids=["port in use", "not an address of this machine"])
def test_a_scheduler_that_cannot_listen_is_one_line(configure, capsys, host):
    pytest.importorskip("distributed", reason="distributed is not installed")
    folder = configure("")
    make_certificates(folder / "data" / ".cluster")
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = str(used.getsockname()[1])
        error = error_of(capsys, "scheduler", "--host", host, "--port", port)
    assert error.startswith(f"error: --host {host} --port {port}: ")
    assert error.endswith("give an address of this machine and a port that is free\n")


def test_wrong_certificates_are_one_line(configure, capsys, cluster):
    folder = configure("")
    make_certificates(folder / "data" / ".cluster")
    error = error_of(capsys, "worker", cluster.address, "--processes", "1", "--trainings", "0")
    assert error.startswith(f"error: {cluster.address}: ")
    assert "certificate verify failed" in error
    assert "every machine of a cluster needs the certificates that one of them has made" in error


@pytest.mark.slow
def test_workers_wait_for_a_scheduler_that_does_not_answer(tmp_path):
    pytest.importorskip("distributed", reason="distributed is not installed")
    make_certificates(tmp_path / "data" / ".cluster")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tls://127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"}
    command = [sys.executable, "-m", "tasks", "cluster", "worker", address, "--processes", "1", "--trainings", "0"]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == f"looking for {address}  (ctrl-C ends it)\n"
        assert process.stdout.readline() == f"{address} does not answer; the workers wait for it\n"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130


@pytest.mark.slow
def test_a_host_name_that_nobody_knows_is_said_at_once(tmp_path):
    pytest.importorskip("distributed", reason="distributed is not installed")
    make_certificates(tmp_path / "data" / ".cluster")
    command = [sys.executable, "-m", "tasks", "cluster", "worker", "tls://nobody.invalid:8786"]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes, text=True)
    try:
        assert process.stdout.readline() == "looking for tls://nobody.invalid:8786  (ctrl-C ends it)\n"
        line = process.stdout.readline()
        assert line.startswith("tls://nobody.invalid:8786: ")
        assert line.endswith("; the workers wait for it\n")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60) == ("", "")


def listening(*processes: subprocess.Popen) -> set[str]:
    """The addresses at which `processes` and those that they have started listen."""
    family = [each for one in processes for each in family_of(psutil.Process(one.pid))]
    found = [connection for each in family for connection in each.net_connections("inet")]
    return {connection.laddr.ip for connection in found if connection.status == psutil.CONN_LISTEN}


def family_of(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


@pytest.mark.slow
def test_a_scheduler_and_its_workers_end_in_order(tmp_path):
    """On one machine no other machine reaches them, and the certificates are made on demand."""
    pytest.importorskip("distributed", reason="distributed is not installed")
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}

    def start(*words: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tasks", "cluster", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=tmp_path, env=environment, **pipes, text=True)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scheduler = start("scheduler", "--port", str(port))
    assert scheduler.stdout.readline() == f"scheduler: tls://127.0.0.1:{port}  (ctrl-C ends it)\n"
    worker = start("worker", f"tls://127.0.0.1:{port}", "--processes", "1", "--trainings", "0")
    try:
        assert worker.stdout.readline() == f"looking for tls://127.0.0.1:{port}  (ctrl-C ends it)\n"
        assert worker.stdout.readline() == f"1 worker of tls://127.0.0.1:{port}  (ctrl-C ends all)\n"
        assert listening(scheduler, worker) == {"127.0.0.1"}
        for process in (worker, scheduler):
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 130
            assert " INFO " not in process.stderr.read()
        assert not list(tmp_path.glob("ganmill-worker-*"))
    finally:
        for process in (worker, scheduler):
            process.kill()
            process.wait()
