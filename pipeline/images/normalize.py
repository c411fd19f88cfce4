"""The normalise stage: every raw picture to a square PNG, a duplicate of one, or a named reason why not."""

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import UserError
from pipeline.images.duplicates import find_duplicates
from pipeline.images.journal import Journal
from pipeline.images.overview import write_overview
from pipeline.images.pool import Lost, work_through
from pipeline.images.prepare import Prepared, Raw, prepare
from pipeline.options import NormalizeOptions
from pipeline.result import Result
from pipeline.store import digest, verified
from pipeline.store.jsonl import write_rows

SECONDS = 20.0  # for one picture; one of 100 million pixels takes about two


def normalize(
    options: NormalizeOptions, *, download: Path, folder: Path, progress: Progress, should_stop: ShouldStop
) -> Result:
    """Fill `folder` with `images/<id>.png`, one a kept picture of `download`, with `images.jsonl` and with `sheets`.

    Each row of images.jsonl tells what became of one raw picture: id, outcome (kept, duplicate or rejected), reason,
    `of` (the kept one that a duplicate repeats), width and height of the original, `quality` (scores by name, null
    for what was not decoded), phash, and for a kept one `file` and the `sha256` of that file. Goes on from what a
    stopped or killed run left in `folder`. The sheets show what was kept, what was a copy of what, and what was
    rejected for each reason.

    Errors: `DamagedState` for a raw file that is missing or changed; `UserError` when no picture is kept; `Stopped`.
    """
    images = folder / "images"
    images.mkdir(exist_ok=True)
    raws = raw_pictures(download)
    with Journal(folder / "prepared.jsonl", images) as journal:
        prepare_all(raws, journal, options=options, images=images, progress=progress, should_stop=should_stop)
    rows = settle([journal.rows[raw.id] for raw in raws], options.near_duplicates)
    result = summarize(rows, options)
    write_overview(
        rows,
        raws,
        options=options,
        folder=folder,
        processes=options.processes or cores(),
        seconds=SECONDS,
        should_stop=should_stop,
    )
    _remove_others(images, {Path(row["file"]).name for row in rows if row["file"]})
    write_rows(folder / "images.jsonl", rows)
    journal.remove()
    return result


def raw_pictures(download: Path) -> list[Raw]:
    """The pictures that the crawl saved, by id."""
    files = {path.stem: path for path in (download / "images").glob("*")}
    ids = sorted({row["id"] for row in verified.read_rows(download, "images.jsonl") if row["outcome"] == "saved"})
    return [Raw(id, files.get(id, download / "images" / id)) for id in ids]


def prepare_all(
    raws: Sequence[Raw],
    journal: Journal,
    *,
    options: NormalizeOptions,
    images: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> None:
    """Prepare what is not in the journal yet, in processes, and enter it."""

    def take(raw: Raw, outcome: Prepared | Lost) -> None:
        if isinstance(outcome, Lost):
            outcome = Prepared(id=raw.id, bytes=raw.path.stat().st_size, reason=outcome.reason)
        journal.add(outcome)
        progress(len(journal.rows), len(raws))

    progress(len(journal.rows), len(raws))
    work_through(
        [raw for raw in raws if raw.id not in journal.rows],
        partial(prepare, options=options, folder=images),
        take,
        processes=options.processes or cores(),
        seconds=SECONDS,
        should_stop=should_stop,
    )


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def settle(pictures: Sequence[Prepared], near_duplicates: int) -> list[dict[str, Any]]:
    """One row of images.jsonl for each picture."""
    usable = [picture for picture in pictures if not picture.reason]
    originals = find_duplicates(usable, near_duplicates)
    return [_row(picture, originals.get(picture.id)) for picture in pictures]


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


def _remove_others(images: Path, wanted: set[str]) -> None:
    """Remove the squares of duplicates, and what killed processes left half written."""
    for path in images.iterdir():
        if path.name not in wanted:
            path.unlink()


def summarize(rows: Sequence[dict[str, Any]], options: NormalizeOptions) -> Result:
    """The stage's digest and figures; a `UserError` if no picture is kept."""
    counts = Counter(row["outcome"] for row in rows)
    reasons = dict(Counter(row["reason"] for row in rows if row["reason"]).most_common())
    if not counts["kept"]:
        raise UserError(_nothing_kept(len(rows), reasons))
    kept = [[row["id"], row["sha256"]] for row in rows if row["outcome"] == "kept"]
    outcomes = {outcome: counts[outcome] for outcome in ("kept", "duplicate", "rejected")}
    return Result(
        outputs={"images": digest.of_set(kept)},
        summary={"images": len(rows), **outcomes, "reasons": reasons, "size": options.size},
    )


def _nothing_kept(total: int, reasons: dict[str, int]) -> str:
    if not total:
        return "there is no picture to normalise: the download saved none"
    why = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    return f"none of {total} pictures can be used ({why}); the limits are in [normalize] of luigi.cfg"
