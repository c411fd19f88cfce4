"""The settings of a run: the options of every stage, from flags, luigi.cfg and the defaults (`resolve`).

In luigi.cfg the section [gan] is for every dataset and [pikachu.gan] for one. The setting gan.epochs is the option
`epochs` of the stage gan; its flag is --gan-epochs. Search words that were given by flag once are remembered for the
dataset, and URLs from standard input are kept in a file.
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
from pipeline.option_types import Options, as_json, as_text, field_of, nearest, parse
from pipeline.options import STAGE_OPTIONS, STAGES, DownloadOptions
from pipeline.store import digest
from pipeline.store.atomic import write_whole
from tasks import paths

# Sections of luigi.cfg that Luigi itself reads (its documentation, "Configuration")
LUIGI_SECTIONS = {
    "DEFAULT", "RunPipeline", "core", "worker", "elasticsearch", "email", "execution_summary", "hadoop", "hdfs", "hive",
    "kubernetes", "logging", "mysql", "postgres", "prometheus", "redshift", "resources", "retcode", "s3", "scalding",
    "cors", "scheduler", "sendgrid", "smtp", "spark", "sqlalchemy", "task_history", "task_visibility", "batch_notifier",
    "azureblob", "datadog", "gcp", "salesforce", "webhdfs",
}  # fmt: skip
DATASET = re.compile(r"\w[\w-]*")
FILE = Path("luigi.cfg")
LONGEST = 100  # bytes of a dataset's name: it is part of the names of folders and locks, which may have 255 bytes
RESERVED = {"luigid"}  # data/luigid holds the state of Luigi's scheduler


@dataclass(frozen=True)
class Settings:
    """The options of every stage of one dataset: `settings["gan"].epochs`."""

    stages: Mapping[str, Options]

    def __getitem__(self, stage: str) -> Any:
        return self.stages[stage]

    def text(self, upto: str | None = None) -> str:
        """The options that differ from the defaults, as JSON, of the stages up to `upto`: a Luigi parameter."""
        pairs = {}
        for stage in STAGES[: STAGES.index(upto) + 1] if upto else STAGES:
            for name, field in STAGE_OPTIONS[stage].model_fields.items():
                if (value := getattr(self.stages[stage], name)) != field.default:
                    pairs[f"{stage}.{name}"] = as_json(value)
        return json.dumps(pairs, sort_keys=True, ensure_ascii=False)


def check_dataset(dataset: str) -> None:
    """Raise a `UserError` unless `dataset` can be the name of a folder and of a section of luigi.cfg."""
    if not DATASET.fullmatch(dataset) or dataset in RESERVED or len(os.fsencode(dataset)) > LONGEST:
        shown = dataset if len(dataset) <= LONGEST else f"{dataset[:20]}…"
        raise UserError(
            f"dataset = {shown!r}: expected letters, digits, - and _, at most {LONGEST} bytes (a name for folders, not"
            " the search terms: those go into --query)"
        )


def resolve(dataset: str, overrides: Mapping[str, str], *, memory: bool = True) -> Settings:
    """The settings for `dataset`. The first of these that gives a setting wins:

    1. `overrides`, the flags: `{"gan.epochs": "20"}`
    2. luigi.cfg, in a section for this dataset, [pikachu.gan]
    3. with `memory`, the search terms or other subject that this dataset was last run with (`remember`)
    4. luigi.cfg, in a section for all datasets, [gan]
    5. the default

    Errors: `UserError` for an unknown name or section and for a value that is not allowed.
    """
    check_dataset(dataset)
    for section in configuration.get_config().sections():
        _check_section(section)
    texts = _section_texts("")
    if memory:
        texts |= {name: (text, f"remembered {name}") for name, text in remembered(dataset).items()}
    texts |= _section_texts(f"{dataset}.")
    texts |= {name: (text, name) for name, text in overrides.items()}
    values: dict[str, dict[str, Any]] = {stage: {} for stage in STAGES}
    for name, (text, where) in texts.items():
        stage, option = split(name)
        values[stage][option] = parse(field_of(STAGE_OPTIONS[stage], option, stage), text, where)
    return Settings({stage: _make(stage, chosen) for stage, chosen in values.items()})


def reread() -> None:
    """Read luigi.cfg again, which Luigi reads once a process. Errors: `UserError` if it cannot be read."""
    config = configuration.get_config()
    config.clear()  # or else sections that were removed from the file would stay
    try:
        config.read(config._config_paths, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UserError(f"luigi.cfg cannot be read: {' '.join(str(error).split())}") from None


@lru_cache(maxsize=64)  # every task of a run calls this many times
def from_text(text: str) -> Settings:
    """The settings that `Settings.text` wrote."""
    values: dict[str, dict[str, Any]] = {stage: {} for stage in STAGES}
    for name, value in json.loads(text).items():
        stage, option = split(name)
        values[stage][option] = tuple(value) if isinstance(value, list) else value
    return Settings({stage: _make(stage, chosen) for stage, chosen in values.items()})


def read_words(words: str) -> dict[str, str]:
    """The pairs in `gan.epochs=20 download.query='a,b'`: how Luigi's own command line gives options."""
    pairs = {}
    for word in shlex.split(words):
        name, equals, text = word.partition("=")
        if not equals:
            raise UserError(f"options: {word!r} has no '='; write for example gan.epochs=20")
        pairs[name] = text
    return pairs


