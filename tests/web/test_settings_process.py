"""Settings of a dataset over the command line: what is saved, and what a wrong value or command is told."""

import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.web.settings_process import SettingsProcess, ask_process, check_setting

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.fixture
def cats(tmp_path, monkeypatch):
    """The settings of an empty dataset in a working folder with a luigi.cfg, by the real commands."""
    (tmp_path / "luigi.cfg").write_text("[gan]\nepochs = 50\n")
    (tmp_path / "data" / "cats" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return SettingsProcess(command=(sys.executable, "-m", "tasks"), dataset="cats")


def value_and_origin(settings, name):
    return next((each["value"], each["origin"]) for each in settings if each["name"] == name)


def test_a_setting_is_remembered_and_forgotten(cats):
    saved = cats.remember({"gan.epochs": "20", "download.query": "cat, 'tabby cat'"})
    assert value_and_origin(saved, "gan.epochs") == ("20", "remembered from the last run")
    assert value_and_origin(saved, "download.query")[0] == "cat,'tabby cat'"
    assert value_and_origin(cats.forget(["gan.epochs"]), "gan.epochs") == ("50", "luigi.cfg [gan]")
    with pytest.raises(UserError, match=r"gan\.epochs is not remembered for cats"):
        cats.forget(["gan.epochs"])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("gan.epochs", "0", r"gan.epochs = 0: expected a whole number, at least 1, or auto"),
        ("gan.epohcs", "2", r"gan has no option 'epohcs'; did you mean 'epochs'\?"),
        ("--all", "", "there is no option '--all'"),
        ("download.query", "a\0b", "expected one line"),
        ("download.query", "\ud800", "expected a list"),
        ("download.query", "a" * 5000, "at most 4000 characters"),
    ],
)
def test_a_wrong_value_is_refused_without_a_process(name, text, says):
    with pytest.raises(UserError, match=says):
        check_setting(name, text)
    with pytest.raises(UserError, match=says):
        SettingsProcess(command=("false",), dataset="cats").remember({name: text})


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("""print('{"error": "luigi.cfg is \\\\n wrong"}')""", r"^luigi.cfg is\s+wrong$"),
        ("import sys; print('error: no disk', file=sys.stderr); sys.exit(2)", "ended with code 2: no disk$"),
        ("import time; time.sleep(20)", "no answer within 1 s"),
    ],
)
def test_a_process_that_gives_no_settings_is_one_line(code, says):
    with pytest.raises(UserError, match=says):
        ask_process([sys.executable, "-c", code], seconds=1)
