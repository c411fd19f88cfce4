"""The report stage: an HTML page about the crawl, the filter, the training and the samples."""

import dataclasses
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import precision_recall_curve

from pipeline import demo
from pipeline.filter.calibration import shift_logits
from pipeline.filter.scores import BORDERLINE, HOLDOUT, KEPT, OUT_OF_FOLD, REJECTED, iterate_scores
from pipeline.filter.threshold import jeffreys_interval
from pipeline.filter.words import kept_from
from pipeline.gan.card_text import read_starts
from pipeline.gan.plots import draw_plots
from pipeline.gan.video import animate
from pipeline.images.chart import ACCENT, LINE, OFF, ON, new_axes, save
from pipeline.images.contact_sheet import contact_sheet, write_png
from pipeline.images.dataset import read_images
from pipeline.options import ReportOptions
from pipeline.progress import Progress, ShouldStop, StageProgress
from pipeline.report.report_page import IMAGE_SUFFIXES, WITH_REASONS, Reasons, definition_text, render_page
from pipeline.result import Result
from pipeline.store import manifest as manifests
from pipeline.store import verified
from pipeline.store.manifest import Manifest

OUTCOMES = KEPT, REJECTED, BORDERLINE
SHEET_COLUMNS = 20  # of a contact sheet: 20 squares of 64 px fit on a laptop's screen


@dataclass(frozen=True, kw_only=True)
class StageFolders:
    """The artifacts that the page is about; no classifier if every square is kept."""

    download: Path
    normalize: Path
    kept: Path
    gan: Path
    generate: Path
    classifier: Path | None = None

    def manifests(self) -> dict[str, Manifest]:
        """The manifest of each stage."""
        paths = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        found = [manifests.read(folder) for folder in paths.values() if folder]
        return {manifest.stage: manifest for manifest in found}


def write_report(
    options: ReportOptions, *, dataset: str, folder: Path, progress: Progress, should_stop: ShouldStop, **stages: Path
) -> Result:
    """Write `folder/index.html` and its images.

    Args:
        options: Options of the stage.
        dataset: The dataset's name.
        folder: Where to write.
        progress: Called before each step.
        should_stop: Asked before each step.
        **stages: The fields of `StageFolders`.

    Raises:
        Stopped: If the run was asked to stop.
    """
    folders = StageFolders(**stages)
    steps = [_copy_overview, _write_sheets, _write_filter, _write_training, _copy_samples]
    stage_progress = StageProgress(progress, should_stop, len(steps) + 1)
    for step in steps:
        stage_progress(step.__name__.strip("_").replace("_", " "))
        step(options, folders, folder)
    ground_truth = measure_against_ground_truth(
        verified.iterate_rows(folders.download, "images.jsonl"), verified.iterate_rows(folders.kept, "scores.jsonl")
    )
    stage_manifests = folders.manifests()
    summary = {"figures": len(list(folder.glob("*.png"))), "truth": ground_truth}
    reasons = {
        stage: count_reasons(verified.iterate_rows(getattr(folders, stage), "images.jsonl")) for stage in WITH_REASONS
    }
    definition, starts = definition_text(folders.gan), read_starts(folders.gan)
    page = render_page(dataset, stage_manifests, folder, summary, reasons, definition=definition, starts=starts)
    (folder / "index.html").write_text(page, encoding="utf-8")
    return Result(outputs={}, summary=summary)


def _copy_overview(options: ReportOptions, folders: StageFolders, folder: Path) -> None:
    for path in (folders.normalize / "sheets").glob("*.png"):
        shutil.copyfile(path, folder / f"squares-{path.name}")


