"""The normalise stage: each picture becomes a square PNG, a duplicate of another, or is rejected with a reason.

A journal on disk records what is done, so that a stopped run resumes there. The rows are on the disk too: memory holds
some hundred bytes a picture.
"""

import os
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.cluster.client import Cluster
from pipeline.errors import UserError
from pipeline.images.duplicates import find_duplicates, gather_fingerprints
from pipeline.images.journal import Journal
from pipeline.images.normalize_shards import MAX_SECONDS, prepare_shards
from pipeline.images.overview import write_overview
from pipeline.images.prepare import Picture, Prepared, prepare
from pipeline.images.rejected import TOO_SMALL, too_small_words
from pipeline.images.worker_pool import Lost, work_through
from pipeline.machine import usable_cores
from pipeline.options import NormalizeOptions
from pipeline.progress import Progress, ShouldStop, tell
from pipeline.result import Result
from pipeline.store import digest, verified
from pipeline.store.jsonl import read_rows, write_rows
from pipeline.store.manifest import ROWS

SMALL_SIDE = 32  # pixels: if all pictures are smaller, they are meant to be


def normalize(
    options: NormalizeOptions,
    *,
    download: Path,
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
    cluster: Cluster | None = None,
) -> Result:
    """Convert the pictures of the artifact `download` to squares; fill `folder` with images/, images.jsonl and sheets/.

    Each row of images.jsonl describes one picture: id, outcome (kept, duplicate or rejected), reason, `of` (the kept
    picture that a duplicate repeats), width and height of the original in pixels, `quality` (scores by name, null if it
    was not decoded), phash, and for a kept one `file` and the `sha256` of that file. A run that was stopped or killed
    is resumed from `folder`. With a `cluster` its workers prepare the pictures, and the result is the same. The contact
    sheets show the kept squares, the duplicates and the rejected pictures for each reason.

    Raises:
        DamagedState: a picture file is missing or changed.
        UserError: no picture is kept.
        Stopped: the run was asked to stop.
    """
    images = folder / "images"
    images.mkdir(exist_ok=True)
    pictures = list_pictures(download, options)
    with Journal(folder / "prepared.jsonl", images) as journal:
        prepare_pictures(
            pictures,
            journal,
            options=options,
            download=download,
            images=images,
            cluster=cluster,
            progress=progress,
            should_stop=should_stop,
        )
        originals = find_copies(pictures, journal, options.near_duplicates)
        rows = (_row(journal[picture.id], originals.get(picture.id)) for picture in pictures)
        write_rows(folder / ROWS, rows)
    result = summarize(read_rows(folder / ROWS), options)
    write_overview(
        partial(read_rows, folder / ROWS),
        pictures,
        options=options,
        folder=folder,
        processes=options.processes or usable_cores(),
        seconds=MAX_SECONDS,
        should_stop=should_stop,
    )
    _remove_unused(images, {row["id"] for row in read_rows(folder / ROWS) if row["outcome"] == "kept"})
    journal.remove()
    return result


def list_pictures(download: Path, options: NormalizeOptions) -> list[Picture]:
    """The pictures that the crawl saved, ordered by id.

    `min_side` is meant against thumbnails among pictures. It does not hold for a set of small pictures alone (MNIST),
    nor for the pictures of an IDX file.
    """
    limit = min(options.min_side, SMALL_SIDE)
    saved: dict[str, bool] = {}  # by id, whether it is a picture of an IDX file
    all_small = True
    for row in verified.iterate_rows(download, ROWS):
        if row["outcome"] == "saved":
            saved[row["id"]] = _is_in_idx_file(row)
            all_small &= 0 < min(row.get("width") or 0, row.get("height") or 0) < limit
    folder = download / "images"
    suffixes = dict(map(_split, os.listdir(folder))) if folder.is_dir() else {}
    return [Picture(id, folder, suffixes.get(id, ""), all_small or saved[id]) for id in sorted(saved)]


