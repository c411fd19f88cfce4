"""The settings of a dataset's last run, in `data/<dataset>/settings.json`, so that the next command need not repeat
them.

    {"gan.epochs": {"value": "20", "luigi.cfg": "100"}}

`value` is what the run used, and `luigi.cfg` what luigi.cfg said about this setting then, null if it said nothing. When
somebody edits that line of luigi.cfg later, the line wins.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.dataset_names import dataset_flag
from pipeline.errors import DamagedState, of_system
from pipeline.store.atomic import write_whole
from tasks import paths

NAME = "settings.json"
OLD_NAME = "subject.json"  # of earlier versions, which remembered what a dataset is about: {"download.query": "..."}


@dataclass(frozen=True)
class Remembered:
    """The value of one setting, as text, and the text that luigi.cfg had for it then."""

    text: str
    configured: str | None = None

    def holds(self, configured: str | None) -> bool:
        """Whether the value still holds, now that luigi.cfg says `configured`: a line that was edited wins."""
        return configured in (None, self.configured)


def path(dataset: str) -> Path:
    """The file of the remembered settings."""
    return paths.dataset_folder(dataset) / NAME


def read(dataset: str) -> dict[str, Remembered]:
    """The remembered settings: `{"gan.epochs": Remembered("20", "100")}`. Errors: `DamagedState`."""
    file = path(dataset)
    try:
        if not file.exists():
            return _read_old(file.with_name(OLD_NAME))
        rows = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): _row(row) for name, row in rows.items()}
    except OSError as error:
        raise of_system(error, file) from None
    except (ValueError, TypeError, LookupError, AttributeError):  # not the JSON that `write` writes
        advice = (
            f"`python -m tasks forget --all{dataset_flag(dataset)}` removes it; then give --query or another source"
        )
        raise DamagedState(f"{file} cannot be read; {advice} again") from None


def write(dataset: str, settings: Mapping[str, Remembered]) -> None:
    """Replace what is remembered by `settings`."""
    rows = {name: {"value": each.text, "luigi.cfg": each.configured} for name, each in sorted(settings.items())}
    text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    file = path(dataset)
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return  # so that a run that makes nothing new works on a read-only disk
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, text.encode(), sync=False, unique=True)
    file.with_name(OLD_NAME).unlink(missing_ok=True)


def forget(dataset: str, names: Collection[str]) -> None:
    """Forget the settings `names`."""
    write(dataset, {name: each for name, each in read(dataset).items() if name not in names})


def forget_all(dataset: str) -> None:
    """Forget every setting, also those in a file that cannot be read."""
    for name in (NAME, OLD_NAME):
        path(dataset).with_name(name).unlink(missing_ok=True)


def _row(row: dict[str, str | None]) -> Remembered:
    configured = row["luigi.cfg"]
    return Remembered(str(row["value"]), None if configured is None else str(configured))


def _read_old(file: Path) -> dict[str, Remembered]:
    if not file.exists():
        return {}
    return {str(name): Remembered(str(text)) for name, text in json.loads(file.read_text(encoding="utf-8")).items()}
