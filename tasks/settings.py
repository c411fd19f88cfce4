"""The settings of a run: every stage's options, from the command line, luigi.cfg and the defaults.

In luigi.cfg `[gan]` holds for every dataset and `[pikachu.gan]` for one. On the command line an option is named
`gan.epochs`; the flag for it is `--gan-epochs`. Search words that were once given on the command line are remembered,
and URLs given on standard input are kept in a file.
"""

import configparser
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from luigi import configuration

from pipeline.errors import DamagedState, UserError
from pipeline.options import STAGE_OPTIONS, DownloadOptions
from pipeline.options.option import Options, as_json, as_text, field_of, nearest, parse
from pipeline.store import digest
from pipeline.store.atomic import write_whole
from tasks import paths

# Sections of luigi.cfg that are Luigi's own (its documentation, "Configuration")
LUIGI_SECTIONS = {
    "DEFAULT", "RunPipeline", "core", "worker", "elasticsearch", "email", "execution_summary", "hadoop", "hdfs", "hive",
    "kubernetes", "logging", "mysql", "postgres", "prometheus", "redshift", "resources", "retcode", "s3", "scalding",
    "cors", "scheduler", "sendgrid", "smtp", "spark", "sqlalchemy", "task_history", "task_visibility", "batch_notifier",
    "azureblob", "datadog", "gcp", "salesforce", "webhdfs",
}  # fmt: skip
DATASET = re.compile(r"\w[\w-]*")
FILE = Path("luigi.cfg")
LONGEST = 100  # bytes of a dataset's name: folders and locks are named by it, and a system takes 255
RESERVED = {"luigid"}  # data/luigid holds the scheduler's own state


@dataclass(frozen=True)
class Settings:
    """The options of every stage of one dataset: `settings["gan"].epochs`."""

    stages: Mapping[str, Options]

    def __getitem__(self, stage: str) -> Any:
        return self.stages[stage]

    def text(self, upto: str | None = None) -> str:
        """What differs from the defaults, as JSON, for the stages as far as `upto`: a Luigi parameter."""
        names = list(STAGE_OPTIONS)
        wanted = names[: names.index(upto) + 1] if upto else names
        pairs = {}
        for stage in wanted:
            options, default = self.stages[stage], STAGE_OPTIONS[stage]()
            for name in vars(default):
                if (value := getattr(options, name)) != getattr(default, name):
                    pairs[f"{stage}.{name}"] = as_json(value)
        return json.dumps(pairs, sort_keys=True, ensure_ascii=False)


def check_dataset(dataset: str) -> None:
    """Raise a `UserError` unless `dataset` can be the name of a folder and of a section of luigi.cfg."""
    if not DATASET.fullmatch(dataset) or dataset in RESERVED or len(os.fsencode(dataset)) > LONGEST:
        shown = dataset if len(dataset) <= LONGEST else f"{dataset[:20]}…"
        raise UserError(
            f"dataset = {shown!r}: expected letters, digits, - and _, at most {LONGEST} bytes (a name for folders, not"
            " the search words: those go into --query)"
        )


def resolve(dataset: str, overrides: Mapping[str, str], *, memory: bool = True) -> Settings:
    """The settings for `dataset`. What comes first wins: `overrides` (`{"gan.epochs": "20"}`), luigi.cfg for this
    dataset, with `memory` what this dataset was last run with, luigi.cfg for all, the defaults.
    """
    check_dataset(dataset)
    for section in configuration.get_config().sections():
        _check_section(section)
    texts = _section_texts("")
    if memory:
        texts |= {name: (text, f"remembered {name}") for name, text in remembered(dataset).items()}
    texts |= _section_texts(f"{dataset}.")
    texts |= {name: (text, name) for name, text in overrides.items()}
    values: dict[str, dict[str, Any]] = {stage: {} for stage in STAGE_OPTIONS}
    for name, (text, where) in texts.items():
        stage, option = split(name)
        values[stage][option] = parse(field_of(STAGE_OPTIONS[stage], option, stage), text, where)
    return Settings({stage: _make(stage, chosen) for stage, chosen in values.items()})


