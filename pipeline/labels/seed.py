"""Seed labels of the demo dataset, whose true labels are known: as few as a person would give."""

from collections.abc import Mapping
from pathlib import Path

from pipeline import demo
from pipeline.labels.snapshot import ENOUGH_TO_BEGIN
from pipeline.store import verified
from pipeline.store.digest import of_bytes


def seed_from(*, download: Path, normalize: Path) -> dict[str, str]:
    """Seed labels for the pictures in the artifacts `download` and `normalize` of the demo dataset."""
    rows = {row["url"]: row["id"] for row in verified.read_rows(download, "images.jsonl") if row["outcome"] == "saved"}
    kept = {row["id"] for row in verified.read_rows(normalize, "images.jsonl") if row["outcome"] == "kept"}
    return seed_labels({rows[url]: label for url, label in demo.truth(rows).items() if rows[url] in kept})


def seed_labels(
    truth: Mapping[str, str], *, on: int = ENOUGH_TO_BEGIN["on"], off: int = ENOUGH_TO_BEGIN["off"]
) -> dict[str, str]:
    """Select up to `on` and `off` labels of `truth` (picture id to 'on' or 'off'), deterministically.

    They are the first in the order of a hash of the id, which is independent of the content of the picture.
    """
    order = sorted(truth, key=lambda id: of_bytes(id.encode()))
    chosen = [*_first(order, truth, "on", on), *_first(order, truth, "off", off)]
    return {id: truth[id] for id in chosen}


def _first(order: list[str], truth: Mapping[str, str], label: str, count: int) -> list[str]:
    return [id for id in order if truth[id] == label][:count]
