"""The filter stage: decide which squares the generator learns from."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cluster.client import Cluster
from pipeline.devices import prepare_devices
from pipeline.errors import UserError
from pipeline.filter.advice import Advice, advise
from pipeline.filter.calibration import shift_logits
from pipeline.filter.classifier_io import load_classifier
from pipeline.filter.evidence import evidence_of_squares
from pipeline.filter.recall import RecallEstimate, estimate_recall
from pipeline.filter.score_shards import score_images, score_on_cluster
from pipeline.filter.scores import BORDERLINE, FEATURES, KEPT, REJECTED, Score, read_unseen, write_scores
from pipeline.filter.threshold import (
    MAX_EXTRA_LABELS,
    PrecisionEstimate,
    Threshold,
    choose_threshold,
    confusion,
    count_verdicts,
    estimate_precision,
    evaluate_threshold,
    find_suspect_labels,
    jeffreys_interval,
)
from pipeline.filter.words import advice_words, unconfirmed_words
from pipeline.images.dataset import read_images
from pipeline.labels.log import LABELS
from pipeline.labels.snapshot import read_snapshot, read_validation
from pipeline.options import FilterOptions
from pipeline.progress import Progress, ShouldStop, StageProgress
from pipeline.result import Result
from pipeline.store import digest, verified
from pipeline.store import manifest as manifests
from pipeline.store.manifest import ROWS

PRECISION_TOLERANCE = 0.005  # a smaller shortfall of precision gives no notice
MIN_RANDOM_LABELS = 30  # of a random sample; with fewer the fraction on target is not reported


def filter_images(
    options: FilterOptions,
    *,
    normalize: Path,
    labels: Path | None,
    classifier: Path | None,
    folder: Path,
    progress: Progress,
    should_stop: ShouldStop,
    cluster: Cluster | None = None,
) -> Result:
    """Score every square and write to `folder` which ones are kept, rejected or borderline.

    A label overrides the score: squares labelled on target are kept, squares labelled off target or skip are not. Other
    squares are kept above the band around the threshold, rejected below it, and borderline within it. With method
    'none' all of them are kept, and `classifier` is None. Squares are not copied: `scores.jsonl` has a row for each.
    With a `cluster` its workers score, and the result is the same where the arithmetic is.

    Raises:
        UserError: If nothing would be kept.
        Stopped: If the run was asked to stop.
    """
    labels_by_id = read_snapshot(labels) if labels else {}
    validation = read_validation(labels) if labels else frozenset()
    rows = verified.iterate_rows(normalize, ROWS)
    sha256_by_id = {row["id"]: row["sha256"] for row in rows if row["outcome"] == "kept"}
    if options.method == "none":
        decision = Decision(
            scores={},
            standard_errors={},
            suspects=frozenset(),
            class_prior=None,
            threshold=None,
            precision_estimate=None,
            recall_estimate=None,
            advice=(),
            statistics={},
        )
    else:
        assert classifier is not None  # the task reads one for every other method
        stage_progress = StageProgress(progress, should_stop)
        decision = _score_squares(
            options,
            normalize,
            labels_by_id,
            classifier,
            folder,
            squares=sha256_by_id,
            cluster=cluster,
            progress=stage_progress,
        )
    scores = [_score(id, labels_by_id.get(id), decision) for id in sorted(sha256_by_id)]
    kept = [score.id for score in scores if score.outcome == KEPT]
    if not kept:
        raise UserError(_nothing_kept(scores, decision))
    write_scores(scores, folder)
    return Result(
        outputs={"kept": digest.of_set([id, sha256_by_id[id]] for id in kept)},
        summary=_summary(scores, validation, decision, options),
    )


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The score of every square, the threshold, and how precise the filter is; all empty with method 'none'."""

    scores: Mapping[str, float]  # probabilities of being on target, by id
    standard_errors: Mapping[str, float]  # by id, of squares without a label
    suspects: frozenset[str]  # ids of squares whose labels may be wrong
    class_prior: float | None  # expected fraction of unlabelled squares that are on target
    threshold: Threshold | None
    precision_estimate: PrecisionEstimate | None
    recall_estimate: RecallEstimate | None
    advice: Sequence[Advice]  # what would raise the recall most
    statistics: Mapping[str, Any]