def _write_sheets(options: ReportOptions, folders: StageFolders, folder: Path) -> None:
    """Write contact sheets of the kept, rejected and borderline squares, evenly spaced over the scores; of the
    unlabelled ones nearest to the band around the threshold; and of suspect labels, the most suspect first."""
    scores = sorted(iterate_scores(folders.kept), key=lambda each: (each.score or 0, each.id))
    by_outcome = {name: [each.id for each in scores if each.outcome == name] for name in OUTCOMES}
    count = options.thumbnails
    sheets = {name: _evenly_spaced(ids, count) for name, ids in by_outcome.items()}
    if folders.classifier:
        unlabelled = {each.id for each in scores if each.label is None}
        unlabelled_by_outcome = {name: [id for id in ids if id in unlabelled] for name, ids in by_outcome.items()}
        sheets["barely-kept"] = unlabelled_by_outcome["kept"][: count // 2]
        sheets["barely-rejected"] = unlabelled_by_outcome["rejected"][: -count // 2 - 1 : -1]
        for label, descending in (("on", False), ("off", True)):
            suspects = [each.id for each in scores if each.suspect and each.label == label]
            sheets[f"suspect-{label}"] = (suspects[::-1] if descending else suspects)[:count]
    squares = read_images(folders.normalize, [id for ids in sheets.values() for id in ids])
    index_by_id = {id: index for index, id in enumerate(squares.ids)}
    for name, ids in sheets.items():
        if ids:
            shown = squares.images[[index_by_id[id] for id in ids]]
            write_png(folder / f"sheet-{name}.png", contact_sheet(shown, SHEET_COLUMNS))


def _evenly_spaced(ids: list[str], count: int) -> list[str]:
    """At most `count` of `ids`, evenly spaced: none is chosen by how it looks."""
    step = max(1, -(-len(ids) // count))
    return ids[::step]


def _write_filter(options: ReportOptions, folders: StageFolders, folder: Path) -> None:
    summary = manifests.read(folders.kept).summary
    scores_by_outcome: dict[str, list[float]] = {name: [] for name in OUTCOMES}
    for each in iterate_scores(folders.kept):
        if each.score is not None and each.outcome in scores_by_outcome:
            scores_by_outcome[each.outcome].append(each.score)
    if any(scores_by_outcome.values()):
        scores(scores_by_outcome, kept_from(summary), folder / "filter-scores.png")
    if folders.classifier:
        unseen = [row for name in (HOLDOUT, OUT_OF_FOLD) for row in verified.read_rows(folders.classifier, name)]
        labels, probabilities = [row["label"] == "on" for row in unseen], [row["score"] for row in unseen]
        # The threshold was chosen for probabilities of unlabelled squares, which are shifted
        shifted = shift_logits(np.array(probabilities), summary["offset"]).tolist()
        precision_recall(labels, shifted, kept_from(summary), folder / "filter-precision-recall.png")
        reliability(labels, probabilities, folder / "filter-reliability.png")


def _write_training(options: ReportOptions, folders: StageFolders, folder: Path) -> None:
    draw_plots(verified.read_rows(folders.gan, "stats.jsonl"), folder, prefix="training-")
    animate(folders.gan / "samples", folder)


def _copy_samples(options: ReportOptions, folders: StageFolders, folder: Path) -> None:
    """Copy the images, so that the page can be sent as a folder."""
    for path in (folders.gan / "samples").glob("*.png"):
        shutil.copyfile(path, folder / f"training-{path.name}")
    for path in folders.generate.iterdir():
        if path.suffix in IMAGE_SUFFIXES:
            shutil.copyfile(path, folder / f"samples-{path.name}")


def count_reasons(rows: Iterable[dict[str, Any]]) -> Reasons:
    """Count the reasons of `rows` for each outcome, the most frequent first."""
    found = Counter((row["outcome"], row["reason"]) for row in rows if row.get("reason"))
    counted: Reasons = {}
    for (outcome, reason), number in sorted(found.items(), key=lambda item: (-item[1], item[0])):
        counted.setdefault(outcome, {})[reason] = number
    return counted


def measure_against_ground_truth(
    downloaded: Iterable[dict[str, Any]], scores: Iterable[dict[str, Any]]
) -> dict[str, Any] | None:
    """Precision and recall of the filter on unlabelled squares of the demo subject; None for other subjects.

    Args:
        downloaded: The rows of the download stage (url, id); those of other subjects, of which there may be a million,
            are not kept.
        scores: The rows of the filter (id, label, outcome); not read for other subjects.
    """
    found = [(row["id"], row["url"]) for row in downloaded if row["engine"] == "demo" and row["outcome"] == "saved"]
    by_url = demo.truth(url for _, url in found)
    ground_truth = {id: by_url[url] for id, url in found if url in by_url}
    if not ground_truth:
        return None
    decisions = [
        (row["outcome"] == "kept", ground_truth[row["id"]] == "on")
        for row in scores
        if _is_unlabelled(row, ground_truth)
    ]
    if not decisions:
        return None
    kept, on = sum(kept for kept, _ in decisions), sum(on for _, on in decisions)
    correct = sum(kept and on for kept, on in decisions)
    return {"pictures": len(decisions), "precision": correct / max(kept, 1), "recall": correct / max(on, 1)}


def _is_unlabelled(row: dict[str, Any], ground_truth: dict[str, str]) -> bool:
    return row["label"] is None and row["id"] in ground_truth


SHOWN_NAMES = {BORDERLINE: "borderline"}  # stored as 'unsure'
OUTCOME_COLOURS = {"rejected": OFF, "unsure": ACCENT, "kept": ON}
MAX_BINS, MIN_LABELS_PER_BIN = 8, 10  # of the reliability diagram


def precision_recall(labels: Sequence[bool], scores: Sequence[float], lowest_kept: float | None, path: Path) -> None:
    """Plot the precision-recall curve, and mark the threshold from which squares are kept."""
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    axes = new_axes("filter on labels it did not train on", "recall of the filter")
    axes.set_ylabel("precision of the filter")
    axes.step(recall, precision, where="post", color=LINE)
    if lowest_kept is not None:
        chosen = min((thresholds < lowest_kept).sum(), len(precision) - 1)
        axes.plot(recall[chosen], precision[chosen], "o", color=OFF, label=_kept_from_label(lowest_kept))
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    save(axes, path)


def _kept_from_label(score: float) -> str:
    """The same number, with as many digits, as the text of the page."""
    return f"kept from {score:.3f}"


def reliability(labels: Sequence[bool], probabilities: Sequence[float], path: Path) -> None:
    """Plot a reliability diagram: how often squares with a given probability are on target.

    Calibrated probabilities lie on the diagonal. Each bar is the interval that its labels allow.
    """
    axes = new_axes("reliability of the probabilities", "probability, of labels it did not train on")
    axes.set_ylabel("fraction labelled on target")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.6)
    order = sorted(zip(probabilities, labels, strict=True))
    bins = max(2, min(MAX_BINS, len(order) // MIN_LABELS_PER_BIN))
    for part in (order[len(order) * bin // bins : len(order) * (bin + 1) // bins] for bin in range(bins)):
        if part:
            fraction, low, high = jeffreys_interval(sum(on for _, on in part), len(part))
            middle = sum(score for score, _ in part) / len(part)
            axes.errorbar(
                middle, fraction, [[fraction - low], [high - fraction]], fmt="o", color=LINE, capsize=2, markersize=4
            )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    save(axes, path)


def scores(scores_by_outcome: Mapping[str, Sequence[float]], lowest_kept: float | None, path: Path) -> None:
    """Plot a histogram of the filter's scores for each verdict, with a line where squares begin to be kept."""
    axes = new_axes("filter scores", "score")
    names = [name for name in OUTCOME_COLOURS if scores_by_outcome.get(name)]
    shown, colours = [scores_by_outcome[name] for name in names], [OUTCOME_COLOURS[name] for name in names]
    axes.hist(
        shown, bins=25, range=(0, 1), stacked=True, color=colours, label=[SHOWN_NAMES.get(name, name) for name in names]
    )
    if lowest_kept is not None:
        axes.axvline(lowest_kept, color="black", linewidth=0.8, label=_kept_from_label(lowest_kept))
    axes.set_ylabel("squares")
    save(axes, path)