def split(name: str) -> tuple[str, str]:
    """The stage and the option that `gan.epochs` names. Errors: `UserError` if there is no such stage."""
    stage, dot, option = name.partition(".")
    if not dot or stage not in STAGES:
        known = [f"{stage}.{name}" for stage, options in STAGE_OPTIONS.items() for name in options.model_fields]
        raise UserError(f"there is no option '{name}'; {nearest(name, known) if dot else 'write stage.option=value'}")
    return stage, option


def _make(stage: str, chosen: dict[str, Any]) -> Options:
    try:
        return STAGE_OPTIONS[stage](**chosen)
    except UserError as error:
        raise UserError(f"{stage}.{error}") from None


def _section_texts(prefix: str) -> dict[str, tuple[str, str]]:
    """`{"gan.epochs": (text, where it is written)}` from the sections `<prefix><stage>` of luigi.cfg."""
    config, found = configuration.get_config(), {}
    for stage in STAGES:
        section = f"{prefix}{stage}"
        for written, text in _items(config, section):
            name = written.replace("-", "_")
            field_of(STAGE_OPTIONS[stage], name, f"luigi.cfg [{section}]:")
            found[f"{stage}.{name}"] = (text, f"luigi.cfg [{section}] {name}")
    return found


def _items(config: Any, section: str) -> list[tuple[str, str]]:
    try:
        return list(config.items(section)) if config.has_section(section) else []
    except configparser.Error as error:  # a % or a ${...} that refers to nothing
        raise UserError(f"luigi.cfg [{section}]: {' '.join(str(error).split())}; write %% for a %") from None


def _check_section(section: str) -> None:
    stage = section.rpartition(".")[2]
    if section not in LUIGI_SECTIONS and stage not in STAGES:
        raise UserError(f"luigi.cfg: nothing reads the section [{section}]; {nearest(section, STAGES)}")


SUBJECT = ("query", "sources", "site", "urls", "folder")  # what a dataset is about: these options are remembered


def remembered(dataset: str) -> dict[str, str]:
    """What `dataset` is about, if flags said so in its last run: `{"download.query": "..."}`."""
    file = path(dataset)
    if not file.exists():
        return {}
    try:
        return {str(name): str(text) for name, text in json.loads(file.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError):
        raise DamagedState(f"{file} cannot be read; delete it, and give --query or another source again") from None


def remember(dataset: str, options: DownloadOptions, known: DownloadOptions) -> None:
    """Write down what the dataset is about where `options` differ from `known`, the options that luigi.cfg gives."""
    names = [name for name in SUBJECT if getattr(options, name) != getattr(known, name)]
    text = json.dumps({f"download.{name}": as_text(getattr(options, name)) for name in names}, ensure_ascii=False)
    file = path(dataset)
    if file.exists() and file.read_text(encoding="utf-8") == text + "\n":
        return  # so that a run that makes nothing new works on a read-only disk
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, f"{text}\n".encode(), sync=False, unique=True)


def path(dataset: str) -> Path:
    """The file that remembers what a dataset is about."""
    return paths.dataset_folder(dataset) / "subject.json"


def from_standard_input(dataset: str) -> Path:
    """Copy the URLs on standard input to a file in data/<dataset>/urls/, named by its content, and return its path."""
    check_dataset(dataset)
    if sys.stdin.isatty():
        print("reading URLs from standard input, one a line; ctrl-D ends the list", file=sys.stderr)
    text = sys.stdin.buffer.read()
    if not text.strip():
        raise UserError("--download-urls -: nothing came on the standard input; write one URL a line")
    path = paths.dataset_folder(dataset) / "urls" / f"{digest.of_bytes(text)[:12]}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text, sync=False, unique=True)
    return path
