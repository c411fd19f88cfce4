"""The normalise stage: each picture becomes a square PNG, a duplicate of another, or is rejected with a reason.

A journal on disk records what is done, so that a stopped run resumes there.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import DamagedState, UserError
from pipeline.images.duplicates import find_duplicates
from pipeline.images.overview import write_overview
from pipeline.images.prepare import Picture, Prepared, prepare
from pipeline.images.rejected import TOO_SMALL, too_small_words
from pipeline.images.worker_pool import Lost, work_through
from pipeline.machine import usable_cores
from pipeline.options import NormalizeOptions
from pipeline.progress import Progress, ShouldStop
from pipeline.result import Result
from pipeline.store import digest, verified
from pipeline.store.jsonl import dump_row, read_rows, write_rows

SMALL_SIDE = 32  # pixels: if all pictures are smaller, they are meant to be
MAX_SECONDS = 20.0  # for one picture; 100 million pixels take about 2 s


class Journal:
    """The journal of prepared pictures: the file `path`, read into `rows` by id, open for appending as a context
    manager.

    Entries of an earlier run are kept if their squares in `images` are undamaged.
    """

    def __init__(self, path: Path, images: Path) -> None:
        self.path = path
        self.rows = {
            row.id: row for row in _read(path) if row.reason or _is_undamaged(images / f"{row.id}.png", row.sha256)
        }
        # Rewrite the file, because the next line would be appended to a truncated last line
        write_rows(path, map(vars, self.rows.values()))
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: Prepared) -> None:
        """Append `row`; it survives a kill of this process when this method returns."""
        self.rows[row.id] = row
        self._file.write(dump_row(vars(row)))
        self._file.flush()

    def remove(self) -> None:
        """Delete the file at the end of the stage."""
        self.path.unlink()


def normalize(
    options: NormalizeOptions, *, download: Path, folder: Path, progress: Progress, should_stop: ShouldStop
) -> Result:
    """Convert the pictures of the artifact `download` to squares; fill `folder` with images/, images.jsonl and sheets/.

    Each row of images.jsonl describes one picture: id, outcome (kept, duplicate or rejected), reason, `of` (the kept
    picture that a duplicate repeats), width and height of the original in pixels, `quality` (scores by name, null if it
    was not decoded), phash, and for a kept one `file` and the `sha256` of that file. A run that was stopped or killed
    is resumed from `folder`. The contact sheets show the kept squares, the duplicates and the rejected pictures for
    each reason.

    Raises:
        DamagedState: a picture file is missing or changed.
        UserError: no picture is kept.
        Stopped: the run was asked to stop.
    """
    images = folder / "images"
    images.mkdir(exist_ok=True)
    pictures = list_pictures(download, options)
    with Journal(folder / "prepared.jsonl", images) as journal:
        prepare_pictures(pictures, journal, options=options, images=images, progress=progress, should_stop=should_stop)
    rows = make_rows([journal.rows[picture.id] for picture in pictures], options.near_duplicates)
    result = summarize(rows, options)
    write_overview(
        rows,
        pictures,
        options=options,
        folder=folder,
        processes=options.processes or usable_cores(),
        seconds=MAX_SECONDS,
        should_stop=should_stop,
    )
    _remove_unused(images, {Path(row["file"]).name for row in rows if row["file"]})
    write_rows(folder / "images.jsonl", rows)
    journal.remove()
    return result


def list_pictures(download: Path, options: NormalizeOptions) -> list[Picture]:
    """The pictures that the crawl saved, ordered by id.

    `min_side` is meant against thumbnails among pictures. It does not hold for a set of small pictures alone (MNIST),
    nor for the pictures of an IDX file.
    """
    files = {path.stem: path for path in (download / "images").glob("*")}
    saved = {row["id"]: row for row in verified.read_rows(download, "images.jsonl") if row["outcome"] == "saved"}
    limit = min(options.min_side, SMALL_SIDE)
    all_small = all(0 < min(row.get("width") or 0, row.get("height") or 0) < limit for row in saved.values())
    return [
        Picture(id, files.get(id, download / "images" / id), all_small or _is_in_idx_file(saved[id]))
        for id in sorted(saved)
    ]


def _is_in_idx_file(row: dict[str, Any]) -> bool:
    return row.get("engine") == "folder" and "#" in row["url"]  # in the name of a file it is %23


def prepare_pictures(
    pictures: Sequence[Picture],
    journal: Journal,
    *,
    options: NormalizeOptions,
    images: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> None:
    """Prepare the pictures that are not in the journal yet, in parallel processes, and record them."""

    def record(picture: Picture, outcome: Prepared | Lost) -> None:
        if isinstance(outcome, Lost):
            outcome = Prepared(id=picture.id, bytes=picture.path.stat().st_size, reason=outcome.reason)
        journal.add(outcome)
        progress(len(journal.rows), len(pictures))

    progress(len(journal.rows), len(pictures))
    work_through(
        [picture for picture in pictures if picture.id not in journal.rows],
        partial(prepare, options=options, folder=images),
        record,
        processes=options.processes or usable_cores(),
        seconds=MAX_SECONDS,
        should_stop=should_stop,
    )


def make_rows(pictures: Sequence[Prepared], near_duplicates: int) -> list[dict[str, Any]]:
    """Find duplicates and make one row of images.jsonl for each picture."""
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


def _remove_unused(images: Path, used: set[str]) -> None:
    """Delete the squares of duplicates and temporary files of killed processes."""
    for path in images.iterdir():
        if path.name not in used:
            path.unlink()


def summarize(rows: Sequence[dict[str, Any]], options: NormalizeOptions) -> Result:
    """The stage's output digest and summary; raises `UserError` if no picture is kept."""
    counts = Counter(row["outcome"] for row in rows)
    reasons = dict(Counter(row["reason"] for row in rows if row["reason"]).most_common())
    if not counts["kept"]:
        raise UserError(_no_squares_message(len(rows), reasons, options.min_side))
    kept = [[row["id"], row["sha256"]] for row in rows if row["outcome"] == "kept"]
    outcomes = {outcome: counts[outcome] for outcome in ("kept", "duplicate", "rejected")}
    return Result(
        outputs={"images": digest.of_set(kept)},
        summary={"images": len(rows), **outcomes, "reasons": reasons, "size": options.size},
    )


def _no_squares_message(total: int, reasons: dict[str, int], min_side: int) -> str:
    if not total:
        return "there are no pictures to normalise: the download saved none"
    why = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    advice = "change the limits, which are settings of normalize"
    if TOO_SMALL in reasons:
        advice = too_small_words(reasons[TOO_SMALL], min_side)
    return f"none of {total} pictures can be used ({why}); {advice}"


def _read(path: Path) -> list[Prepared]:
    """The entries before the first truncated line."""
    rows = []
    try:
        for row in read_rows(path):
            rows.append(Prepared(**row))
    except (FileNotFoundError, DamagedState, TypeError):
        pass
    return rows


def _is_undamaged(square: Path, sha256: str) -> bool:
    return square.is_file() and digest.of_file(square) == sha256