def reread() -> None:
    """Take luigi.cfg as it is now; Luigi itself reads it once a process. Errors: `UserError` if it cannot be read."""
    config = configuration.get_config()
    config.clear()  # sections that are gone from the file too
    try:
        config.read(config._config_paths, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UserError(f"luigi.cfg cannot be read: {' '.join(str(error).split())}") from None


@lru_cache(maxsize=64)  # each stage of a run is asked for its own again and again
def from_text(text: str) -> Settings:
    """The settings that `Settings.text` wrote."""
    values: dict[str, dict[str, Any]] = {stage: {} for stage in STAGE_OPTIONS}
    for name, value in json.loads(text).items():
        stage, option = split(name)
        values[stage][option] = tuple(value) if isinstance(value, list) else value
    return Settings({stage: _make(stage, chosen) for stage, chosen in values.items()})


def read_words(words: str) -> dict[str, str]:
    """`gan.epochs=20 download.query='a,b'` as pairs: how the plain Luigi command line gives options."""
    pairs = {}
    for word in shlex.split(words):
        name, equals, text = word.partition("=")
        if not equals:
            raise UserError(f"options: {word!r} has no '='; write for example gan.epochs=20")
        pairs[name] = text
    return pairs


def split(name: str) -> tuple[str, str]:
    """`gan.epochs` as its stage and option; a `UserError` for a stage that is not there."""
    stage, dot, option = name.partition(".")
    if not dot or stage not in STAGE_OPTIONS:
        known = [f"{stage}.{name}" for stage, options in STAGE_OPTIONS.items() for name in vars(options())]
        raise UserError(f"there is no option '{name}'; {nearest(name, known) if dot else 'write stage.option=value'}")
    return stage, option


def _make(stage: str, chosen: dict[str, Any]) -> Options:
    try:
        return STAGE_OPTIONS[stage](**chosen)
    except UserError as error:
        raise UserError(f"{stage}.{error}") from None


def _section_texts(prefix: str) -> dict[str, tuple[str, str]]:
    """`{"gan.epochs": (text, where it stands)}` from the sections of luigi.cfg whose names begin with `prefix`."""
    config, found = configuration.get_config(), {}
    for stage in STAGE_OPTIONS:
        section = f"{prefix}{stage}"
        for written, text in _items(config, section):
            name = written.replace("-", "_")
            field_of(STAGE_OPTIONS[stage], name, f"luigi.cfg [{section}]:")
            found[f"{stage}.{name}"] = (text, f"luigi.cfg [{section}] {name}")
    return found


def _items(config: Any, section: str) -> list[tuple[str, str]]:
    try:
        return list(config.items(section)) if config.has_section(section) else []
    except configparser.Error as error:  # a % or a ${...} that leads nowhere
        raise UserError(f"luigi.cfg [{section}]: {' '.join(str(error).split())}; write %% for a %") from None


def _check_section(section: str) -> None:
    stage = section.rpartition(".")[2]
    if section not in LUIGI_SECTIONS and stage not in STAGE_OPTIONS:
        raise UserError(f"luigi.cfg: nothing reads the section [{section}]; {nearest(section, STAGE_OPTIONS)}")


SUBJECT = ("query", "sources", "site", "urls", "folder")  # what a dataset is; how much of it is said anew each time


def remembered(dataset: str) -> dict[str, str]:
    """The search words or the like that `dataset` was last run with beside luigi.cfg: `{"download.query": "..."}`."""
    file = path(dataset)
    if not file.exists():
        return {}
    try:
        return {str(name): str(text) for name, text in json.loads(file.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError):
        raise DamagedState(f"{file} cannot be read; delete it, and give --query or its like once more") from None


def remember(dataset: str, options: DownloadOptions, known: DownloadOptions) -> None:
    """Keep what `options` has other than `known`, which luigi.cfg gives; whole or not at all."""
    names = [name for name in SUBJECT if getattr(options, name) != getattr(known, name)]
    text = json.dumps({f"download.{name}": as_text(getattr(options, name)) for name in names}, ensure_ascii=False)
    file = path(dataset)
    if file.exists() and file.read_text(encoding="utf-8") == text + "\n":
        return  # a run that makes nothing new needs no disk that can be written to
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, f"{text}\n".encode(), sync=False, unique=True)


def path(dataset: str) -> Path:
    """Where that is kept."""
    return paths.dataset_folder(dataset) / "subject.json"


def from_standard_input(dataset: str) -> Path:
    """Write what comes on the standard input to data/<dataset>/urls/ and return the file, named by its content."""
    check_dataset(dataset)
    if sys.stdin.isatty():
        print("reading addresses, one a line; ctrl-D ends them", file=sys.stderr)
    text = sys.stdin.buffer.read()
    if not text.strip():
        raise UserError("--download-urls -: nothing came on the standard input; write one address a line")
    path = paths.dataset_folder(dataset) / "urls" / f"{digest.of_bytes(text)[:12]}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text, sync=False, unique=True)
    return path
