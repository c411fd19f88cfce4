"""The page generated/<dataset>/index.html: every training with its last sheet, film, samples and report, newest first.

It is plain HTML that asks no other host for anything and works from a file. It is written again with every new sheet,
so a browser shows a training while it runs.
"""

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.gan.stats_log import STATS
from pipeline.report.trainings import Training, Trainings
from pipeline.store.artifacts import SHORT, Artifact, ArtifactStore
from pipeline.store.atomic import write_whole
from pipeline.store.jsonl import timestamp

PAGE = "index.html"
RUNNING, UNFINISHED, DONE, FAILED = "running", "unfinished", "done", "failed"
RELOAD = 30  # seconds after which a browser loads the page again while a training runs
RELOADED = b'<meta http-equiv="refresh"'  # in a page that a browser loads again
TAIL = 1 << 16  # bytes at the end of the statistics, where the last row is


@dataclass(frozen=True, kw_only=True)
class GalleryPaths:
    """Where the page and what it shows are: generated/<dataset>, and the artifacts of three stages."""

    folder: Path
    gan: ArtifactStore
    generate: ArtifactStore
    report: ArtifactStore


@dataclass(frozen=True, kw_only=True)
class Files:
    """What there is of one training."""

    sheets: Path
    gan: Artifact | None
    generate: Artifact | None
    report: Artifact | None
    begun: bool  # a stopped or running run has left work in progress
    in_use: bool

    @property
    def exist(self) -> bool:
        """Whether anything is left."""
        return bool(self.gan or self.generate or self.report or self.begun or self.in_use or newest_sheet(self.sheets))

    def state(self, training: Training) -> str:
        """Running, unfinished, done or failed."""
        if self.in_use and (self.begun or not self.gan or _is_unfinished(self.gan)):
            return RUNNING
        if self.gan and not _is_unfinished(self.gan):
            return DONE
        return FAILED if training.error else UNFINISHED


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture on the page; its path is relative to the page."""

    source: str
    caption: str


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


def refresh(paths: GalleryPaths, *, dataset: str, ended: str = "") -> None:
    """Number new trainings, bring their links up to date, and write the page.

    `ended` is the key of a training that has just ended, though its run still holds the lock. Errors: `OSError`.
    """
    trainings = Trainings(paths.folder)
    gans = paths.gan.all()
    trainings.adopt(_of_artifact(gan) for gan in gans if not _is_unfinished(gan))
    cards = []
    for training in trainings.all():
        files = _files(paths, trainings.sheets(training), training, gans, running=training.key != ended)
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


def newest_sheet(folder: Path) -> Path | None:
    """The sample sheet of the last epoch in `folder`, or None."""
    return max(folder.glob("epoch-*.png"), default=None, key=lambda path: (len(path.name), path.name))


def _is_unfinished(gan: Artifact) -> bool:
    """Whether a time limit ended the training."""
    manifest = gan.manifest
    return bool(getattr(manifest, "unfinished", False) or manifest.summary.get("unfinished"))


def _of_artifact(gan: Artifact) -> Training:
    """The training that made `gan`, for the register."""
    manifest = gan.manifest
    epochs = manifest.options.get("epochs")
    return Training(
        number=0,
        key=manifest.key,
        definition=str(manifest.options.get("definition", "gan")),
        size=manifest.summary.get("size"),
        epochs=epochs if isinstance(epochs, int) else None,
        began=_before(manifest.created, manifest.seconds),
    )


def _before(time: str, seconds: float) -> str:
    try:
        return (datetime.fromisoformat(time) - timedelta(seconds=seconds)).isoformat(timespec="seconds")
    except ValueError:
        return time


def _files(paths: GalleryPaths, sheets: Path, training: Training, gans: list[Artifact], *, running: bool) -> Files:
    """What there is of `training`; of each stage the artifact that was made last. Not `running`: it cannot run now."""
    gan = next((each for each in reversed(gans) if each.manifest.key == training.key), None)
    reports = [
        each for each in paths.report.all() if _folder_read(each, "gan").partition(".")[0] == training.key[:SHORT]
    ]
    generator = gan.manifest.outputs.get("generator") if gan else None
    named = {_folder_read(each, "generate") for each in reports}
    samples = [
        each
        for each in paths.generate.all()
        if each.folder.name in named or (generator and each.manifest.inputs.get("gan.generator") == generator)
    ]
    return Files(
        sheets=sheets,
        gan=gan,
        generate=samples[-1] if samples else None,
        report=reports[-1] if reports else None,
        begun=paths.gan.begun(training.key),
        in_use=running and paths.gan.is_in_use(training.key),
    )


def _folder_read(report: Artifact, stage: str) -> str:
    """The name of the folder of `stage` that `report` read; a remark may follow the name."""
    return str(report.manifest.inputs.get(f"{stage}.folder", "")).partition(" ")[0]


def _card(folder: Path, training: Training, files: Files) -> Card:
    state = files.state(training)
    return Card(
        training=training,
        state=state,
        epochs=_epochs(training, files, state),
        began=training.began[:16].replace("T", " "),
        score=_score(files.generate) if files.generate else "",
        pictures=_pictures(folder, files),
        links=_links(folder, files),
    )


def _epochs(training: Training, files: Files, state: str) -> str:
    """How many epochs are done, of how many if it has not ended."""
    recorded = files.gan.manifest.summary.get("epochs") if files.gan and state != RUNNING else None
    done = _last_epoch(files.sheets) if recorded is None else recorded
    if state == DONE or training.epochs is None:
        return "1 epoch" if done == 1 else f"{done} epochs"
    return f"{done} of {training.epochs} epochs"


def _last_epoch(sheets: Path) -> int:
    """The epoch of the newest sheet, or of the last whole row of the statistics beside it if that is later."""
    newest = newest_sheet(sheets)
    shown = _number(newest) if newest else 0
    try:
        with (sheets / STATS).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return shown
    for line in reversed(lines):
        try:
            return max(shown, int(json.loads(line)["epoch"]))
        except (ValueError, TypeError, KeyError, OverflowError):
            continue
    return shown


def _number(sheet: Path) -> int:
    """The epoch in the name of a sample sheet; 0 if there is none."""
    number = sheet.stem.partition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() else 0


def _score(generate: Artifact) -> str:
    """The KID of the samples, beside that of reals against reals, which alone says whether it is good."""
    found = generate.manifest.summary
    kid, floor, extractor = found.get("kid"), found.get("kid_floor"), found.get("extractor")
    if not isinstance(kid, float) or not isinstance(floor, float):
        return ""
    shown, shown_floor = (f"{round(value, 3) + 0.0:.3f}" for value in (kid, floor))  # never -0.000
    return f"KID {shown} (reals against reals {shown_floor}), measured with {extractor}"


def _pictures(folder: Path, files: Files) -> list[Picture]:
    """The pictures of a training that exist: sheet of the last epoch, reals, film, samples, film of the samples."""
    sheets = [files.sheets, *([files.gan.folder / "samples"] if files.gan else [])]
    films = [files.sheets, *([files.gan.folder / "plots"] if files.gan else [])]
    made = [files.generate.folder] if files.generate else []
    last = next(filter(None, map(newest_sheet, sheets)), None)
    shown = {
        f"sample sheet, epoch {_number(last) if last else 0}": last,
        "squares it learns from": _first(sheets, "reals.png"),
        "film of the training": _first(films, "training.gif"),
        "samples": _first(made, "grid.png"),
        "film through the latents": _first(made, "film.gif"),
    }
    return [Picture(source=_link(folder, path), caption=caption) for caption, path in shown.items() if path]


def _links(folder: Path, files: Files) -> dict[str, str]:
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


def _link(folder: Path, path: Path) -> str:
    """The URL of `path` on the page in `folder`."""
    relative = Path(os.path.relpath(path, folder)).as_posix()
    return quote(relative) + ("/" if path.is_dir() else "")


def _render(dataset: str, cards: list[Card]) -> str:
    from jinja2 import Environment, FileSystemLoader  # here, as most commands write no page
    from markupsafe import Markup

    here = Path(__file__).parent
    # Always escape: names of definitions and datasets come from people, errors from anywhere
    environment = Environment(loader=FileSystemLoader(here), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    style = (here / "gallery.css").read_text(encoding="utf-8")
    facts: dict[str, Any] = {"dataset": dataset, "cards": cards, "written": timestamp()[:16].replace("T", " ")}
    return environment.get_template("gallery.html.jinja").render(
        **facts,
        reload=RELOAD if any(card.state == RUNNING for card in cards) else 0,
        style=Markup(style),
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
