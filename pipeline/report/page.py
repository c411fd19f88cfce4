"""The report: one page about what came in, what was kept, how the training went and what came out."""

import base64
import dataclasses
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import Stopped
from pipeline.filter.kept import KEPT, REJECTED, UNSURE
from pipeline.filter.share import move
from pipeline.filter.unseen import HOLDOUT, OUT_OF_FOLD
from pipeline.gan.animation import animate
from pipeline.gan.plots import draw_plots
from pipeline.images.image_set import read_images
from pipeline.images.overview import SHOWN, sheet_name
from pipeline.images.sheet import contact_sheet, write_png
from pipeline.options import ReportOptions
from pipeline.report import figures
from pipeline.report.truth import against_truth
from pipeline.result import Result
from pipeline.store import manifest as manifests
from pipeline.store import verified
from pipeline.store.manifest import Manifest

OUTCOMES = KEPT, REJECTED, UNSURE
PICTURES = ".png", ".gif", ".mp4"
COLUMNS = 20  # of a contact sheet: 20 squares of 64 px fit a laptop's screen


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The folders of the stages that the page is about; no classifier where every picture is kept."""

    download: Path
    normalize: Path
    kept: Path
    gan: Path
    generate: Path
    classifier: Path | None = None

    def manifests(self) -> dict[str, Manifest]:
        """The manifest of each stage."""
        folders = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        found = [manifests.read(folder) for folder in folders.values() if folder]
        return {manifest.stage: manifest for manifest in found}


def write_report(
    options: ReportOptions, *, dataset: str, folder: Path, progress: Progress, should_stop: ShouldStop, **stages: Path
) -> Result:
    """Write `folder/index.html` and its pictures; `stages` are the fields of `Sources`."""
    sources = Sources(**stages)
    steps = [_copy_overview, _write_sheets, _write_filter, _write_training, _copy_samples]
    for number, step in enumerate(steps):
        progress(number, len(steps) + 1, step.__name__.strip("_").replace("_", " "))
        if should_stop():
            raise Stopped
        step(options, sources, folder)
    truth = against_truth(
        verified.read_rows(sources.download, "images.jsonl"), verified.read_rows(sources.kept, "scores.jsonl")
    )
    found = sources.manifests()
    summary = {"figures": len(list(folder.glob("*.png"))), "truth": truth}
    (folder / "index.html").write_text(_render(dataset, found, folder, summary), encoding="utf-8")
    return Result(outputs={}, summary=summary)


def _copy_overview(options: ReportOptions, sources: Sources, folder: Path) -> None:
    for path in (sources.normalize / "sheets").glob("*.png"):
        shutil.copyfile(path, folder / f"squares-{path.name}")


def _write_sheets(options: ReportOptions, sources: Sources, folder: Path) -> None:
    """Contact sheets of the kept, the rejected and the unsure, evenly over the scores; of those nearest to the band
    around the threshold; and of labels that may be wrong, the likeliest first."""
    rows = sorted(verified.read_rows(sources.kept, "scores.jsonl"), key=lambda row: (row["score"] or 0, row["id"]))
    by_outcome = {name: [row["id"] for row in rows if row["outcome"] == name] for name in OUTCOMES}
    count = options.thumbnails
    sheets = {name: _spread(ids, count) for name, ids in by_outcome.items()}
    if sources.classifier:
        free = {row["id"] for row in rows if row["label"] is None}
        barely = {name: [id for id in ids if id in free] for name, ids in by_outcome.items()}
        sheets["barely-kept"] = barely["kept"][: count // 2]
        sheets["barely-rejected"] = barely["rejected"][: -count // 2 - 1 : -1]
        for label, falling in (("on", False), ("off", True)):
            suspects = [row["id"] for row in rows if row["suspect"] and row["label"] == label]
            sheets[f"suspect-{label}"] = (suspects[::-1] if falling else suspects)[:count]
    for name, ids in sheets.items():
        if ids:
            found = read_images(sources.normalize, ids)
            places = {each: place for place, each in enumerate(found.ids)}
            write_png(
                folder / f"sheet-{name}.png", contact_sheet(found.images[[places[each] for each in ids]], COLUMNS)
            )


def _spread(ids: list[str], count: int) -> list[str]:
    """At most `count` of `ids`, evenly over their order: no picture is chosen for its looks."""
    step = max(1, -(-len(ids) // count))
    return ids[::step]


def _write_filter(options: ReportOptions, sources: Sources, folder: Path) -> None:
    rows = verified.read_rows(sources.kept, "scores.jsonl")
    summary = manifests.read(sources.kept).summary
    found = {
        name: [row["score"] for row in rows if row["outcome"] == name and row["score"] is not None] for name in OUTCOMES
    }
    if any(found.values()):
        figures.scores(found, summary["threshold"], folder / "filter-scores.png")
    if sources.classifier:
        unseen = [row for name in (HOLDOUT, OUT_OF_FOLD) for row in verified.read_rows(sources.classifier, name)]
        truth, said = [row["label"] == "on" for row in unseen], [row["score"] for row in unseen]
        # The line is drawn for other pictures than the labelled ones, and so for moved probabilities
        at = move(np.array(said), summary["offset"]).tolist()
        figures.precision_recall(truth, at, summary["band"][1], folder / "filter-precision-recall.png")
        figures.reliability(truth, said, folder / "filter-reliability.png")


def _write_training(options: ReportOptions, sources: Sources, folder: Path) -> None:
    draw_plots(verified.read_rows(sources.gan, "stats.jsonl"), folder, prefix="training-")
    animate(sources.gan / "samples", folder)


def _copy_samples(options: ReportOptions, sources: Sources, folder: Path) -> None:
    """The page shows copies, so that it can be sent to someone as it is."""
    for path in (sources.gan / "samples").glob("*.png"):
        shutil.copyfile(path, folder / f"training-{path.name}")
    for path in sources.generate.iterdir():
        if path.suffix in PICTURES:
            shutil.copyfile(path, folder / f"samples-{path.name}")


def _render(dataset: str, found: dict[str, Manifest], folder: Path, summary: dict[str, Any]) -> str:
    loader = FileSystemLoader(Path(__file__).parent)
    # Always: what servers say, as a content type or a title, stands in this page
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    sheets = sorted(path.name for path in folder.glob("training-epoch-*.png"))
    pictures = {path.name for path in folder.iterdir() if path.suffix in PICTURES}
    page = environment.get_template("page.html.jinja")
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    return page.render(
        dataset=dataset,
        style=Markup(style),
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        stages=found,
        sheets=sheets,
        overview=_overview(found["normalize"].summary),
        shown=SHOWN,
        pictures=pictures,
        truth=summary["truth"],
    )


def _overview(normalized: dict[str, Any]) -> list[tuple[str, str, int]]:
    """File, kind and number of each sheet that the normalise stage left, the largest reason first."""
    kinds = [("kept", normalized["kept"]), ("duplicates", normalized["duplicate"])]
    kinds += sorted(normalized["reasons"].items(), key=lambda item: (-item[1], item[0]))
    return [(f"squares-{sheet_name(kind)}", kind.replace("_", " "), number) for kind, number in kinds if number]
