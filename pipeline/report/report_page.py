"""The HTML of the report, from the manifests of all stages and the pictures in its folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.filter.words import advice_words, kept_from, precision_words, recall_words, validation_words
from pipeline.gan.card_text import StartLineage
from pipeline.gan.evaluation.floor import compare_with_floor
from pipeline.images.overview import SHOWN, sheet_name
from pipeline.images.rejected import TOO_SMALL, too_small_words
from pipeline.report.films import browser_film
from pipeline.report.glossary import GLOSSARY
from pipeline.report.page_assets import LOOK, Inline, inline, render, shown_size
from pipeline.store.manifest import Manifest

WITH_REASONS = "download", "normalize"  # stages that give a reason for what they reject
IMAGE_SUFFIXES = ".png", ".gif", ".mp4", ".webm"
FILMS = "training", "samples-film"
SHEETS = "training-epoch-"  # how the names of the sample sheets begin; the epoch follows
Reasons = dict[str, dict[str, int]]  # how often each reason was given, by outcome


@dataclass(frozen=True, kw_only=True)
class EpochSheet:
    """The sample sheet of an epoch, on the slider."""

    name: str
    epoch: int


def page_script() -> Inline:
    """The one script of the report."""
    return inline("page.js")


def definition_text(gan: Path) -> str:
    """The definition of the training in the artifact `gan`, as it was written; empty if there is none."""
    try:
        return (gan / "definition.json").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def render_page(
    dataset: str,
    stages: dict[str, Manifest],
    folder: Path,
    summary: dict[str, Any],
    reasons: dict[str, Reasons] | None = None,
    *,
    definition: str = "",
    starts: Sequence[StartLineage] = (),
) -> str:
    """The page; without `reasons` those of the summaries stand under 'rejected', as they do not say the outcome.

    `starts` are the trainings with whose networks that of the page began, the latest first.
    """
    pictures = {path.name: shown_size(path) for path in folder.iterdir() if path.suffix in IMAGE_SUFFIXES}
    return render(
        "page.html.jinja",
        dataset=dataset,
        style=inline(LOOK, "page.css"),
        script=page_script(),
        glossary=GLOSSARY,
        stages=stages,
        definition=definition,
        starts=starts,
        sheets=_epoch_sheets(pictures),
        overview=_overview(stages["normalize"].summary),
        shown=SHOWN,
        pictures=pictures,
        films={name: browser_film(folder, name) for name in FILMS},
        ground_truth=summary["truth"],
        reasons=reasons or {stage: {"rejected": stages[stage].summary["reasons"]} for stage in WITH_REASONS},
        too_small=TOO_SMALL,
        too_small_words=partial(too_small_words, min_side=stages["normalize"].options.get("min_side", 0)),
        words=_filter_words(stages["filter"].summary),
        compare_with_floor=compare_with_floor,
    )


def _epoch_sheets(pictures: dict[str, Any]) -> list[EpochSheet]:
    """The sample sheets among the names `pictures`, in the order of their epochs."""
    found = [(name.removeprefix(SHEETS).removesuffix(".png"), name) for name in pictures if name.startswith(SHEETS)]
    sheets = [EpochSheet(name=name, epoch=int(number)) for number, name in found if number.isdecimal()]
    return sorted(sheets, key=lambda sheet: sheet.epoch)


def _filter_words(summary: dict[str, Any]) -> dict[str, Any]:
    """The filter's figures in words, the same as on the console and on the label page."""
    return {
        "kept_from": kept_from(summary),
        "precision": precision_words(summary),
        "recall": recall_words(summary),
        "advice": advice_words(summary),
        "validation": validation_words(summary),
    }


def _overview(normalized: dict[str, Any]) -> list[tuple[str, str, int]]:
    """File, kind and number of each contact sheet of the normalise stage, the most frequent reason first."""
    kinds = [("kept", normalized["kept"]), ("duplicates", normalized["duplicate"])]
    kinds += sorted(normalized["reasons"].items(), key=lambda item: (-item[1], item[0]))
    return [(f"squares-{sheet_name(kind)}", kind.replace("_", " "), number) for kind, number in kinds if number]
