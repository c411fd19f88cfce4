"""The normalise stage: every picture becomes a square PNG, a duplicate of one, or is rejected with a reason.

A journal on disk holds what is done so far, so that a stopped run resumes there.
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
from pipeline.images.worker_pool import Lost, work_through
from pipeline.machine import usable_cores
from pipeline.options import NormalizeOptions
from pipeline.progress import Progress, ShouldStop
from pipeline.result import Result
from pipeline.store import digest, verified
from pipeline.store.jsonl import dump_row, read_rows, write_rows


class Journal:
    """The file `path` as `rows` by id, with the entries of an earlier run whose squares in `images` are whole.

    A context manager: the file is open for entries as long as it lasts.
    """

    def __init__(self, path: Path, images: Path) -> None:
        self.path = path
        self.rows = {row.id: row for row in _read(path) if row.reason or _whole(images / f"{row.id}.png", row.sha256)}
        # Written anew: a line that was cut short would swallow the next one
        write_rows(path, map(vars, self.rows.values()))
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()

    def add(self, row: Prepared) -> None:
        """Enter `row`; it outlives this process as soon as this returns."""
        self.rows[row.id] = row
        self._file.write(dump_row(vars(row)))
        self._file.flush()

    def remove(self) -> None:
        """Delete the file: the run is done."""
        self.path.unlink()


def _read(path: Path) -> list[Prepared]:
    """The entries up to the first line that is cut short."""
    rows = []
    try:
        for row in read_rows(path):
            rows.append(Prepared(**row))
    except (FileNotFoundError, DamagedState, TypeError):
        pass
    return rows


def _whole(square: Path, sha256: str) -> bool:
    return square.is_file() and digest.of_file(square) == sha256


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
        processes=options.processes or usable_cores(),
        seconds=SECONDS,
        should_stop=should_stop,
    )
    _remove_others(images, {Path(row["file"]).name for row in rows if row["file"]})
    write_rows(folder / "images.jsonl", rows)
    journal.remove()
    return result


def raw_pictures(download: Path) -> list[Picture]:
    """The pictures that the crawl saved, by id."""
    files = {path.stem: path for path in (download / "images").glob("*")}
    ids = sorted({row["id"] for row in verified.read_rows(download, "images.jsonl") if row["outcome"] == "saved"})
    return [Picture(id, files.get(id, download / "images" / id)) for id in ids]


def prepare_all(
    raws: Sequence[Picture],
    journal: Journal,
    *,
    options: NormalizeOptions,
    images: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> None:
    """Prepare what is not in the journal yet, in processes, and enter it."""

    def take(raw: Picture, outcome: Prepared | Lost) -> None:
        if isinstance(outcome, Lost):
            outcome = Prepared(id=raw.id, bytes=raw.path.stat().st_size, reason=outcome.reason)
        journal.add(outcome)
        progress(len(journal.rows), len(raws))

    progress(len(journal.rows), len(raws))
    work_through(
        [raw for raw in raws if raw.id not in journal.rows],
        partial(prepare, options=options, folder=images),
        take,
        processes=options.processes or usable_cores(),
        seconds=SECONDS,
        should_stop=should_stop,
    )


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
