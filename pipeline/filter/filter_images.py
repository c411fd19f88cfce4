"""The stage filter: which pictures the generator learns from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.devices import prepare_devices
from pipeline.errors import UserError
from pipeline.filter.calibration import Counts, infer_class_prior, move
from pipeline.filter.classifier import BATCH, Answers, Classifier
from pipeline.filter.classifier_io import load_classifier
from pipeline.filter.kernel import principal_components
from pipeline.filter.scores import FEATURES, KEPT, REJECTED, UNSURE, Score, read_unseen, write_scores
from pipeline.filter.threshold import (
    MOST,
    Evidence,
    PrecisionEstimate,
    Threshold,
    choose_threshold,
    confusion,
    estimate_precision,
    evaluate_threshold,
    interval,
    suspects,
)
from pipeline.images.dataset import read_images
from pipeline.labels.snapshot import read_snapshot
from pipeline.labels.suggest import random_slice
from pipeline.options import FilterOptions
from pipeline.progress import Progress, ShouldStop, StageProgress
from pipeline.result import Result
from pipeline.store import digest, verified

MATTERS = 0.005  # a precision short of the wish by less is not worth a word
FAIR = 30  # labels of a fair sample, from which on it is told what share of them is on target
DIMENSIONS = 32  # of the features by which pictures are compared on the label page


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
    """Score every normalised picture and leave in `folder` which of them are kept, rejected or unsure.

    A label outdoes any score: what a person called on is kept, off and unsure are not. The others are kept above the
    band around the threshold, rejected below it, and unsure within. With method 'none' all of them are kept, and
    `classifier` is None. Pictures are not copied: `scores.jsonl` has a row for each.
    Errors: `UserError` if nothing would be kept; `Stopped`, leaving nothing.
    """
    given = read_snapshot(labels) if labels else {}
    rows = verified.read_rows(normalize, "images.jsonl")
    files = {row["id"]: row["sha256"] for row in rows if row["outcome"] == "kept"}
    if options.method == "none":
        judged = Judged(scores={}, spreads={}, suspects=frozenset(), share=None, line=None, proof=None, figures={})
    else:
        assert classifier is not None  # the task reads one for every other method
        judged = _judge(options, normalize, given, classifier, folder, Watching(progress, should_stop))
    scores = [_score(id, given.get(id), judged) for id in sorted(files)]
    kept = [score.id for score in scores if score.outcome == KEPT]
    if not kept:
        raise UserError(_nothing_kept(scores, judged))
    write_scores(scores, folder)
    return Result(
        outputs={"kept": digest.of_set([id, files[id]] for id in kept)}, summary=_summary(scores, judged, options)
    )


@dataclass(frozen=True)
class Watching:
    """How far the work is, and whether to stop."""

    progress: Progress
    should_stop: ShouldStop


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the classifier says of every picture, and where the line is; nothing with method 'none'."""

    scores: Mapping[str, float]  # probabilities of being on target, by id
    spreads: Mapping[str, float]  # their standard errors, of those without a label
    suspects: frozenset[str]  # ids of labels that may be wrong
    share: float | None  # of the pictures without a label that are thought to be on target
    line: Threshold | None
    proof: PrecisionEstimate | None
    figures: Mapping[str, Any]