def _split(name: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(name)
    return stem, sys.intern(suffix)  # there may be a million of a few kinds


def _is_in_idx_file(row: dict[str, Any]) -> bool:
    return row.get("engine") == "folder" and "#" in row["url"]  # in the name of a file it is %23


def prepare_pictures(
    pictures: Sequence[Picture],
    journal: Journal,
    *,
    options: NormalizeOptions,
    download: Path,
    images: Path,
    cluster: Cluster | None,
    progress: Progress,
    should_stop: ShouldStop,
) -> None:
    """Prepare the pictures that are not in the journal yet, in parallel processes or on a cluster, and record them."""

    def record_all(rows: Sequence[Prepared]) -> None:
        for row in rows:
            journal.add(row)
        progress(len(journal), len(pictures))

    def record(picture: Picture, outcome: Prepared | Lost) -> None:
        if isinstance(outcome, Lost):
            outcome = Prepared(id=picture.id, bytes=picture.path.stat().st_size, reason=outcome.reason)
        record_all([outcome])

    progress(len(journal), len(pictures))
    waiting = [picture for picture in pictures if picture.id not in journal]
    if cluster:
        prepare_shards(
            waiting,
            download,
            options=options,
            images=images,
            cluster=cluster,
            take=record_all,
            should_stop=should_stop,
            tell=partial(tell, progress),
        )
        return
    work_through(
        waiting,
        partial(prepare, options=options, folder=images),
        record,
        processes=options.processes or usable_cores(),
        seconds=MAX_SECONDS,
        should_stop=should_stop,
    )


def find_copies(pictures: Sequence[Picture], journal: Journal, near_duplicates: int) -> dict[str, str]:
    """Map the id of each duplicate among the prepared `pictures` to the id of the picture that is kept."""
    usable: list[str] = []

    def read_usable() -> Iterator[Prepared]:
        for picture in pictures:
            if not (row := journal[picture.id]).reason:
                usable.append(row.id)
                yield row

    prints = gather_fingerprints(read_usable(), lambda index: journal[usable[index]])
    return find_duplicates(prints, near_duplicates)


def _row(picture: Prepared, original: str | None) -> dict[str, Any]:
    kept = not picture.reason and original is None
    return {
        "id": picture.id,
        "outcome": "kept" if kept else "duplicate" if original else "rejected",
        "reason": picture.reason,
        "of": original,
        "width": picture.width,
        "height": picture.height,
        "quality": picture.quality,
        "phash": picture.phash,
        "sha256": picture.sha256 if kept else "",
        "file": f"images/{picture.id}.png" if kept else "",
    }


def _remove_unused(images: Path, used: Collection[str]) -> None:
    """Delete the squares of duplicates and temporary files of killed processes."""
    for name in os.listdir(images):
        if os.path.splitext(name)[0] not in used:
            (images / name).unlink()


def summarize(rows: Iterable[dict[str, Any]], options: NormalizeOptions) -> Result:
    """The stage's output digest and summary; raises `UserError` if no picture is kept."""
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    kept = []
    for row in rows:
        counts[row["outcome"]] += 1
        reasons.update([row["reason"]] if row["reason"] else [])
        if row["outcome"] == "kept":
            kept.append([row["id"], row["sha256"]])
    total, why = counts.total(), dict(reasons.most_common())
    if not kept:
        raise UserError(_no_squares_message(total, why, options.min_side))
    outcomes = {outcome: counts[outcome] for outcome in ("kept", "duplicate", "rejected")}
    return Result(
        outputs={"images": digest.of_set(kept)},
        summary={"images": total, **outcomes, "reasons": why, "size": options.size},
    )


def _no_squares_message(total: int, reasons: dict[str, int], min_side: int) -> str:
    if not total:
        return "there are no pictures to normalise: the download saved none"
    why = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    advice = "change the limits, which are settings of normalize"
    if TOO_SMALL in reasons:
        advice = too_small_words(reasons[TOO_SMALL], min_side)
    return f"none of {total} pictures can be used ({why}); {advice}"
