"""What a dataset is about, as first said on the command line: later commands need not repeat the search words."""

import json
import os
from pathlib import Path

from pipeline.errors import DamagedState
from pipeline.options import DownloadOptions
from pipeline.options.option import as_text
from tasks import homes

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
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.write_text(text + "\n", encoding="utf-8")
    os.replace(draft, file)


def path(dataset: str) -> Path:
    """Where that is kept."""
    return homes.dataset_folder(dataset) / "subject.json"
