"""Check what is submitted before it is queued: the settings and the definition, without loading Luigi or a network.

The lines of the errors are those that the command line prints.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.gan.config import loading
from pipeline.gan.config.json_text import MAX_BYTES, DefinitionError, read_text
from pipeline.gan.config.resolutions import check_size
from pipeline.option_types import as_text
from pipeline.options import parse_setting, split_setting
from pipeline.store.atomic import write_whole
from pipeline.store.digest import of_bytes
from pipeline.web.mistakes import Mistake

DEFINITION = "gan.definition"
SOURCE = "definition"  # how errors name a definition that was sent
SUBMITTED = "submitted-"  # how the names of definitions begin that were sent
# What only a person at this machine may choose: files and addresses that the server can reach and others cannot
LOCAL_ONLY = (
    "download.folder",
    "download.imagefolder",
    "download.webdataset",
    "download.urls",
    "download.allow_private",
)
WEIGHTS = ("classifier.backbone", "gan.extractor", "generate.extractor")  # a name, or a file
MAX_SETTING_BYTES = 100_000  # Linux takes 131,071 bytes as an argument of a process
PLAIN_NAME = re.compile(r"[A-Za-z0-9]*")

SettingValue = str | int | float | bool | None | Sequence[str]


def checked_settings(given: Mapping[str, SettingValue], *, local: bool) -> dict[str, str]:
    """The settings as text. Errors: `Mistake` with the line of the command line.

    Without `local`, for a server that other machines reach, settings that name files of this machine are refused.
    """
    return {name: _checked_setting(name, value, local=local) for name, value in given.items()}


def _checked_setting(name: str, value: SettingValue, *, local: bool) -> str:
    text = as_text(value)
    if len(text.encode("utf-8", "replace")) > MAX_SETTING_BYTES:
        raise Mistake(f"{name}: has more than {MAX_SETTING_BYTES:,} bytes", "settings", name)
    try:
        stage, option = split_setting(name)
        found = parse_setting(stage, option, text, name)
        if name == "normalize.size":
            check_size(found)
    except UserError as error:
        raise Mistake(str(error), "settings", name) from None
    if not local and (problem := local_only_problem(name, text)):
        raise Mistake(problem, "settings", name)
    if name == DEFINITION:
        named_definition(text, "settings", name)
    return text


def local_only_problem(name: str, text: str) -> str:
    """Why a server that other machines reach does not take this value of a setting; empty if it does."""
    if name in LOCAL_ONLY or (name in WEIGHTS and not PLAIN_NAME.fullmatch(text)):
        return f"{name}: only a server that listens on this machine alone takes this"
    return ""


def named_definition(name: str, *pointer: str) -> tuple[str, ...]:
    """The warnings of the definition `name`. Errors: `Mistake` if there is none, or it cannot be used."""
    try:
        path = loading.find_definition(name, asked=DEFINITION)
        return loading.parse(read_text(path), f"models/{path.name}").warnings
    except UserError as error:
        raise Mistake(str(error).replace(str(loading.BUILT_IN_DEFINITIONS), "models"), *pointer) from None


def parsed_definition(text: str, *pointer: str) -> loading.LoadedDefinition:
    """The definition in the JSON `text`. Errors: `Mistake` with the line of `models check`."""
    if len(text) > MAX_BYTES:
        raise Mistake(f"{SOURCE}: has more than {MAX_BYTES:,} bytes; a definition has a few hundred", *pointer)
    try:
        return loading.parse(text, SOURCE)
    except UserError as error:
        raise Mistake(str(error), *pointer, *(error.path if isinstance(error, DefinitionError) else ())) from None
    except RecursionError:
        raise Mistake(f"{SOURCE}: JSON that cannot be read: too many nested brackets", *pointer) from None


def saved_definition(text: str, folder: Path) -> str:
    """Save the definition in the JSON `text` as a file in `folder` that is named by its content; returns its name."""
    tree = json.loads(text)
    name = SUBMITTED + of_bytes(json.dumps(tree, sort_keys=True).encode())[:12]
    path = folder / f"{name}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, (_as_text(tree) + "\n").encode(), unique=True)
    return name


def _as_text(tree: Any) -> str:
    text = json.dumps(tree, indent=2, ensure_ascii=False)
    return text if text.isascii() or _is_text(text) else json.dumps(tree, indent=2)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
