"""The page of the morning, generated/nightly/<date>/index.html: what became of every subject of a night.

It is plain HTML that asks no other host for anything and works from a file. Its pictures are small copies beside it, so
that it stays true when the sheets are deleted or made again.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

from pipeline.night_record import PAGE, NightSummary, Turn
from pipeline.report import night_words
from pipeline.report.page_assets import LOOK, inline, png_size, render
from pipeline.run_record import duration
from pipeline.store.atomic import write_whole

WIDTH, HEIGHT = 256, 128  # pixels of the copy of a sample sheet; its cut has whole samples, as many as fit
GAP = 2  # pixels between two samples of a sheet
MAX_PIXELS = 80_000_000  # of a sheet that is read


@dataclass(frozen=True, kw_only=True)
class Links:
    """Where a subject is shown, relative to the page; empty for what is not there."""

    trainings: str = ""
    report: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the page says of one subject."""

    turn: Turn
    outcome: str  # in words
    said: str
    pictures: str
    kept: str
    kid: str
    change: str  # better, worse, same or empty
    wish: str
    took: str
    disk: str
    picture: str  # the file beside the page; empty without one
    links: Links


def write(summary: NightSummary, folder: Path, *, links: Callable[[Turn], Links]) -> None:
    """Write the page of a night and its pictures into `folder`. Errors: `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_row(turn, folder, links(turn)) for turn in summary.turns]
    text = render(
        "night.html.jinja",
        summary=summary,
        title=night_words.title(summary),
        rows=rows,
        counts={night_words.OUTCOME_WORDS[word]: number for word, number in summary.counts().items()},
        took=duration(summary.seconds),
        disk=night_words.disk_words(summary),
        style=inline(LOOK, "night.css"),
    )
    write_whole(folder / PAGE, text.encode("utf-8", "replace"), sync=False, unique=True)


def mail_html(summary: NightSummary, page: str) -> str:
    """The HTML of the mail: the same in a table, without pictures and without styles that mail programs leave out."""
    rows = [_row(turn, None, Links()) for turn in summary.turns]
    return render("night_mail.html.jinja", summary=summary, title=night_words.title(summary), rows=rows, page=page,
                  took=duration(summary.seconds), disk=night_words.disk_words(summary))  # fmt: skip


def link(folder: Path, target: Path) -> str:
    """The URL of `target` on the page in `folder`; empty if it is not there."""
    return quote(Path(os.path.relpath(target, folder)).as_posix()) if target.exists() else ""


def _row(turn: Turn, folder: Path | None, links: Links) -> Row:
    had = bool(turn.began)
    return Row(
        turn=turn,
        outcome=night_words.OUTCOME_WORDS[turn.outcome],
        said=night_words.said(turn),
        pictures=night_words.picture_words(turn),
        kept=night_words.kept_words(turn),
        kid=night_words.kid_words(turn).removeprefix("KID "),
        change=night_words.kid_change(turn),
        wish=night_words.wish(turn),
        took=duration(turn.seconds) if had else "",
        disk=night_words.size_words(turn.bytes) if turn.bytes else "",
        picture=_picture(turn, folder) if folder and turn.sheet else "",
        links=links,
    )


def _picture(turn: Turn, folder: Path) -> str:
    """Copy a cut of the sample sheet beside the page; empty if it cannot be read."""
    name = f"{turn.subject}.png"
    with suppress(Exception):  # a decoder may raise any exception for a damaged file
        write_whole(folder / name, _copy(turn), sync=False, unique=True)
        return quote(name)
    return ""


def _copy(turn: Turn) -> bytes:
    """The upper left part of the newest sample sheet as a PNG, with its own pixels. Errors: any, if it is damaged;
    `ValueError` if it is too large.
    """
    from PIL import Image

    claimed = png_size(Path(turn.sheet))  # Pillow refuses a large picture before it tells its size
    if claimed is None or claimed.width * claimed.height > MAX_PIXELS:
        raise ValueError("no PNG, or too large")
    with Image.open(turn.sheet, formats=("PNG",)) as sheet:
        size = (
            _cut(sheet.width, WIDTH, sheet.width, turn.columns),
            _cut(sheet.height, HEIGHT, sheet.width, turn.columns),
        )
        cut = sheet.crop((0, 0, *size)).convert("RGB")
    written = BytesIO()
    cut.save(written, "PNG", optimize=True)
    return written.getvalue()


def _cut(size: int, most: int, width: int, columns: int) -> int:
    """How much of a side is kept: as many whole samples as fit into `most` pixels, one at least."""
    if not 0 < columns <= width:
        return min(size, most)
    side = (width + GAP) // columns
    return min(size, max(1, (most + GAP) // side) * side - GAP)
