"""The section [nightly] of luigi.cfg: which subjects, how long, what to do, how much disk, and who is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import field_validator
from pydantic.fields import FieldInfo

from pipeline.dataset_names import check_dataset
from pipeline.errors import UserError
from pipeline.option_types import Options, as_text, field_of, option, parse
from pipeline.text import to_plain_line
from tasks import paths, settings
from tasks.settings import FLAG, Given

SECTION = "nightly"
SPARE_MINUTES = 60.0  # for all but the training of a subject, where `most_minutes` is auto
LONGEST_LIST = 1 << 20  # bytes of a file of subjects
Step = Literal["refresh", "filter", "train", "sample"]
UNTIL: dict[str, str] = {"refresh": "normalize", "filter": "filter", "train": "gan", "sample": ""}  # the last stage


class NightlyOptions(Options):
    """What `nightly` does in one night, for all subjects."""

    subjects: tuple[str, ...] = option(
        (), "the datasets, separated by commas; with `subjects_file` they are added to those of the file"
    )
    subjects_file: str = option(
        "", "file with one dataset on each line, # begins a comment; without it and `subjects`: all datasets there are"
    )
    steps: tuple[Step, ...] = option(
        ("refresh", "filter", "train", "sample"),
        "what to do: refresh crawls again and makes squares, filter goes on to the filter, train to the generator,"
        " sample to samples and report; each includes what it needs, but only refresh crawls again",
    )
    minutes: float | None = option(
        30.0,
        "minutes of training for each subject, after which the next night continues; 0: no limit; auto: as"
        " `gan.max_minutes` of the dataset says",
        low=0,
    )
    most_minutes: float | None = option(
        None,
        "minutes after which a subject counts as hung, and its process is ended; waiting for another run does not"
        " count, and may take as long; 0: no limit; auto: an hour more than `minutes`, or no limit if that has none",
        low=0,
    )
    hours: float = option(
        8.0,
        "hours that all turns of a night may take together; subjects that had no turn come first in the next night;"
        " 0: no limit",
        low=0,
    )
    gib: float = option(
        0.0,
        "GiB that all datasets may have on the disk: after the turns `gc` deletes what is oldest; 0: no limit",
        low=0,
    )
    days: int = option(
        0, "days after which `gc` deletes artifacts that are not current, run records and nights; 0: never", low=0
    )
    webhook: str = option("", "address, http:// or https://, to which the summary of the night is posted as JSON")
    mail: Literal["always", "problems", "never"] = option(
        "always",
        "when the summary is mailed to `receiver` in the section [email]; problems: if a subject failed, or the budget"
        " of disk is exceeded",
    )

    @field_validator("steps")
    @classmethod
    def _check_steps(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if not steps:
            raise ValueError(f"one or more of {', '.join(UNTIL)}, separated by commas")
        return steps

    @field_validator("webhook")
    @classmethod
    def _check_webhook(cls, address: str) -> str:
        if address and not _is_web_address(address):
            raise ValueError("an address with a host and a port that exists, for example https://example.org/hook")
        return address

    @property
    def refreshes(self) -> bool:
        """Whether a turn crawls again."""
        return "refresh" in self.steps

    @property
    def until(self) -> str:
        """The last stage of a turn; empty for all."""
        return UNTIL[max(self.steps, key=list(UNTIL).index)]

    @property
    def turn_seconds(self) -> float | None:
        """After how many seconds a subject counts as hung; None: never."""
        minutes = self.most_minutes
        if minutes is None:
            minutes = self.minutes + SPARE_MINUTES if self.minutes else 0.0
        return minutes * 60 if minutes else None

    @property
    def night_seconds(self) -> float | None:
        """How long all turns together may take; None: any time."""
        return self.hours * 3600 if self.hours else None


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def described() -> list[tuple[str, str, str, str]]:
    """Name, value, what gave it, and meaning of every setting."""
    known, current = given({}), resolve({})
    return [
        (
            name,
            as_text(getattr(current, name)),
            known[name].origin if name in known else settings.DEFAULT,
            str(field.description),
        )
        for name, field in NightlyOptions.model_fields.items()
    ]


def given(overrides: Mapping[str, str]) -> dict[str, Given]:
    """Every setting of a night that does not have its default: the flags `overrides`, then luigi.cfg.

    Errors: `UserError` for an unknown name.
    """
    where = f"luigi.cfg [{SECTION}]"
    found = {}
    for written, text in settings.section_items(SECTION):
        name = written.replace("-", "_")
        field_of(NightlyOptions, name, f"{where}:")
        found[name] = Given(text, where)
    return found | {name: Given(text, FLAG) for name, text in overrides.items()}


def resolve(overrides: Mapping[str, str]) -> NightlyOptions:
    """The settings of a night. Errors: `UserError` for an unknown name and for a value that is not allowed."""
    settings.check_sections()
    values = {}
    for name, each in given(overrides).items():
        where = each.where(f"{SECTION}.{name}")
        field = field_of(NightlyOptions, name, SECTION)
        values[name] = _checked(name, field, each.text, where)
    return NightlyOptions(**values)


def _checked(name: str, field: FieldInfo, text: str, where: str) -> Any:
    """The value of one setting, checked alone, so that an error says where it is from."""
    value = parse(field, text, where)
    try:
        NightlyOptions(**{name: value})
    except UserError as error:  # begins with the name of the setting
        raise UserError(f"{where.removesuffix(name)}{error}") from None
    return value


def subject_names(options: NightlyOptions) -> list[str]:
    """The datasets of a night, each once. Errors: `UserError` for a name that cannot be one, and if there is none."""
    names = [*options.subjects, *(_listed(Path(options.subjects_file)) if options.subjects_file else [])]
    if not options.subjects and not options.subjects_file:
        names = paths.datasets()
    for name in names:
        try:
            check_dataset(name)
        except UserError as error:
            raise UserError(f"{SECTION}.subjects: {error}") from None
    if not names:
        raise UserError(
            f"{SECTION}: there is no subject; name some in luigi.cfg, as in subjects = cats,dogs under [{SECTION}]"
        )
    return list(dict.fromkeys(names))


def _listed(file: Path) -> list[str]:
    """The names in a file, one a line."""
    where = f"{SECTION}.subjects_file = {str(file)!r}"
    try:
        with file.open("rb") as opened:
            data = opened.read(LONGEST_LIST + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise UserError(f"{where}: {why}; name a file with one dataset on each line") from None
    if len(data) > LONGEST_LIST:
        raise UserError(f"{where}: it has more than {LONGEST_LIST} bytes; name a file with one dataset on each line")
    lines = (line.partition("#")[0].strip() for line in data.decode("utf-8-sig", "replace").splitlines())
    return [to_plain_line(line, 200) for line in lines if line]
