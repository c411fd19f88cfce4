"""A filter with all figures, and its classifier, as the stages leave them; no classifier is trained."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from pipeline.filter.evidence import evidence_of_squares
from pipeline.filter.recall import estimate_recall
from pipeline.filter.scores import HOLDOUT, OUT_OF_FOLD, Score, write_scores, write_unseen
from pipeline.filter.threshold import estimate_precision, evaluate_threshold
from pipeline.store.artifacts import Artifact
from pipeline.store.digest import of_value
from tests.web.fake_dataset import FakeDataset

PRIOR = 0.5


def spread_scores(ids: list[str]) -> dict[str, float]:
    """Probabilities between 0 and 1, most of them near the ends."""
    found = np.random.default_rng(1).beta(0.5, 0.5, len(ids)).round(6)
    return dict(zip(ids, found.tolist(), strict=True))


def labels_by_score(scores: dict[str, float], count: int) -> dict[str, str]:
    """Labels of every so-manieth square, right except for the first."""
    chosen = list(scores)[:: max(1, len(scores) // count)]
    labels = {id: "on" if scores[id] > 0.5 else "off" for id in chosen}
    return labels | {chosen[0]: "off" if scores[chosen[0]] > 0.5 else "on"}


def publish_filter(
    fake_dataset: FakeDataset,
    scores: dict[str, float],
    labels: dict[str, str],
    *,
    threshold: float = 0.6,
    band: float = 0.05,
    precision: float = 0.95,
) -> Artifact:
    """Publish the classifier and the filter with this threshold."""
    unseen = {id: scores[id] for id in labels if labels[id] in ("on", "off")}
    publish_classifier(fake_dataset, labels, unseen)
    gathered = evidence_of_squares(scores, unseen, labels, PRIOR)
    evidence = gathered.evidence
    decided = evaluate_threshold(evidence.shifted_unlabelled, threshold, band)
    shifted = dict(zip(gathered.unlabelled, evidence.shifted_unlabelled.round(6).tolist(), strict=True))
    rows = [score_of(id, {**scores, **shifted}[id], labels.get(id), decided.low, decided.high) for id in sorted(scores)]
    recall = estimate_recall(decided, evidence)
    summary = {
        "images": len(rows),
        **{outcome: sum(row.outcome == outcome for row in rows) for outcome in ("kept", "rejected", "unsure")},
        "threshold": threshold,
        "band": [decided.low, decided.high],
        "expected_precision": decided.precision,
        "expected_recall": decided.recall,
        "proof": asdict(estimate_precision(decided, evidence, precision)),
        "recall": asdict(recall) if recall else None,
        "offset": round(evidence.offset, 6),
        "notice": "",
    }
    inputs = {"normalize.images": f"squares of {len(scores)}", "labels": of_value(labels), "classifier.model": "one"}
    options = {"method": "cnn", "threshold": threshold, "precision": precision, "unsure": band}
    return fake_dataset.publish("filter", rows, {"kept": "some"}, write_scores, inputs, summary, options)


def publish_classifier(fake_dataset: FakeDataset, labels: dict[str, str], unseen: dict[str, float]) -> None:
    """Publish what is read of a classifier without loading it."""

    def fill(_: object, work: Path) -> None:
        (work / "classifier.json").write_text(json.dumps({"calibration": {"prior": PRIOR}}))
        write_unseen({id: labels[id] for id in unseen}, unseen, work / OUT_OF_FOLD)
        write_unseen({}, {}, work / HOLDOUT)

    count = list(labels.values()).count
    summary = {"backbone": "none", "labels_on": count("on"), "labels_off": count("off")}
    fake_dataset.publish("classifier", None, {"model": "one"}, fill, summary=summary)


def score_of(id: str, score: float, label: str | None, low: float, high: float) -> Score:
    """The row of a square with the verdict of the band from `low` to `high`."""
    by_score = "kept" if score >= high else "rejected" if score < low else "unsure"
    by_label = "kept" if label == "on" else "rejected"
    return Score(id=id, score=score, label=label, outcome=by_label if label else by_score)
