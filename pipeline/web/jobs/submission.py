"""Turn what a client sent into a `Submission`: dataset, settings and definition are checked before it is queued."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.option_types import nearest
from pipeline.text import to_plain_line
from pipeline.web.jobs.job_checks import (
    DEFINITION,
    SettingValue,
    checked_settings,
    named_definition,
    parsed_definition,
    saved_definition,
)
from pipeline.web.jobs.job_queue import Submission
from pipeline.web.mistakes import Mistake
from pipeline.web.security import is_loopback
from pipeline.web.studio import Studio

MAX_NAME = 100  # characters


@dataclass(frozen=True)
class LoadedText:
    """The text of a definition that was uploaded as a file."""

    text: str


def checked_submission(
    studio: Studio,
    *,
    dataset: str,
    until: str = "",
    settings: Mapping[str, SettingValue] | None = None,
    definition: str | LoadedText | dict[str, Any] | None = None,
    name: str = "",
) -> Submission:
    """What to run, checked; a definition that is sent as an object is saved in models/. Errors: `Mistake`, `OSError`.

    `definition` may also be a `LoadedText`: what a file says that was uploaded.
    """
    if dataset not in (names := studio.site.datasets()):
        advice = nearest(dataset, names) if names else "nothing has run yet"
        raise Mistake(to_plain_line(f"there is no dataset '{dataset}'; {advice}", 500), "dataset")
    given = checked_settings(settings or {}, local=is_loopback(studio.access_rules.host))
    if definition is not None and DEFINITION in given:
        raise Mistake(f"give either definition or {DEFINITION}, not both", "settings", DEFINITION)
    called, warnings = _definition(studio, definition)
    if DEFINITION in given:
        warnings = named_definition(given[DEFINITION], "settings", DEFINITION)
    return Submission(
        dataset=dataset,
        until=until,
        settings=given,
        definition=called,
        name=to_plain_line(name, MAX_NAME),
        warnings=tuple(to_plain_line(line, 1000) for line in warnings),
    )


def _definition(studio: Studio, given: str | LoadedText | dict[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    """The name of the definition, and its warnings."""
    if given is None:
        return "", ()
    if isinstance(given, LoadedText):
        return _sent(studio, given.text)
    if isinstance(given, str):
        return given, named_definition(given, "definition")
    try:
        return _sent(studio, json.dumps(given))
    except RecursionError:
        raise Mistake("definition: JSON that cannot be read: too many nested brackets", "definition") from None


def _sent(studio: Studio, text: str) -> tuple[str, tuple[str, ...]]:
    """Check and save the definition in the JSON `text`; returns its name, and its warnings."""
    loaded = parsed_definition(text, "definition")
    return saved_definition(text, studio.site.models), loaded.warnings
