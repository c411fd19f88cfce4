"""The command `luigid`: what it says, and what a wrong port is told; tests/end_to_end/test_luigid.py starts it."""

import errno
import logging

import pytest
from luigi import server

from tasks.cli import main
from tasks.luigid_command import LOG


@pytest.fixture
def level():
    """The level of the root logger, as it was."""
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def test_it_serves_this_machine_only_with_its_state_and_log_in_data(configure, level, monkeypatch, capsys):
    config, calls = configure(""), []

    def run(**given):
        logging.getLogger("luigi.server").info("Scheduler starting up")
        calls.append(given)

    monkeypatch.setattr(server, "run", run)
    assert main(["luigid", "--port", "8099"]) == 0
    assert calls == [{"api_port": 8099, "address": "127.0.0.1"}]
    assert "luigid: http://127.0.0.1:8099" in capsys.readouterr().err
    assert "Scheduler starting up" in (config / LOG).read_text()


@pytest.mark.parametrize(
    ("port", "fault", "says"),
    [
        ("0", None, "--port 0: expected a number from 1 to 65535"),
        ("8099", OSError(errno.EADDRINUSE, "in use"), "port 8099 is in use; give another one, as in --port 8100"),
        ("80", OSError(errno.EACCES, "Permission denied"), "cannot listen on 127.0.0.1, port 80: Permission denied"),
    ],
)
def test_a_port_that_cannot_be_had_is_one_line(configure, level, monkeypatch, capsys, port, fault, says):
    def run(**given):
        raise fault

    configure("")
    monkeypatch.setattr(server, "run", run)
    assert main(["luigid", "--port", port]) == 2
    assert f"error: {says}" in capsys.readouterr().err
