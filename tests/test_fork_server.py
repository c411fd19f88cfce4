"""Servers of processes: several beside each other, each with what it has imported."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from pipeline import fork_server
from pipeline.errors import UserError
from pipeline.fork_server import CONTEXT, ForkServer
from tests.processes import is_running

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


def read_threads(pipe):
    pipe.send([os.environ.get(name) for name in fork_server.ONE_THREAD])


def test_libraries_of_workers_use_one_thread():
    here, there = CONTEXT.Pipe()
    fork_server.WORKERS.start(read_threads, there).join()
    assert here.recv() == ["1"] * len(fork_server.ONE_THREAD)


def run_code(code: str, **variables: str) -> str:
    """What the code prints in a new process, in which nothing was started before."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{textwrap.dedent(code)}"]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@needs_fork
def test_ctrl_c_and_sigterm_reach_neither_the_server_of_workers_nor_its_processes():
    found = run_code("""
        import time
        from pathlib import Path
        from pipeline.fork_server import WORKERS, kill_process
        process = WORKERS.start(time.sleep, 60)
        for pid in (WORKERS._server._forkserver_pid, process.pid):
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            print(next(int(line.split()[1], 16) for line in lines if line.startswith("SigBlk")))
        kill_process(process)
    """)
    wanted = sum(1 << number - 1 for number in (signal.SIGINT, signal.SIGTERM))
    assert [int(line) & wanted for line in found.splitlines()] == [wanted, wanted]


@needs_fork
def test_where_no_server_can_be_a_process_is_started_anew(tmp_path):
    """The path of a socket may have 107 characters."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    code = """
        import os
        from pipeline.fork_server import CONTEXT, ForkServer
        here, there = CONTEXT.Pipe()
        ForkServer("wave").start(there.send, "sent").join()
        print(here.recv())
    """
    assert run_code(code, TMPDIR=str(folder)) == "sent"


@needs_fork
def test_a_process_whose_server_has_died_can_be_ended():
    server = ForkServer()
    process = server.start(time.sleep, 600)
    kill_server(server)
    ask(server)  # for which the standard library looks after its processes
    fork_server.kill_process(process)
    for _ in range(200):
        if not is_running(process.pid):
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


def kill_server(server) -> None:
    killed = server._server._forkserver_pid
    os.kill(killed, signal.SIGKILL)
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)


@needs_fork
@pytest.mark.parametrize(("blocked", "error"), [({signal.SIGINT}, UserError), (set(), EOFError)])
def test_a_server_that_cannot_import_is_no_riddle(tmp_path, monkeypatch, blocked, error):
    (tmp_path / "fails_to_import.py").write_text("raise ValueError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(error):
        ForkServer("fails_to_import", blocked=blocked).start(print)


@needs_fork
def test_a_server_that_was_killed_is_replaced():
    server = ForkServer()
    ask(server)
    kill_server(server)
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
