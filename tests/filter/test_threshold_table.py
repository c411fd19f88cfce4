"""What the filter would do at every threshold."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.filter.evidence import evidence_of_squares
from pipeline.filter.scores import Score
from pipeline.filter.threshold_table import OutcomeCounts, threshold_table, with_stage_row

IDS = [f"{number:03d}" for number in range(120)]
SCORES = dict(zip(IDS, np.linspace(0.005, 0.995, 120).tolist(), strict=True))
LABELS = {id: "on" if SCORES[id] > 0.5 else "off" for id in IDS[::4]}


@pytest.fixture(scope="module")
def table():
    unseen = {id: SCORES[id] for id in LABELS}
    evidence = evidence_of_squares(SCORES, unseen, LABELS, 0.5).evidence
    return threshold_table(evidence, [score_of(id) for id in IDS], 0.05)


def score_of(id):
    return Score(id=id, score=SCORES[id], label=LABELS.get(id), outcome="kept")


def test_table_goes_from_0_to_1_and_every_square_has_one_verdict(table):
    assert [row.threshold for row in table][:: len(table) - 1] == [0.0, 1.0]
    assert len(table) == 201
    assert {row.kept + row.rejected + row.borderline for row in table} == {120}


def test_higher_threshold_keeps_fewer_squares_and_loses_more(table):
    assert all(one.kept >= other.kept and one.missed <= other.missed for one, other in pairwise(table))
    assert table[0].recall > 0.95 > table[-10].recall
    assert table[20].precision < table[160].precision
    assert all(row.recall_low <= row.recall <= row.recall_high for row in table)


def test_words_say_what_is_lost_and_what_is_wrongly_kept(table):
    row = table[140]
    assert f"about {row.precision:.3f} (" in row.words[0]
    assert "on-target squares are rejected" in row.words[1]
    assert row.words[2].startswith(("about ", "hardly any of the kept squares is off target"))


def test_label_overrides_the_score_at_any_threshold():
    labelled = [Score(id=f"{label}{score}", score=score, label=label, outcome="") for label in ("on", "off", "unsure")
                for score in (0.1, 0.9)]  # fmt: skip
    free = [Score(id=f"{score}", score=score, label=None, outcome="") for score in (0.1, 0.5, 0.55, 0.9)]
    assert OutcomeCounts([*labelled, *free]).of(0.5, 0.6) == {"kept": 3, "rejected": 5, "unsure": 2}


def test_row_of_the_stage_replaces_the_computed_one(table):
    own = table[120].__class__(**{**vars(table[120]), "kept": 7})
    assert [row.kept for row in with_stage_row(table, own)][119:122] == [table[119].kept, 7, table[121].kept]