def _judge(
    options: FilterOptions,
    normalize: Path,
    given: Mapping[str, str],
    classifier: Path,
    folder: Path,
    watching: Watching,
) -> Judged:
    prepare_devices()
    ids, images = read_images(normalize)
    model = load_classifier(classifier)
    watch = StageProgress(watching.progress, watching.should_stop, -(-len(ids) // BATCH))
    answers = _ask(model, images, watch)
    features = principal_components(answers.likeness, model.landmarks(), DIMENSIONS)
    np.save(folder / FEATURES, features.astype(np.float16))
    found = dict(zip(ids, answers.probability.tolist(), strict=True))
    unseen = {id: score for id, score in read_unseen(classifier).items() if id in found}
    found.update(unseen)
    spreads = dict(zip(ids, answers.spread.round(6).tolist(), strict=True))
    return _draw(found, spreads, unseen, given, model.calibration.prior, options)


def _ask(model: Classifier, images: np.ndarray, watch: StageProgress) -> Answers:
    parts = []
    for start in range(0, len(images), BATCH):
        watch("scoring the pictures")
        parts.append(model(images[start : start + BATCH]))
    names = (field.name for field in fields(Answers))
    return Answers(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _draw(
    found: Mapping[str, float],
    spreads: Mapping[str, float],
    unseen: Mapping[str, float],
    given: Mapping[str, str],
    prior: float,
    options: FilterOptions,
) -> Judged:
    """Move the probabilities of pictures without a label to what their share of on-target ones is thought to be, draw
    the line there, and see what the labels prove of it. Labelled pictures keep the probability that was said of them
    by a classifier that did not know their labels."""
    free = sorted(set(found) - set(given))
    fair = [given[id] for id in random_slice(list(found), given) if given[id] != "unsure"]
    certain = {id: given[id] for id in unseen if given.get(id) in ("on", "off")}
    evidence = _evidence(np.array([found[id] for id in free]), prior, fair, certain, unseen)
    moved = move(evidence.free, evidence.offset)
    if options.threshold is None:
        line = choose_threshold(moved, options.precision, options.unsure)
    else:
        line = evaluate_threshold(moved, options.threshold, options.unsure)
    steeper = moved * (1 - moved) / np.maximum(evidence.free * (1 - evidence.free), 1e-9)
    errors = np.array([spreads[id] for id in free]) * steeper
    return Judged(
        scores={**found, **dict(zip(free, moved.round(6).tolist(), strict=True))},
        spreads=dict(zip(free, errors.round(6).tolist(), strict=True)),
        suspects=frozenset(suspects(certain, unseen)),
        share=evidence.share.mean,
        line=line,
        proof=estimate_precision(line, evidence, options.precision),
        figures={"offset": round(evidence.offset, 6), "confusion": confusion(line, evidence), **_fair_figures(fair)},
    )


def _evidence(
    free: np.ndarray, prior: float, fair: list[str], certain: Mapping[str, str], unseen: Mapping[str, float]
) -> Evidence:
    labels = list(certain.values())
    counts = Counts(
        fair_on=fair.count("on"),
        fair_off=fair.count("off"),
        on=labels.count("on"),
        off=labels.count("off"),
        free=len(free),
    )
    return Evidence(
        scores=np.array([unseen[id] for id in certain]),
        on=np.array([label == "on" for label in labels], bool),
        free=free,
        share=infer_class_prior(free if len(free) else np.array([prior]), prior, counts),
    )


def _fair_figures(fair: list[str]) -> dict[str, Any]:
    share = [round(value, 4) for value in interval(fair.count("on"), len(fair))]
    return {"fair_labels": len(fair), "fair_share": share if len(fair) >= FAIR else None}


def _score(id: str, label: str | None, judged: Judged) -> Score:
    score, spread = judged.scores.get(id), judged.spreads.get(id)
    outcome = _outcome(score, label, judged.line)
    return Score(id=id, score=score, spread=spread, label=label, suspect=id in judged.suspects, outcome=outcome)


def _outcome(score: float | None, label: str | None, line: Threshold | None) -> str:
    if label:
        return KEPT if label == "on" else REJECTED
    if line is None:
        return KEPT
    assert score is not None  # a classifier scores every picture
    if score >= line.high:
        return KEPT
    return REJECTED if score < line.low else UNSURE


def _summary(scores: list[Score], judged: Judged, options: FilterOptions) -> dict[str, Any]:
    line, proof = judged.line, judged.proof
    counts = {outcome: sum(score.outcome == outcome for score in scores) for outcome in (KEPT, REJECTED, UNSURE)}
    return {
        "images": len(scores),
        **counts,
        "threshold": line and line.threshold,
        "band": line and [line.low, line.high],
        "labelled_on": sum(score.label == "on" for score in scores),
        "labelled_off": sum(score.label == "off" for score in scores),
        "labelled_unsure": sum(score.label == "unsure" for score in scores),
        "suspect": len(judged.suspects),
        "expected_share": _rounded(judged.share),
        "expected_precision": _rounded(line.precision if line else None),
        "expected_recall": _rounded(line.recall if line else None),
        "proof": proof and {name: _rounded(value) for name, value in asdict(proof).items()},
        **judged.figures,
        "notice": _notice(judged, options),
    }


def _rounded(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value


def _notice(judged: Judged, options: FilterOptions) -> str:
    """What a person should know of the precision: that it is out of reach, or not proved yet."""
    line, proof, wanted = judged.line, judged.proof, options.precision
    if line is None or line.precision is None or options.threshold is not None:
        return ""
    if line.precision < wanted - MATTERS:
        return (
            f"precision {wanted:g} is out of reach: of what is kept without a label about {line.precision:.2f} should"
            f" be on target; label more pictures, those with scores near {line.threshold:.2f} first"
        )
    if proof is None or proof.more == 0:
        return ""
    more = f"some {proof.more} more labels" if proof.more else f"more than {MOST} further labels"
    return (
        f"precision {wanted:g} is expected but not shown yet: {proof.labels} labels above the line say {proof.low:.2f}"
        f" to {proof.high:.2f}; {more} of pictures with high scores would show it"
    )


def _nothing_kept(scores: list[Score], judged: Judged) -> str:
    if judged.line is None:
        return f"all {len(scores)} pictures are labelled off or unsure, so nothing is kept; label some on"
    highest = max((score.score or 0.0 for score in scores if score.label is None), default=0.0)
    return (
        f"nothing is kept: no picture is labelled on, and none reaches {judged.line.high:g}, the upper edge of the band"
        f" around the threshold (the highest score is {highest:.3f}); lower --filter-threshold, or leave it at auto, or"
        " label some on"
    )
