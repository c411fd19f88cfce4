"""The console script `ganmill` does what `python -m tasks` does, and says its own name."""

import sys
from importlib import metadata

import pytest

from tasks import cli, console


@pytest.fixture
def called_ganmill(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/somewhere/.venv/bin/ganmill"])


def test_help_names_the_module(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert capsys.readouterr().out.startswith("usage: python -m tasks ")


@pytest.mark.usefixtures("called_ganmill")
def test_help_names_the_console_script(capsys):
    with pytest.raises(SystemExit):
        cli.main(["models", "--help"])
    assert capsys.readouterr().out.startswith("usage: ganmill models ")


@pytest.mark.usefixtures("called_ganmill")
def test_an_error_advises_the_console_script(capsys):
    assert cli.main(["rerun"]) == 2
    assert "(ganmill --help lists the commands)" in capsys.readouterr().err


def test_a_line_of_a_stage_advises_what_was_called(capsys, monkeypatch):
    console.print_line("gan", "`python -m tasks rerun gan` makes it again")
    monkeypatch.setattr(sys, "argv", ["ganmill"])
    console.print_line("gan", "`python -m tasks rerun gan` makes it again")
    said = capsys.readouterr().err.splitlines()
    assert [line.split("`")[1] for line in said] == ["python -m tasks rerun gan", "ganmill rerun gan"]


def test_the_console_script_is_the_command_line(monkeypatch):
    try:
        scripts = metadata.distribution("ganmill").entry_points
    except metadata.PackageNotFoundError:
        pytest.skip("ganmill is not installed as a package; `make test` installs it")
    command = next(each for each in scripts if each.name == "ganmill").load()
    monkeypatch.setattr("tasks.cli.main", lambda: 7)
    monkeypatch.setattr("gc.freeze", lambda: None)
    assert command() == 7
