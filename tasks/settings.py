"""The settings of a run: the options of every stage, from flags, luigi.cfg and the defaults (`resolve`).

In luigi.cfg the section [gan] is for every dataset and [pikachu.gan] for one. The setting gan.epochs is the option
`epochs` of the stage gan; its flag is --gan-epochs. What a run used is remembered for the dataset
(`tasks.remembered`), and URLs from standard input are kept in a file.
"""

import configparser
import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from luigi import configuration

from pipeline.dataset_names import check_dataset, dataset_flag
from pipeline.errors import UserError
from pipeline.option_types import Options, as_json, as_text, field_of, nearest
from pipeline.options import STAGE_OPTIONS, STAGES, describe_setting, parse_setting, split_setting
from pipeline.store import digest
from pipeline.store.atomic import write_whole
from tasks import machines, paths, remembered
from tasks.remembered import Remembered

# Sections of luigi.cfg that Luigi itself reads (its documentation, "Configuration")
LUIGI_SECTIONS = {
    "DEFAULT", "RunPipeline", "core", "worker", "elasticsearch", "email", "execution_summary", "hadoop", "hdfs", "hive",
    "kubernetes", "logging", "mysql", "postgres", "prometheus", "redshift", "resources", "retcode", "s3", "scalding",
    "cors", "scheduler", "sendgrid", "smtp", "spark", "sqlalchemy", "task_history", "task_visibility", "batch_notifier",
    "azureblob", "datadog", "gcp", "salesforce", "webhdfs",
}  # fmt: skip
OTHER_SECTIONS = {machines.SECTION, "nightly"}  # of this program, beside those of the stages
FILE = Path("luigi.cfg")


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


# What a dataset is about
SUBJECT = tuple(
    f"download.{name}"
    for name in ("query", "sources", "site", "urls", "folder", "imagefolder", "webdataset", "columns")
)
FLAG, REMEMBERED, DEFAULT = "flag", "remembered from the last run", "default"


@dataclass(frozen=True)
class Given:
    """The text of one setting, and what gave it: `FLAG`, `REMEMBERED`, or a section, `luigi.cfg [demo.gan]`."""

    text: str
    origin: str

    def where(self, name: str) -> str:
        """How an error names the setting `name`."""
        if self.origin in (FLAG, REMEMBERED):
            return name if self.origin == FLAG else f"remembered {name}"
        return f"{self.origin} {name.partition('.')[2]}"

    def advice(self, dataset: str, name: str) -> str:
        """What the end of an error says if the setting `name` is remembered: how to forget it."""
        if self.origin != REMEMBERED:
            return ""
        return f"; `python -m tasks forget {name}{dataset_flag(dataset)}` forgets what the last run used"


def resolve(dataset: str, overrides: Mapping[str, str], *, memory: bool = True) -> Settings:
    """The settings for `dataset`: what `given` finds, and the default for all others.

    Errors: `UserError` for an unknown name or section and for a value that is not allowed.
    """
    values: dict[str, dict[str, Any]] = {stage: {} for stage in STAGES}
    for name, each in given(dataset, overrides, memory=memory).items():
        try:
            stage, option = split_setting(name)
            values[stage][option] = parse_setting(stage, option, each.text, each.where(name))
        except UserError as error:
            raise UserError(f"{error}{each.advice(dataset, name)}") from None
    return Settings({stage: _make(stage, chosen) for stage, chosen in values.items()})


def source_of(dataset: str, name: str, value: Any) -> Given:
    """What gave the setting `name` its `value`, for errors that a stage finds later: a flag if nothing else did."""
    found = given(dataset, {}).get(name)
    return found if found and found.text.strip() == as_text(value) else Given(as_text(value), FLAG)


def given(dataset: str, overrides: Mapping[str, str], *, memory: bool = True) -> dict[str, Given]:
    """Every setting that does not have its default, by name. The first of these that gives a setting wins:

    1. `overrides`, the flags: `{"gan.epochs": "20"}`
    2. with `memory`, what the last run of this dataset used (`remember`), unless the line of luigi.cfg was edited since
    3. luigi.cfg, in a section for this dataset, [pikachu.gan]
    4. luigi.cfg, in a section for all datasets, [gan]

    Errors: `UserError` for an unknown name or section of luigi.cfg.
    """
    check_dataset(dataset)
    check_sections()
    found = _section_texts("") | _section_texts(f"{dataset}.")
    if memory:
        for name, kept in remembered.read(dataset).items():
            if kept.holds(found[name].text if name in found else None):
                found[name] = Given(kept.text, REMEMBERED)
    return found | {name: Given(text, FLAG) for name, text in overrides.items()}


