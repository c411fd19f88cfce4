"""The settings of a dataset, read and saved by `python -m tasks` processes, and their values checked without one.

Other processes, because what gives a setting (luigi.cfg, what is remembered) is known to Luigi's side alone. What they
print is JSON: a list with an object for each setting, or {"error": ...}.
"""

import json
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError
from pipeline.option_types import field_of
from pipeline.options import STAGE_OPTIONS, parse_setting, split
from pipeline.run_record import LONGEST_LINE
from pipeline.text import to_plain_line

SECONDS = 60  # that one process may take; a second is usual
LONGEST_VALUE = 4000  # characters of a value
REMEMBERED = "remembered from the last run"  # the `origin` of a setting that can be forgotten
_RUNNING = threading.BoundedSemaphore(2)  # pages that ask for many wait their turn
_SAVING = threading.Lock()  # each process reads what is remembered and writes all of it


@dataclass(frozen=True, kw_only=True)
class SettingsProcess:
    """The settings of one dataset; `command` is the program, to which words are appended.

    Errors of all methods that start a process: `UserError` with the line that the command gave.
    """

    command: Sequence[str]
    dataset: str

    def described(self) -> list[dict[str, Any]]:
        """Every setting: `name`, `value`, `origin`, `default`, `meaning`, `expected`, `type` and `choices`."""
        return _as_list(self._ask("options", "--json"))

    def remember(self, values: Mapping[str, str]) -> list[dict[str, Any]]:
        """Save `values` for the dataset, texts as luigi.cfg has them; returns every setting as it is then."""
        for name, text in values.items():
            check_setting(name, text)
        with _SAVING:
            return _as_list(self._ask("remember", "--json", *(f"{name}={text}" for name, text in values.items())))

    def forget(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Let luigi.cfg or the default give the settings `names` again; returns every setting as it is then."""
        if not names:
            raise UserError("name the settings to forget")
        for name in names:
            known_setting(name)
        with _SAVING:
            return _as_list(self._ask("forget", "--json", *names))

    def _ask(self, *words: str) -> Any:
        return ask_process([*self.command, *words, "--dataset", self.dataset])


def check_setting(name: str, text: str) -> None:
    """Raise a `UserError` unless the setting `name` may have the value `text`; settings that go together are not
    compared."""
    stage, option = known_setting(name)
    if len(text) > LONGEST_VALUE:
        raise UserError(f"{name}: expected at most {LONGEST_VALUE} characters, not {len(text)}")
    if any(character in text for character in "\0\r\n"):
        raise UserError(f"{name}: expected one line of text")
    parse_setting(stage, option, text, name)


def known_setting(name: str) -> tuple[str, str]:
    """Stage and option of the setting `name`. Errors: `UserError` with the nearest name if there is none."""
    stage, option = split(name)
    field_of(STAGE_OPTIONS[stage], option, stage)
    return stage, option


def ask_process(words: Sequence[str], *, seconds: float = SECONDS) -> Any:
    """The JSON that the process `words` prints.

    Errors: `UserError` with its {"error": ...}, or if it takes longer than `seconds` or prints no JSON.
    """
    try:
        with _RUNNING:
            found = subprocess.run(
                list(words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
            )
    except subprocess.TimeoutExpired:
        raise UserError(f"the command gave no answer within {seconds:.0f} s; try again") from None
    try:
        answer = json.loads(found.stdout)
    except ValueError:
        raise UserError(_without_json(found)) from None
    if isinstance(answer, dict) and "error" in answer:
        raise UserError(to_plain_line(str(answer["error"]), LONGEST_LINE))
    return answer


def _without_json(found: "subprocess.CompletedProcess[str]") -> str:
    lines = [line for line in found.stderr.splitlines() if line.strip()]
    said = lines[-1].removeprefix("error: ") if lines else "it printed nothing"
    return to_plain_line(f"the command ended with code {found.returncode}: {said}", LONGEST_LINE)


def _as_list(answer: Any) -> list[dict[str, Any]]:
    if not isinstance(answer, list):
        raise UserError("the command printed no list of settings; is another version installed?")
    return answer
