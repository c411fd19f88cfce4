"""The settings as a form asks for them: by stage, each with its meaning and what may be given; values come later."""

from dataclasses import dataclass
from typing import Any

from pipeline.gan.config.loading import definitions
from pipeline.options import STAGE_OPTIONS, describe_setting


@dataclass(frozen=True, kw_only=True)
class SettingGroup:
    """The settings of one stage, and what they are about."""

    stage: str
    about: str
    settings: list[dict[str, Any]]


def setting_groups(*, without: frozenset[str] = frozenset()) -> list[SettingGroup]:
    """All settings by stage, in the order of the stages, but not those in `without`."""
    groups = []
    for stage, options in STAGE_OPTIONS.items():
        about = str(options.__doc__).splitlines()[0]
        names = [name for name in options.model_fields if f"{stage}.{name}" not in without]
        groups.append(SettingGroup(stage=stage, about=about, settings=[setting_field(f"{stage}.{n}") for n in names]))
    return groups


def setting_field(name: str) -> dict[str, Any]:
    """One setting: name, option, default, meaning, expected, type and choices."""
    stage, _, option = name.partition(".")
    found = {**describe_setting(stage, option), "option": option}
    if name == "gan.definition":
        found["choices"] = list(definitions())
    return found