def described(dataset: str) -> list[dict[str, Any]]:
    """Every setting as a JSON object: name, value, what gave it, its default, its meaning, and what may be given.

    Errors: `UserError` as in `resolve`.
    """
    known, current = given(dataset, {}), resolve(dataset, {})
    return [
        {
            **describe_setting(stage, option),
            "value": as_text(getattr(current[stage], option)),
            "origin": known[f"{stage}.{option}"].origin if f"{stage}.{option}" in known else DEFAULT,
        }
        for stage, options in STAGE_OPTIONS.items()
        for option in options.model_fields
    ]


def remember(dataset: str, chosen: Settings) -> None:
    """Remember `chosen`, the settings of a run, as far as they differ from what luigi.cfg and the defaults give."""
    configured, known = given(dataset, {}, memory=False), resolve(dataset, {}, memory=False)
    kept = {}
    for stage in STAGES:
        for option in STAGE_OPTIONS[stage].model_fields:
            name, value = f"{stage}.{option}", getattr(chosen[stage], option)
            if value != getattr(known[stage], option):
                kept[name] = Remembered(as_text(value), configured[name].text if name in configured else None)
    remembered.write(dataset, kept)


@lru_cache(maxsize=64)  # every task of a run calls this many times
def from_text(text: str) -> Settings:
    """The settings that `Settings.text` wrote."""
    values: dict[str, dict[str, Any]] = {stage: {} for stage in STAGES}
    for name, value in json.loads(text).items():
        stage, option = split_setting(name)
        values[stage][option] = tuple(value) if isinstance(value, list) else value
    return Settings({stage: _make(stage, chosen) for stage, chosen in values.items()})


def read_words(words: str | Iterable[str]) -> dict[str, str]:
    """The pairs in `gan.epochs=20 download.query='a,b'`: how Luigi's own command line gives options."""
    pairs = {}
    for word in shlex.split(words) if isinstance(words, str) else words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UserError(f"options: {word!r} has no '='; write for example gan.epochs=20")
        pairs[name] = text
    return pairs


def _make(stage: str, chosen: dict[str, Any]) -> Options:
    try:
        return STAGE_OPTIONS[stage](**chosen)
    except UserError as error:
        raise UserError(f"{stage}.{error}") from None


def _section_texts(prefix: str) -> dict[str, Given]:
    """What the sections `<prefix><stage>` of luigi.cfg give."""
    found = {}
    for stage in STAGES:
        section = f"{prefix}{stage}"
        for written, text in section_items(section):
            name = written.replace("-", "_")
            field_of(STAGE_OPTIONS[stage], name, f"luigi.cfg [{section}]:")
            found[f"{stage}.{name}"] = Given(text, f"luigi.cfg [{section}]")
    return found


def section_items(section: str) -> list[tuple[str, str]]:
    """The names and texts in a section of luigi.cfg; none if it is not there."""
    config = configuration.get_config()
    try:
        return list(config.items(section)) if config.has_section(section) else []
    except configparser.Error as error:  # a % or a ${...} that refers to nothing
        raise UserError(f"luigi.cfg [{section}]: {' '.join(str(error).split())}; write %% for a %") from None


def is_configured(dataset: str) -> bool:
    """Whether luigi.cfg has a section for `dataset`: then its name is meant."""
    return any(section.startswith(f"{dataset}.") for section in configuration.get_config().sections())


def check_sections() -> None:
    """Raise a `UserError` if luigi.cfg has a section that nothing reads."""
    for section in configuration.get_config().sections():
        if section not in LUIGI_SECTIONS | OTHER_SECTIONS and section.rpartition(".")[2] not in STAGES:
            known = [*STAGES, *OTHER_SECTIONS]
            raise UserError(f"luigi.cfg: nothing reads the section [{section}]; {nearest(section, known)}")


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
