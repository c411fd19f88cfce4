"""Where the pictures of a training come from, as far as the stages before have written it down."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState
from pipeline.store import manifest as manifests
from pipeline.store import verified
from pipeline.store.manifest import Manifest

FIGURES = ("threshold", "expected_precision", "labelled_on", "labelled_off", "labelled_unsure", "notice")


@dataclass(frozen=True, kw_only=True)
class Origins:
    """How many of the pictures each source found, and each licence is given for; '' counts those without one."""

    sources: dict[str, int]
    licences: dict[str, int]
    credited: int  # pictures whose creator is named
    unknown: int  # pictures that no line of the download is about


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What is known of the pictures and of how they were chosen; None, or empty, is not known.

    `keys` are those of the stages by name, `labels` is the digest of the label snapshot, and `filter` holds how the
    kept were told: method, threshold, precision, and how many labels there were.
    """

    dataset: str | None = None
    queries: tuple[str, ...] = ()
    origins: Origins | None = None
    labels: str | None = None
    filter: dict[str, Any] | None = None
    keys: dict[str, str]


def read_lineage(ids: Iterable[str], *, normalize: Path, kept: Path, download: Path | None) -> Lineage:
    """That of the pictures called `ids`, from the finished folders of the stages download, normalize and filter."""
    folders = {"download": download, "normalize": normalize, "filter": kept}
    found = {stage: manifest for stage, folder in folders.items() if folder and (manifest := _manifest(folder))}
    chosen = found.get("filter")
    return Lineage(
        dataset=next((manifest.dataset for manifest in found.values()), None),
        queries=tuple(found["download"].options.get("query", ())) if "download" in found else (),
        origins=_origins(set(ids), download) if download else None,
        labels=chosen and chosen.inputs.get("labels"),
        filter=chosen and _filter(chosen),
        keys={stage: manifest.key for stage, manifest in found.items()},
    )


def _manifest(folder: Path) -> Manifest | None:
    """None where a folder has none, or not a whole one: a card can do without."""
    try:
        return manifests.read(folder)
    except DamagedState:
        return None


def _origins(ids: set[str], download: Path) -> Origins | None:
    try:
        every = verified.read_rows(download, "images.jsonl")
    except DamagedState:
        return None
    rows = [row for row in every if row["outcome"] == "saved" and row["id"] in ids]
    return Origins(
        sources=_counts(row["engine"] for row in rows),
        licences=_counts(row["license"] for row in rows),
        credited=sum(bool(row["creator"]) for row in rows),
        unknown=len(ids) - len(rows),
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    """How often each value is there, the most frequent first."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _filter(manifest: Manifest) -> dict[str, Any]:
    return {"method": manifest.options.get("method"), **{name: manifest.summary.get(name) for name in FIGURES}}
