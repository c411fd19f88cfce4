"""First labels of the embedded subject, whose truth is known, as few as a person would give."""

from collections.abc import Mapping
from pathlib import Path

from pipeline import demo
from pipeline.store import verified
from pipeline.store.digest import of_bytes


def seed_from(*, download: Path, normalize: Path) -> dict[str, str]:
    """Seed labels for the pictures in the finished folders of the embedded subject's first two stages."""
    rows = {row["url"]: row["id"] for row in verified.read_rows(download, "images.jsonl") if row["outcome"] == "saved"}
    kept = {row["id"] for row in verified.read_rows(normalize, "images.jsonl") if row["outcome"] == "kept"}
    return seed_labels({rows[url]: label for url, label in demo.truth(rows).items() if rows[url] in kept})


def seed_labels(truth: Mapping[str, str], *, on: int = 30, off: int = 50) -> dict[str, str]:
    """Up to `on` and `off` labels out of `truth`, picture id to 'on' or 'off'; the same ones whenever it is called.

    They are the first in the order of a hash of the id, which has nothing to do with how a picture looks.
    """
    order = sorted(truth, key=lambda id: of_bytes(id.encode()))
    chosen = [*_first(order, truth, "on", on), *_first(order, truth, "off", off)]
    return {id: truth[id] for id in chosen}


def _first(order: list[str], truth: Mapping[str, str], label: str, count: int) -> list[str]:
    return [id for id in order if truth[id] == label][:count]
