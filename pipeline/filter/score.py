"""The stage filter: which pictures the generator learns from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.callbacks import Progress, ShouldStop
from pipeline.errors import UserError
from pipeline.filter.calibration import estimate_share, shift
from pipeline.filter.classifier import BATCH, Classifier
from pipeline.filter.devices import prepare_devices
from pipeline.filter.kept import KEPT, REJECTED, Score, write_scores
from pipeline.filter.saved import load_classifier
from pipeline.filter.threshold import Line, draw_line, judge_line
from pipeline.filter.unseen import read_unseen
from pipeline.filter.watch import Watch
from pipeline.images.image_set import read_images
from pipeline.labels.snapshot import read_snapshot
from pipeline.options import FilterOptions
from pipeline.result import Result
from pipeline.store import digest
from pipeline.store.jsonl import read_rows

MATTERS = 0.005  # a precision short of the wish by less is not worth a word


def filter_images(
    options: FilterOptions,
    *,
    normalize: Path,
    labels: Path | None,
    classifier: Path | None,
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Result:
    """Score every normalised picture and leave in `folder` which of them are kept.

    A label outdoes any score: what a person called on is kept, off and unsure are not. The others are kept at the
    threshold or above. With method 'none' all of them are, and `classifier` is None.
    Errors: `UserError` if nothing would be kept; `Stopped`, leaving nothing.
    """
    given = read_snapshot(labels) if labels else {}
    files = {row["id"]: row["sha256"] for row in read_rows(normalize / "images.jsonl") if row["outcome"] == KEPT}
    if options.method == "none":
        judged = Judged(scores={}, share=None, line=None)
    else:
        judged = _judge(options, normalize, given, classifier, progress, should_stop)
    scores = [_score(id, given.get(id), judged) for id in sorted(files)]
    kept = [score.id for score in scores if score.outcome == KEPT]
    if not kept:
        raise UserError(_nothing_kept(scores, judged))
    write_scores(scores, folder)
    return Result(
        outputs={"kept": digest.of_set([id, files[id]] for id in kept)}, summary=_summary(scores, judged, options)
    )


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The probability of every picture, and where the line is; neither with method 'none'."""

    scores: Mapping[str, float]
    share: float | None  # of the pictures without a label that are thought to be on target
    line: Line | None


def _judge(
    options: FilterOptions,
    normalize: Path,
    given: Mapping[str, str],
    classifier: Path,
    progress: Progress,
    should_stop: ShouldStop,
) -> Judged:
    prepare_devices()
    ids, images = read_images(normalize)
    model = load_classifier(classifier)
    watch = Watch(progress, should_stop, -(-len(ids) // BATCH))
    found = dict(zip(ids, _probabilities(model, images, watch).tolist(), strict=True))
    found.update({id: score for id, score in read_unseen(classifier).items() if id in found})
    return _draw(found, set(found) - set(given), model.calibration.prior, options)


def _probabilities(model: Classifier, images: np.ndarray, watch: Watch) -> np.ndarray:
    parts = []
    for start in range(0, len(images), BATCH):
        watch("scoring the pictures")
        parts.append(model(images[start : start + BATCH]))
    return np.concatenate(parts)


def _draw(found: Mapping[str, float], free: set[str], prior: float, options: FilterOptions) -> Judged:
    """Bring the probabilities to the share of on-target pictures among the `free` ones, those without a label, and
    draw the line there."""
    unlabelled = np.array([found[id] for id in sorted(free)])
    share = estimate_share(unlabelled, prior) if free else prior
    moved = shift(np.array(list(found.values())), prior, share).round(6)
    scores = dict(zip(found, moved.tolist(), strict=True))
    unlabelled = np.array([scores[id] for id in sorted(free)])
    if options.threshold is None:
        line = draw_line(unlabelled, options.precision)
    else:
        line = judge_line(unlabelled, options.threshold)
    return Judged(scores=scores, share=share, line=line)


def _score(id: str, label: str | None, judged: Judged) -> Score:
    score = judged.scores.get(id)
    reached = judged.line is None or score >= judged.line.threshold
    kept = label == "on" if label else reached
    return Score(id=id, score=score, label=label, outcome=KEPT if kept else REJECTED)


def _summary(scores: list[Score], judged: Judged, options: FilterOptions) -> dict[str, Any]:
    kept = sum(score.outcome == KEPT for score in scores)
    line = {name: _rounded(value) for name, value in asdict(judged.line).items()} if judged.line else {}
    return {
        "images": len(scores),
        "kept": kept,
        "rejected": len(scores) - kept,
        "threshold": line.get("threshold"),
        "labelled_on": sum(score.label == "on" for score in scores),
        "labelled_off": sum(score.label == "off" for score in scores),
        "labelled_unsure": sum(score.label == "unsure" for score in scores),
        "expected_share": _rounded(judged.share),
        "expected_precision": line.get("precision"),
        "expected_recall": line.get("recall"),
        "notice": _notice(judged.line, options),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _notice(line: Line | None, options: FilterOptions) -> str:
    if line is None or line.precision is None or options.threshold is not None:
        return ""
    if line.precision >= options.precision - MATTERS:
        return ""
    return (
        f"precision {options.precision:g} is out of reach: of what is kept without a label about"
        f" {line.precision:.2f} should be on target; label more pictures, those with scores near"
        f" {line.threshold:.2f} first"
    )


def _nothing_kept(scores: list[Score], judged: Judged) -> str:
    if judged.line is None:
        return f"all {len(scores)} pictures are labelled off or unsure, so nothing is kept; label some on"
    highest = max((score.score for score in scores if score.label is None), default=0.0)
    return (
        f"nothing is kept: no picture is labelled on, and none reaches the threshold {judged.line.threshold:g}"
        f" (the highest score is {highest:.3f}); lower --filter-threshold, or leave it at auto, or label some on"
    )
