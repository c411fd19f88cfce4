"""What a wrong value and a wrong command are told; tests/web/api/test_settings_api.py saves with the real ones."""

import sys

import pytest

from pipeline.errors import UserError
from pipeline.web.settings_process import SettingsProcess, ask_process, check_setting


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
