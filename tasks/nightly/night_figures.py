"""The figures of a dataset before and after its turn, and what a person should know of it: read from its artifacts.

Squares are not looked at: there may be 200,000 of them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.filter.words import advice_words
from pipeline.night_record import Figures
from pipeline.report.training_files import newest_sheet
from pipeline.run_record import LONGEST_LINE
from pipeline.store.artifacts import SHORT, WORK, Artifact
from pipeline.store.digest import of_value
from pipeline.text import to_plain_line
from pipeline.web.datasets.manifest_heads import ManifestHead, latest_head
from tasks import paths

MOST_ALARMS = 5
TRAINING_COLUMNS = 8  # of the sheets that a training writes


def read_figures(dataset: str) -> Figures:
    """What the artifacts say that the last run of `dataset` used."""
    download, squares, kept, gan = (_head(dataset, stage) for stage in ("download", "normalize", "filter", "gan"))
    scored = paths.artifact_store(dataset, "generate").latest()
    return Figures(
        pictures=_number(download, "saved"),
        squares=_number(squares, "kept"),
        kept=_number(kept, "kept"),
        epochs=_number(gan, "epochs"),
        **(_scores(scored, size=gan.summary.get("size") if gan else None) if scored else {}),
    )


def refreshed(dataset: str) -> str:
    """When the pictures of the last run were crawled, ISO 8601; empty if never."""
    head = _head(dataset, "download")
    return head.created if head else ""


def is_unfinished(dataset: str) -> bool:
    """Whether the training of the last run was ended by a time limit or a stop."""
    head = _head(dataset, "gan")
    store = paths.artifact_store(dataset, "gan")
    begun = (path for path in store.root.glob(f"{WORK}{'[0-9a-f]' * SHORT}") if path.is_dir())
    return bool(head and head.unfinished) or any(begun)


def labels_used(dataset: str) -> str:
    """The digest of the labels that the filter of the last run knew; empty if there is none."""
    artifact = paths.artifact_store(dataset, "filter").latest()
    return artifact.manifest.inputs.get("labels", "") if artifact else ""


def lasting_alarms(dataset: str) -> tuple[str, ...]:
    """The alarms of the training of the last run that had not ended with it, a line each."""
    head = _head(dataset, "gan")
    found = head.summary.get("alarms") if head else None
    rows = [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []
    texts = [row.get("problem") or row.get("text") for row in rows if row.get("end") is None]
    return tuple(to_plain_line(str(text), LONGEST_LINE) for text in texts if text)[:MOST_ALARMS]


def wanted(dataset: str) -> str:
    """What the filter of the last run advises a person to do, such as to label; empty if nothing."""
    head = _head(dataset, "filter")
    try:
        return to_plain_line(advice_words(head.summary), LONGEST_LINE) if head else ""
    except (TypeError, LookupError, AttributeError):  # a manifest that somebody has edited
        return ""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A sample sheet with so many columns of samples; 0: not known."""

    path: str = ""  # empty: there is none
    columns: int = 0


def last_sheet(dataset: str) -> Sheet:
    """The newest sample sheet: that of the samples, or of the training."""
    if (samples := _head(dataset, "generate")) and (samples.folder / "grid.png").is_file():
        grid = samples.options.get("grid")
        return Sheet(path=str(samples.folder / "grid.png"), columns=grid if isinstance(grid, int) else 0)
    trained = _head(dataset, "gan")
    folders = [trained.folder / "samples"] if trained else []
    folders += sorted((paths.generated_folder(dataset) / "training").glob("*"), key=_modified, reverse=True)
    found = next((sheet for folder in folders if (sheet := newest_sheet(folder))), None)
    return Sheet(path=str(found), columns=TRAINING_COLUMNS) if found else Sheet()


def _head(dataset: str, stage: str) -> ManifestHead | None:
    return latest_head(paths.artifact_store(dataset, stage))


def _number(head: ManifestHead | None, name: str) -> int | None:
    return head.number(name) if head else None


def _scores(samples: Artifact, *, size: object) -> dict[str, Any]:
    """The KID of the samples, and what it can be compared with."""
    summary, inputs = samples.manifest.summary, samples.manifest.inputs
    kid, error = (value if isinstance(value, float) else None for value in map(summary.get, ("kid", "kid_error")))
    measured_by = of_value([summary.get("extractor"), inputs.get("extractor"), size])
    return {"kid": kid, "kid_error": error, "measured_by": measured_by, "kept_digest": inputs.get("filter.kept", "")}


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
