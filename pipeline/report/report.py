"""The report stage: one page about what came in, what was kept, how the training went and what came out."""

import base64
import dataclasses
import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from sklearn.metrics import precision_recall_curve

from pipeline import demo
from pipeline.filter.calibration import shift_logits
from pipeline.filter.scores import BORDERLINE, HOLDOUT, KEPT, OUT_OF_FOLD, REJECTED
from pipeline.filter.threshold import jeffreys_interval
from pipeline.gan.plots import draw_plots
from pipeline.gan.video import animate
from pipeline.images.chart import ACCENT, LINE, OFF, ON, new_axes, save
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.dataset import read_images
from pipeline.images.overview import SHOWN, sheet_name
from pipeline.options import ReportOptions
from pipeline.progress import Progress, ShouldStop, StageProgress
from pipeline.result import Result
from pipeline.store import manifest as manifests
from pipeline.store import verified
from pipeline.store.manifest import Manifest

OUTCOMES = KEPT, REJECTED, BORDERLINE
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
    watch = StageProgress(progress, should_stop, len(steps) + 1)
    for step in steps:
        watch(step.__name__.strip("_").replace("_", " "))
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
        scores(found, summary["threshold"], folder / "filter-scores.png")
    if sources.classifier:
        unseen = [row for name in (HOLDOUT, OUT_OF_FOLD) for row in verified.read_rows(sources.classifier, name)]
        truth, said = [row["label"] == "on" for row in unseen], [row["score"] for row in unseen]
        # The line is drawn for other pictures than the labelled ones, and so for moved probabilities
        at = shift_logits(np.array(said), summary["offset"]).tolist()
        precision_recall(truth, at, summary["band"][1], folder / "filter-precision-recall.png")
        reliability(truth, said, folder / "filter-reliability.png")


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


def against_truth(downloaded: Iterable[dict[str, Any]], scores: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Precision and recall of what was kept, over pictures that no hand labelled; None where no truth is known.

    `downloaded` are the rows of the download stage (url, id), `scores` those of the filter (id, label, outcome).
    """
    rows = [row for row in downloaded if row["engine"] == "demo" and row["outcome"] == "saved"]
    by_url = demo.truth(row["url"] for row in rows)
    truth = {row["id"]: by_url[row["url"]] for row in rows if row["url"] in by_url}
    judged = [(row["outcome"] == "kept", truth[row["id"]] == "on") for row in scores if _counts(row, truth)]
    if not judged:
        return None
    kept, on = sum(kept for kept, _ in judged), sum(on for _, on in judged)
    right = sum(kept and on for kept, on in judged)
    return {"pictures": len(judged), "precision": right / max(kept, 1), "recall": right / max(on, 1)}


def _counts(row: dict[str, Any], truth: dict[str, str]) -> bool:
    return row["label"] is None and row["id"] in truth


COLOURS = {"rejected": OFF, "unsure": ACCENT, "kept": ON}
BINS, A_BIN = 8, 10  # of the reliability diagram at most; labels that each needs


def precision_recall(truth: Sequence[bool], scores: Sequence[float], least: float | None, path: Path) -> None:
    """Precision against recall over all thresholds, the chosen one marked: pictures of score `least` are kept."""
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    axes = new_axes("filter on labels it was not trained on", "recall")
    axes.set_ylabel("precision")
    axes.step(recall, precision, where="post", color=LINE)
    if least is not None:
        at = min((thresholds < least).sum(), len(precision) - 1)
        axes.plot(recall[at], precision[at], "o", color=OFF, label=f"kept from {least:.2f} up")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    save(axes, path)


def reliability(truth: Sequence[bool], said: Sequence[float], path: Path) -> None:
    """How often pictures are on target that are said to be so with some probability: on the diagonal if the
    probabilities are right. Each bar is the interval that its labels allow."""
    axes = new_axes("are the probabilities right?", "probability said, of labels not trained on")
    axes.set_ylabel("share labelled on")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.6)
    order = sorted(zip(said, truth, strict=True))
    bins = max(2, min(BINS, len(order) // A_BIN))
    for part in (order[len(order) * bin // bins : len(order) * (bin + 1) // bins] for bin in range(bins)):
        if part:
            share, low, high = jeffreys_interval(sum(on for _, on in part), len(part))
            middle = sum(score for score, _ in part) / len(part)
            axes.errorbar(middle, share, [[share - low], [high - share]], fmt="o", color=LINE, capsize=2, markersize=4)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    save(axes, path)


def scores(found: Mapping[str, Sequence[float]], threshold: float | None, path: Path) -> None:
    """How the filter's scores are spread over the pictures of each outcome."""
    axes = new_axes("filter scores", "score")
    names = [name for name in COLOURS if found.get(name)]
    shown, colours = [found[name] for name in names], [COLOURS[name] for name in names]
    axes.hist(shown, bins=25, range=(0, 1), stacked=True, color=colours, label=names)
    if threshold is not None:
        axes.axvline(threshold, color="black", linewidth=0.8)
    axes.set_ylabel("pictures")
    save(axes, path)
