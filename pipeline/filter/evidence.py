"""The evidence about a filter: from the scores of the stage while it works, and again from the files of a finished one.

Both come from `evidence_of_squares`, so a page can say of any threshold what the stage would say of it. Loads no
TensorFlow.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import DamagedState, UserError
from pipeline.filter.calibration import shift_logits
from pipeline.filter.scores import Score, read_unseen
from pipeline.filter.threshold import Evidence, gather_evidence
from pipeline.labels.suggest import random_slice
from pipeline.store import verified

PARAMETERS = "classifier.json"  # what pipeline/filter/saved_parameters.py reads in whole, which loads TensorFlow


@dataclass(frozen=True, kw_only=True)
class SquaresEvidence:
    """The evidence, and which squares it is from."""

    evidence: Evidence
    unlabelled: Sequence[str]  # ids, in the order of `evidence.unlabelled`
    labels: Mapping[str, str]  # 'on' or 'off' by id, in the order of `evidence.scores`
    random_labels: Sequence[str]  # labels of squares that were drawn at random


def evidence_of_squares(
    probabilities: Mapping[str, float], unseen: Mapping[str, float], labels: Mapping[str, str], prior: float
) -> SquaresEvidence:
    """Gather the evidence from all squares of a dataset.

    Args:
        probabilities: The classifier's probability of every square, by id.
        unseen: Probabilities of labelled squares by a classifier that did not train on their labels, by id.
        labels: The labels by id.
        prior: The class prior that the probabilities are calibrated for.
    """
    unlabelled = sorted(set(probabilities) - set(labels))
    random_labels = [labels[id] for id in random_slice(list(probabilities), labels) if labels[id] != "unsure"]
    on_off = {id: labels[id] for id in unseen if labels.get(id) in ("on", "off")}
    evidence = gather_evidence(
        np.array([probabilities[id] for id in unlabelled]),
        prior,
        random_labels,
        list(on_off.values()),
        np.array([unseen[id] for id in on_off]),
    )
    return SquaresEvidence(evidence=evidence, unlabelled=unlabelled, labels=on_off, random_labels=random_labels)


def read_evidence(scores: Sequence[Score], offset: float, classifier: Path) -> Evidence:
    """The evidence that a finished filter had, to the precision of its files (6 digits).

    Args:
        scores: The scores of the filter, see `read_scores`.
        offset: The shift in logits of its unlabelled scores, from the summary in its manifest.
        classifier: The finished folder of its classifier.

    Raises:
        UserError: If the filter has no scores, or the classifier's files are damaged.
    """
    known = {score.id: score.score for score in scores if score.score is not None}
    if not known:
        raise UserError("this filter keeps every square, so there is no threshold; filter.method = cnn gives one")
    labels = {score.id: score.label for score in scores if score.label is not None}
    free = [id for id in known if id not in labels]
    raw = shift_logits(np.array([known[id] for id in free]), -offset)
    unseen = {id: score for id, score in read_unseen(classifier).items() if id in known}
    probabilities = {**known, **dict(zip(free, raw.tolist(), strict=True))}
    return evidence_of_squares(probabilities, unseen, labels, _read_prior(classifier)).evidence


def _read_prior(classifier: Path) -> float:
    """The class prior that a finished classifier is calibrated for."""
    try:
        prior = json.loads(verified.read_bytes(classifier, PARAMETERS))["calibration"]["prior"]
    except (ValueError, RecursionError, KeyError, TypeError):
        prior = None
    if not isinstance(prior, float) or not 0 < prior < 1:
        raise DamagedState(f"{classifier / PARAMETERS}: calibration.prior is no number between 0 and 1")
    return prior
