"""The page generated/<dataset>/index.html: every training with its last sheet, film, samples and report, newest first.

It is plain HTML that asks no other host for anything and works from a file. It is written again with every new sheet,
so a browser shows a training while it runs.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pipeline.gan.stats_log import STATS
from pipeline.report.films import browser_film
from pipeline.report.training_files import (
    RUNNING,
    TrainingFiles,
    TrainingPaths,
    epochs_in_words,
    find_files,
    group_artifacts,
    is_unfinished,
    newest_sheet,
    score_in_words,
    sheet_epoch,
    training_of,
)
from pipeline.report.trainings import Training, Trainings
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import timestamp

PAGE = "index.html"
RELOAD = 30  # seconds after which a browser loads the page again while a training runs
RELOADED = b'<meta http-equiv="refresh"'  # in a page that a browser loads again


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture on the page; its path is relative to the page."""

    source: str
    caption: str

    @property
    def is_film(self) -> bool:
        """Whether it is a film, which a page shows with controls; a GIF is a picture."""
        return self.source.endswith((".webm", ".mp4"))


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the page says of one training."""

    training: Training
    state: str
    epochs: str
    began: str
    score: str
    pictures: list[Picture]
    links: dict[str, str]  # text to path


def refresh(paths: TrainingPaths, *, dataset: str, ended: str = "") -> None:
    """Number new trainings, bring their links up to date, and write the page.

    `ended` is the key of a training that has just ended, though its run still holds the lock. Errors: `OSError`.
    """
    trainings = Trainings(paths.folder)
    made = group_artifacts(paths)
    trainings.adopt(training_of(gan) for gan in made.gans if not is_unfinished(gan))
    cards = []
    for training in trainings.all():
        files = find_files(paths, trainings.sheets(training), training, made, running=training.key != ended)
        if not files.exist:
            trainings.unlink(training)
            continue
        folders = {"samples": files.generate, "report": files.report, "networks": files.gan}
        trainings.link(training, {name: found.folder if found else None for name, found in folders.items()})
        cards.append(_card(paths.folder, training, files))
    if cards or (paths.folder / PAGE).exists():
        write_whole(
            paths.folder / PAGE, _render(dataset, cards[::-1]).encode("utf-8", "replace"), sync=False, unique=True
        )


def shows_running(folder: Path) -> bool:
    """Whether the page in `folder` was written while a training ran: a browser loads such a page again and again."""
    try:
        return RELOADED in (folder / PAGE).read_bytes()
    except OSError:
        return False


def _card(folder: Path, training: Training, files: TrainingFiles) -> Card:
    state = files.state(training)
    return Card(
        training=training,
        state=state,
        epochs=epochs_in_words(training, files, state),
        began=training.began[:16].replace("T", " "),
        score=score_in_words(files.generate) if files.generate else "",
        pictures=_pictures(folder, files),
        links=_links(folder, files),
    )


def _pictures(folder: Path, files: TrainingFiles) -> list[Picture]:
    """The pictures of a training that exist: sheet of the last epoch, reals, film, samples, film of the samples."""
    sheets = [files.sheets, *([files.gan.folder / "samples"] if files.gan else [])]
    films = [files.sheets, *([files.gan.folder / "plots"] if files.gan else [])]
    made = [files.generate.folder] if files.generate else []
    last = next(filter(None, map(newest_sheet, sheets)), None)
    shown = {
        f"sample sheet, epoch {sheet_epoch(last) if last else 0}": last,
        "samples at every side": _first(sheets, "scales.png"),
        "squares it learns from": _first(sheets, "reals.png"),
        "film of the training": _film(films, "training"),
        "samples": _first(made, "grid.png"),
        "film through the latents": _film(made, "film"),
    }
    return [Picture(source=_link(folder, path), caption=caption) for caption, path in shown.items() if path]


def _links(folder: Path, files: TrainingFiles) -> dict[str, str]:
    """Where the rest of a training is."""
    gan = [files.gan.folder] if files.gan else []
    generate = [files.generate.folder] if files.generate else []
    found: dict[str, Path | None] = {
        "report": _first([files.report.folder], "index.html") if files.report else None,
        "all sheets and plots": files.sheets if newest_sheet(files.sheets) else None,
        "statistics": _first([files.sheets, *gan], STATS),
        "film of the training (MP4)": _first([files.sheets, *(folder / "plots" for folder in gan)], "training.mp4"),
        "all samples": _first(generate, "images"),
        "film through the latents (MP4)": _first(generate, "film.mp4"),
        "networks": files.gan.folder if files.gan else None,
    }
    return {text: _link(folder, path) for text, path in found.items() if path}


def _first(folders: list[Path], name: str) -> Path | None:
    return next((folder / name for folder in folders if (folder / name).exists()), None)


def _film(folders: list[Path], name: str) -> Path | None:
    """The first file of the film `name` that browsers play."""
    return next((folder / found for folder in folders if (found := browser_film(folder, name))), None)


def _link(folder: Path, path: Path) -> str:
    """The URL of `path` on the page in `folder`."""
    relative = Path(os.path.relpath(path, folder)).as_posix()
    return quote(relative) + ("/" if path.is_dir() else "")


def _render(dataset: str, cards: list[Card]) -> str:
    from pipeline.report.page_assets import LOOK, inline, render  # here, as most commands write no page

    return render(
        "gallery.html.jinja",
        dataset=dataset,
        cards=cards,
        written=timestamp()[:16].replace("T", " "),
        reload=RELOAD if any(card.state == RUNNING for card in cards) else 0,
        style=inline(LOOK, "gallery.css"),
    )