def _score_squares(
    options: FilterOptions,
    normalize: Path,
    labels: Mapping[str, str],
    classifier: Path,
    folder: Path,
    *,
    squares: Collection[str],
    cluster: Cluster | None,
    progress: StageProgress,
) -> Decision:
    prepare_devices()
    model = load_classifier(classifier)
    if cluster:
        ids: Sequence[str] = sorted(squares)
        scored = score_on_cluster(classifier, normalize, ids, cluster, progress)
    else:
        ids, images = read_images(normalize, progress=progress.report)
        scored = score_images(model, images, lambda done: progress.report(done, len(ids), "squares scored"))
    np.save(folder / FEATURES, scored.features)
    probabilities = dict(zip(ids, scored.probability.tolist(), strict=True))
    unseen = {id: score for id, score in read_unseen(classifier).items() if id in probabilities}
    probabilities.update(unseen)
    standard_errors = dict(zip(ids, scored.standard_error.round(6).tolist(), strict=True))
    return _decide(
        probabilities,
        standard_errors,
        unseen,
        labels,
        model.calibration.prior,
        options,
        _classifier_summary(classifier),
    )


def _classifier_summary(classifier: Path) -> Mapping[str, Any]:
    """The figures of a finished classifier; none if its folder has no manifest."""
    return manifests.read(classifier).summary if (classifier / manifests.NAME).exists() else {}


def _decide(
    probabilities: Mapping[str, float],
    standard_errors: Mapping[str, float],
    unseen: Mapping[str, float],
    labels: Mapping[str, str],
    prior: float,
    options: FilterOptions,
    classifier: Mapping[str, Any],
) -> Decision:
    """Shift the probabilities of unlabelled squares to their class prior, choose the threshold and estimate the
    precision.

    Labelled squares keep the probability from a classifier that did not train on their labels.
    """
    gathered = evidence_of_squares(probabilities, unseen, labels, prior)
    evidence, unlabelled = gathered.evidence, gathered.unlabelled
    shifted = evidence.shifted_unlabelled
    if options.threshold is None:
        threshold = choose_threshold(shifted, options.precision, options.unsure)
    else:
        threshold = evaluate_threshold(shifted, options.threshold, options.unsure)
    slope = shifted * (1 - shifted) / np.maximum(evidence.unlabelled * (1 - evidence.unlabelled), 1e-9)
    shifted_errors = np.array([standard_errors[id] for id in unlabelled]) * slope
    return Decision(
        scores={**probabilities, **dict(zip(unlabelled, shifted.round(6).tolist(), strict=True))},
        standard_errors=dict(zip(unlabelled, shifted_errors.round(6).tolist(), strict=True)),
        suspects=frozenset(find_suspect_labels(gathered.labels, unseen)),
        class_prior=evidence.class_prior.mean,
        threshold=threshold,
        precision_estimate=estimate_precision(threshold, evidence, options.precision),
        recall_estimate=estimate_recall(threshold, evidence),
        advice=advise(
            shifted,
            threshold,
            options,
            has_backbone=classifier.get("backbone", "none") != "none",
            curve=classifier.get("curve", ()),
        ),
        statistics={
            "offset": round(evidence.offset, 6),
            "confusion": confusion(threshold, evidence),
            **_random_label_statistics(gathered.random_labels),
        },
    )


def _random_label_statistics(random_labels: Sequence[str]) -> dict[str, Any]:
    share = [round(value, 4) for value in jeffreys_interval(random_labels.count("on"), len(random_labels))]
    return {"fair_labels": len(random_labels), "fair_share": share if len(random_labels) >= MIN_RANDOM_LABELS else None}


