"""The plateau of the KID, at which a training that ends by itself ends."""

import pytest

from pipeline.gan.evaluation.diagnostics import PLATEAU, alarms, plateau_epoch
from tests.gan.evaluation.histories import EVERY, FALLS, history, only, scores


def test_plateau_ends_where_the_kid_falls_again():
    rows = scores(*FALLS, *[0.05] * 4, 0.03, *[0.03] * 6)
    before, after = alarms(rows)
    assert (before.kind, before.start, before.end, before.told) == (PLATEAU, 60, 110, 90)
    assert before.text == "recovered at epoch 110: a plateau, which began at epoch 60"
    assert (after.start, after.end) == (110, None)
    assert "the lowest is 0.0300 ± 0.0040 at epoch 110" in after.text


def test_constant_kid_is_a_plateau_that_names_the_best_epoch():
    noise = {10 * n: value for n, value in enumerate((1, -2, 2, -1, 0, 1, 2, -1), start=5)}
    alarm = only(history(wrong=lambda epoch: {"kid": 0.05 + 0.001 * noise[epoch]} if epoch in noise else {}))
    assert (alarm.kind, alarm.start) == (PLATEAU, 50)
    assert "the lowest is 0.0480 ± 0.0040 at epoch 60" in alarm.text


@pytest.mark.parametrize(("steps", "advice"), [(10, "a plateau, wait until step 2000, or"), (40, "stop early")])
def test_nobody_is_told_to_stop_before_two_thousand_steps(steps, advice):
    rows = history(wrong=lambda epoch: {"kid": 0.05})
    assert advice in only([row | {"step": steps * row["epoch"]} for row in rows]).text


def test_rising_kid_is_a_plateau():
    alarm = only(history(wrong=lambda epoch: {"kid": 0.05 + abs(epoch - 60) / 500}))
    assert (alarm.kind, alarm.start) == (PLATEAU, 60)


def test_plateau_begins_at_the_last_fall_that_is_more_than_the_error():
    assert plateau_epoch(scores(*FALLS)) is None
    assert plateau_epoch(scores(*FALLS, 0.051, 0.047)) is None  # two are too few
    assert plateau_epoch(scores(*FALLS, 0.051, 0.047, 0.0465)) == 60
    assert plateau_epoch(scores(*FALLS, 0.051, 0.047, 0.041, 0.05)) is None  # fell again, by more than two errors
    assert plateau_epoch(scores(*FALLS, *[0.05] * 2, 0.04, *[0.05] * 4)) is None  # 40 of 130 epochs are too few
    assert plateau_epoch(scores(*FALLS, *[0.05] * 2, 0.04, *[0.05] * 5)) == 90


def test_slow_fall_within_the_errors_of_two_neighbours_is_no_plateau():
    assert plateau_epoch(scores(*(0.1 - 0.003 * number for number in range(30)))) is None


def test_plateau_is_that_of_the_rows_done_and_is_the_same_when_a_training_resumes():
    rows = scores(*FALLS, *[0.05] * 6)
    found = [plateau_epoch(rows[:end]) for end in range(len(rows) + 1)]
    assert found == [None] * 9 + [60] * 4
    assert plateau_epoch([row for row in rows if row["epoch"] > 60]) is not None  # rows that a disk lost do not matter


def test_drop_of_the_learning_rate_starts_the_wait_for_a_plateau_again():
    rows = scores(*FALLS, *[0.05] * 8)
    dropped = [row | {"plateau_drops": int(row["epoch"] >= 90)} for row in rows]
    assert [plateau_epoch(dropped[:end]) for end in range(9, 15)] == [None] * 5 + [60]


def test_small_pictures_of_a_growing_gan_are_no_plateau():
    grows = scores(*[0.02] * 8, growing=1)
    assert plateau_epoch(grows) is None
    later = [row | {"epoch": row["epoch"] + 80} for row in scores(0.2, *[0.1] * 6)]
    assert plateau_epoch(grows + later) == 100  # although its small pictures had a lower KID


def test_five_scored_epochs_are_too_few_for_a_plateau():
    assert alarms(history(epochs=59, wrong=lambda epoch: {"kid": 0.05})) == ()
    assert only(history(epochs=60, wrong=lambda epoch: {"kid": 0.05})).kind == PLATEAU


def test_plateau_is_in_the_last_third_of_the_training_not_of_the_sheets():
    scored = [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 70, 80, 115]
    kids = {epoch: 0.3 if epoch < 50 else 0.05 for epoch in scored}
    rows = history(epochs=115, wrong=lambda epoch: {"kid": kids.get(epoch)} if epoch % EVERY == 0 else {})
    for row in rows:
        row |= {"kid": kids[row["epoch"]], "kid_error": 0.004} if row["epoch"] in kids else {"kid": None}
    assert not plateau_epoch(rows[:50])  # it has just fallen
    assert plateau_epoch(rows)  # and has not fallen since


def test_sheets_of_another_extractor_late_in_a_training_are_no_plateau():
    rows = history(epochs=120, wrong=lambda epoch: {"kid": 0.05})
    for row in rows:
        row |= {"extractor": "old" if row["epoch"] < 90 else "new"} if "kid" in row else {}
    assert not plateau_epoch(rows)
    late = [{**rows[-1], "epoch": 1000 + number} for number in range(10)]
    assert not plateau_epoch([*rows[:1], *late])


def test_one_sheet_in_the_last_third_is_no_plateau():
    rows = history(epochs=60, wrong=lambda epoch: {"kid": 0.05})
    assert plateau_epoch(rows)
    assert not plateau_epoch([*rows, {**rows[-1], "epoch": 200}])


def test_small_gain_in_the_last_third_is_a_plateau():
    def falls_by(errors: float) -> list[dict]:
        return history(epochs=60, wrong=lambda epoch: {"kid": 0.05 - (epoch > 40) * errors * 0.004})

    assert plateau_epoch(falls_by(1.9))
    assert not plateau_epoch(falls_by(2.1))
