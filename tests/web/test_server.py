"""The listening socket, and the `web` command."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.web.server import listen
from tasks.cli import main
from tests.web.live_server import free_port

REPOSITORY = Path(__file__).parent.parent.parent
SEARCHED = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
ENVIRONMENT = os.environ | {"PYTHONPATH": SEARCHED}


def test_port_in_use_gives_one_line_error():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use"):
            listen("127.0.0.1", port)


def test_listening_socket_allows_tcp_nodelay():
    with listen("127.0.0.1", free_port()) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # asyncio sets TCP_NODELAY on nothing else


def test_foreign_address_gives_one_line_error():
    with pytest.raises(UserError, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", free_port())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--port", "0"], "--port 0"),
        (["--port", "70000"], "--port 70000"),
        (["--dataset", "nothing"], "no dataset 'nothing'"),
    ],
)
def test_wrong_web_option_gives_one_line_error(tmp_path, monkeypatch, capsys, words, expected):
    monkeypatch.chdir(tmp_path)
    assert main(["web", "--no-browser", *words]) == 2
    output = capsys.readouterr().err
    assert expected in output
    assert len(output.splitlines()) == 1


@pytest.mark.parametrize("words", [["--help"], ["web", "--help"], ["status"]])
def test_other_commands_do_not_import_fastapi(tmp_path, words):
    code = (
        f"import sys, tasks.cli\ntry: tasks.cli.main({words})\nexcept SystemExit: pass\nprint('fastapi' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(("host", "token"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_web_command_prints_its_address_and_ends_with_ctrl_c(tmp_path, host, token):
    words = [sys.executable, "-m", "tasks", "web", "--no-browser", "--host", host, "--port", str(free_port())]
    server = subprocess.Popen(words, cwd=tmp_path, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    try:
        line = server.stderr.readline()
        assert line.startswith("label page: http://")
        assert ("?token=" in line) == token
        server.send_signal(signal.SIGINT)
        assert server.wait() == 0
        assert "Traceback" not in server.stderr.read()
    finally:
        server.kill()
        server.wait()
        server.stderr.close()