def _score(id: str, label: str | None, decision: Decision) -> Score:
    score, standard_error = decision.scores.get(id), decision.standard_errors.get(id)
    outcome = _outcome(score, label, decision.threshold)
    return Score(
        id=id, score=score, spread=standard_error, label=label, suspect=id in decision.suspects, outcome=outcome
    )


def _outcome(score: float | None, label: str | None, threshold: Threshold | None) -> str:
    if label:
        return KEPT if label == "on" else REJECTED
    if threshold is None:
        return KEPT
    assert score is not None  # the classifier scores every square
    if score >= threshold.high:
        return KEPT
    return REJECTED if score < threshold.low else BORDERLINE


def _summary(
    scores: list[Score], validation: Collection[str], decision: Decision, options: FilterOptions
) -> dict[str, Any]:
    threshold, precision_estimate, recall_estimate = (
        decision.threshold,
        decision.precision_estimate,
        decision.recall_estimate,
    )
    counts = {outcome: sum(score.outcome == outcome for score in scores) for outcome in (KEPT, REJECTED, BORDERLINE)}
    summary = {
        "images": len(scores),
        **counts,
        "threshold": threshold and threshold.threshold,
        "band": threshold and [threshold.low, threshold.high],
        **{
            f"labelled_{label}": sum(score.label == label and score.id not in validation for score in scores)
            for label in LABELS
        },
        "suspect": len(decision.suspects),
        "expected_share": _rounded(decision.class_prior),
        "expected_precision": _rounded(threshold.precision if threshold else None),
        "expected_recall": _rounded(threshold.recall if threshold else None),
        "proof": precision_estimate and {name: _rounded(value) for name, value in asdict(precision_estimate).items()},
        "recall": recall_estimate and {name: _rounded(value) for name, value in asdict(recall_estimate).items()},
        "raise_recall": [asdict(each) for each in decision.advice],
        **decision.statistics,
        "validation": _validation_verdicts([score for score in scores if score.id in validation], decision),
        "notice": _notice(decision, options),
    }
    return summary | {"notices": [words] if (words := advice_words(summary)) else []}


def _validation_verdicts(scores: Sequence[Score], decision: Decision) -> dict[str, Any] | None:
    """What the filter would decide about the validation set by its scores; None if there is none, or no threshold."""
    certain = [score for score in scores if score.label in ("on", "off")]
    if decision.threshold is None or not certain:
        return None
    shifted = shift_logits(np.array([score.score for score in certain]), decision.statistics["offset"])
    return count_verdicts(decision.threshold, shifted, np.array([score.label == "on" for score in certain]))


def _rounded(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value


def _notice(decision: Decision, options: FilterOptions) -> str:
    """Tell the user if the requested precision is out of reach, or not confirmed yet."""
    threshold, estimate, target = decision.threshold, decision.precision_estimate, options.precision
    if threshold is None or threshold.precision is None or options.threshold is not None:
        return ""
    if threshold.precision < target - PRECISION_TOLERANCE:
        return (
            f"precision {target:g} is out of reach: about {threshold.precision:.2f} of the unlabelled squares that are"
            f" kept should be on target; label more, squares with scores near {threshold.high:.3f} first"
        )
    if estimate is None or estimate.more == 0:
        return ""
    return unconfirmed_words(asdict(estimate), target=target, score=threshold.high, most=MAX_EXTRA_LABELS)


def _nothing_kept(scores: list[Score], decision: Decision) -> str:
    if decision.threshold is None:
        return f"all {len(scores)} squares are labelled off target or skip, so nothing is kept; label some on target"
    highest = max((score.score or 0.0 for score in scores if score.label is None), default=0.0)
    return (
        f"nothing is kept: no square is labelled on target, and no score reaches {decision.threshold.high:g}, the upper"
        f" edge of the band around the threshold (the highest score is {highest:.3f}); lower --filter-threshold, or set"
        " it to auto, or label some squares on target"
    )
