"""Servers of processes: several beside each other, each with what it has imported."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline import fork_server
from pipeline.fork_server import CONTEXT, ForkServer

REPOSITORY = Path(__file__).parent.parent
needs_fork = pytest.mark.skipif(fork_server.METHOD != "forkserver", reason="processes are not forked here")


@pytest.fixture(scope="module")
def servers():
    return {name: ForkServer(name, environment={"KIND": name}) for name in ("colorsys", "chunk", "wave")}


def look(pipe, names):
    pipe.send({"imported": [name for name in names if name in sys.modules], "set": os.environ.get("SET_LATER")})


def ask(server, *names):
    here, there = CONTEXT.Pipe()
    process = server.start(look, there, names)
    there.close()
    try:
        return here.recv()
    finally:
        process.join()
        here.close()


@needs_fork
def test_each_server_has_imported_its_own_modules(servers):
    for _ in range(2):
        assert ask(servers["colorsys"], "colorsys", "wave")["imported"] == ["colorsys"]
        assert ask(servers["wave"], "colorsys", "wave")["imported"] == ["wave"]


@needs_fork
def test_threads_get_processes_of_the_server_that_they_ask(servers):
    found = {}

    def use(name):
        found[name] = [tuple(ask(servers[name], "colorsys", "wave")["imported"]) for _ in range(5)]

    threads = [threading.Thread(target=use, args=(name,)) for name in ("colorsys", "wave")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: [(name,)] * 5 for name in ("colorsys", "wave")}


def test_a_process_has_the_environment_of_the_one_that_starts_it(servers, monkeypatch):
    assert ask(servers["colorsys"])["set"] is None
    monkeypatch.setenv("SET_LATER", "yes")
    assert ask(servers["colorsys"])["set"] == "yes"


def test_libraries_of_workers_use_one_thread():
    assert set(fork_server.WORKERS.environment.values()) == {"1"}


@needs_fork
def test_a_server_that_was_killed_is_replaced():
    server = ForkServer()
    ask(server)
    killed = server._server._forkserver_pid
    os.kill(killed, signal.SIGKILL)
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)
    assert ask(server) == {"imported": [], "set": None}


@needs_fork
def test_a_fork_of_this_process_has_a_server_of_its_own(servers):
    ask(servers["colorsys"])
    here, there = CONTEXT.Pipe()
    if (child := os.fork()) == 0:
        there.send(ask(servers["colorsys"], "colorsys"))
        os._exit(0)
    os.waitpid(child, 0)
    assert here.recv()["imported"] == ["colorsys"]


def test_the_server_and_its_processes_end_with_the_process_that_started_them(tmp_path):
    code = """if True:
        import json, os, sys, time
        from pipeline.fork_server import CONTEXT, ForkServer
        server = ForkServer("pipeline.fork_server")
        process = server.start(time.sleep, 600)
        print(json.dumps([process.pid, server._server._forkserver_pid]), flush=True)
        sys.stdin.read()"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    json.loads(parent.stdout.readline())
    parent.stdin.close()
    assert parent.wait(timeout=30) == 0
    assert parent.stdout.read() == ""  # it ends only when the server has ended too
    parent.stdout.close()
