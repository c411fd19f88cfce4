import json
import math

import pytest

from pipeline.gan.evaluation.diagnostics import (
    BALANCE,
    COLLAPSE,
    MEMORISING,
    PLATEAU,
    alarm_events,
    alarm_summary,
    alarms,
)
from tests.gan.evaluation.histories import history, lasting, only


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("epochs", [1, 9, 15, 40, 120])
def test_good_training_raises_no_alarm(epochs, seed):
    assert alarms(history(epochs=epochs, seed=seed)) == ()


def test_missing_rows_or_values_raise_no_alarm():
    assert alarms([]) == ()
    bare = [{"epoch": epoch, "d_loss": 0.7, "g_loss": 0.7} for epoch in range(1, 60)]
    assert alarms(bare) == ()
    names = ("d_accuracy", "g_gradient", "kid", "diversity", "memorised")
    assert alarms([row | dict.fromkeys(names) for row in bare]) == ()


def test_low_diversity_is_mode_collapse():
    alarm = only(history(wrong=lambda epoch: {"diversity": 0.31, "recall": 0.05} if epoch > 85 else {}))
    assert (alarm.kind, alarm.start) == (COLLAPSE, 90)
    assert "0.31 times" in alarm.text
    assert "augment" in alarm.text


def test_first_scores_raise_no_alarm():
    bad = {"diversity": 0.1, "recall": 0.0, "memorised": 0.9, "kid": 0.9, "d_accuracy": 1.0, "g_gradient": 20.0}
    assert alarms(history(epochs=19, wrong=lambda epoch: bad)) == ()


def test_collapse_that_has_recovered_has_an_end():
    (alarm,) = alarms(history(wrong=lambda epoch: {"diversity": 0.3} if 50 <= epoch <= 60 else {}))
    assert (alarm.kind, alarm.start, alarm.end, alarm.told, alarm.recovered) == (COLLAPSE, 50, 70, 50, 70)
    assert alarm.text == "recovered at epoch 70: mode collapse, which began at epoch 50"


def test_lost_balance_has_recovered_after_as_many_good_epochs_as_it_took_to_raise_it():
    rows = history(wrong=lambda epoch: {"d_accuracy": 0.999} if 31 <= epoch <= 45 or epoch == 50 else {})
    (alarm,) = alarms(rows)
    assert (alarm.start, alarm.told, alarm.end, alarm.recovered) == (31, 40, 51, 60)
    assert alarm.text == "recovered at epoch 51: the discriminator too far ahead, which began at epoch 31"
    assert only(rows[:59]).start == 31


def test_one_problem_after_another_of_the_same_kind_is_one_alarm_about_what_lasts():
    wrong = {"d_accuracy": 0.999}
    alarm = only(history(wrong=lambda epoch: {} if epoch < 61 else wrong if epoch < 91 else {"g_gradient": 1e-4}))
    assert (alarm.start, alarm.problem) == (61, "a generator that learns nothing")


def test_summary_has_lasting_alarms_as_notices_and_others_as_recovered():
    rows = history(wrong=lambda epoch: {"diversity": 0.3} if epoch == 60 else {"memorised": 0.5 * (epoch > 90)})
    rows[4]["note"] = "rolled back"
    found = alarm_summary(rows, ["a warning"])
    assert found["notices"][:2] == ["a warning", "epoch 5: rolled back"]
    assert found["notices"][2:] == [alarm.text for alarm in lasting(rows)]
    assert found["recovered"] == ["recovered at epoch 70: mode collapse, which began at epoch 60"]
    assert [(each["kind"], each["start"], each["end"]) for each in found["alarms"]] == [
        (COLLAPSE, 60, 70),
        (MEMORISING, 100, None),
    ]
    assert json.loads(json.dumps(found)) == found


def test_recall_falling_three_times_to_under_half_is_mode_collapse():
    falling = {80: 0.52, 90: 0.40, 100: 0.31, 110: 0.2, 120: 0.2}
    alarm = only(history(wrong=lambda epoch: {"recall": falling.get(epoch, 0.5)}))
    assert (alarm.kind, alarm.start) == (COLLAPSE, 80)
    assert "from 0.52 to 0.20" in alarm.text


@pytest.mark.parametrize(
    "recalls",
    [
        pytest.param((0.5, 0.45, 0.4, 0.35), id="not to half"),
        pytest.param((0.5, 0.3, 0.35, 0.2), id="not three running"),
        pytest.param((0.04, 0.03, 0.02, 0.0), id="from next to nothing"),
        pytest.param((0.5, 0.3, 0.2, 0.1, 0.4), id="came back"),
    ],
)
def test_other_falls_of_recall_raise_no_alarm(recalls):
    given = dict(zip(range(130 - 10 * len(recalls), 130, 10), recalls, strict=True))
    assert lasting(history(wrong=lambda epoch: {"recall": given.get(epoch, recalls[0])})) == ()


def test_perfect_discriminator_is_too_far_ahead():
    alarm = only(history(wrong=lambda epoch: {"d_accuracy": 0.995} if epoch > 70 else {}))
    assert (alarm.kind, alarm.start) == (BALANCE, 71)
    assert "99.5%" in alarm.text
    assert "balance.skip_above" in alarm.text


def test_discriminator_ahead_for_a_few_epochs_raises_no_alarm():
    assert alarms(history(wrong=lambda epoch: {"d_accuracy": 0.995} if epoch > 112 else {})) == ()
    assert alarms(history(wrong=lambda epoch: {"d_accuracy": 0.995} if epoch % 5 else {"d_accuracy": 0.97})) == ()


def test_vanishing_generator_gradient_raises_an_alarm():
    alarm = only(history(wrong=lambda epoch: {"g_gradient": 1e-4} if epoch > 90 else {}))
    assert (alarm.kind, alarm.start) == (BALANCE, 91)
    assert "gradient is 0.0001" in alarm.text


def test_discriminator_below_chance_cannot_keep_up():
    alarm = only(history(wrong=lambda epoch: {"d_accuracy": 0.2} if epoch > 90 else {}))
    assert (alarm.kind, alarm.start) == (BALANCE, 91)
    assert "right only 20% of the time: it cannot keep up" in alarm.text


def test_constant_discriminator_has_given_up():
    said = {"d_accuracy": 0.5, "d_real": 0.501, "d_fake": 0.499}
    alarm = only(history(wrong=lambda epoch: said if epoch > 100 else {}))
    assert (alarm.kind, alarm.start) == (BALANCE, 101)
    assert "given up" in alarm.text


def test_discriminator_near_chance_that_varies_raises_no_alarm():
    def pressed(epoch):
        wander = 0.02 * math.sin(epoch)
        return {"d_accuracy": 0.52, "d_real": 0.51 + wander, "d_fake": 0.50 + wander}

    assert alarms(history(wrong=pressed)) == ()


def test_memorised_samples_raise_an_alarm():
    alarm = only(history(wrong=lambda epoch: {"memorised": epoch / 200} if epoch > 60 else {}))
    assert (alarm.kind, alarm.start) == (MEMORISING, 70)
    assert "60% of the samples" in alarm.text


def test_memorised_samples_in_one_scored_epoch_raise_no_alarm():
    assert alarms(history(wrong=lambda epoch: {"memorised": 0.3} if epoch == 120 else {})) == ()


def test_several_alarms_can_be_raised_at_once():
    wrong = {"diversity": 0.2, "d_accuracy": 1.0, "kid": 0.4, "memorised": 0.7}
    assert {alarm.kind for alarm in lasting(history(wrong=lambda epoch: wrong))} == {
        COLLAPSE,
        BALANCE,
        MEMORISING,
        PLATEAU,
    }


def test_alarm_keeps_its_epoch_while_training_continues():
    rows = history(wrong=lambda epoch: {"diversity": 0.3} if epoch > 60 else {})
    assert only(rows[:80]) == only(rows[:89])
    assert only(rows[:110]).start == only(rows[:80]).start == 70


def told(rows):
    """What is told during a training: the epoch of the sample sheet, and the first words of each line."""
    ends = [index for index, row in enumerate(rows, start=1) if row.get("kid") is not None]
    events = [(end, text) for end in ends for texts in alarm_events(rows[:end]).values() for text in texts]
    return [(end, text.partition(":")[0]) for end, text in events]


@pytest.mark.parametrize("onset", [1, 71, 74])
@pytest.mark.parametrize("every", [10, 30, 60])
def test_alarm_between_two_scored_epochs_is_told_at_the_next_only(onset, every):
    rows = history(wrong=lambda epoch: {"d_accuracy": 0.999} if epoch >= onset else {})
    rows = [row if row["epoch"] % every == 0 else row | {"kid": None} for row in rows]
    first = max(onset + 9, 20)  # after ten epochs in a row, not counting the first ten
    assert told(rows) == [(-(-first // every) * every, f"alarm since epoch {max(onset, 11)}")]


def test_recurring_problem_is_told_with_each_beginning_and_each_end():
    rows = history(wrong=lambda epoch: {"d_accuracy": 0.999} if 30 <= epoch <= 55 or epoch > 80 else {})
    assert told(rows) == [(40, "alarm since epoch 30"), (70, "recovered at epoch 56"), (90, "alarm since epoch 81")]


def test_alarm_that_began_and_ended_between_two_sample_sheets_has_only_recovered():
    rows = history(wrong=lambda epoch: {"d_accuracy": 0.999} if 62 <= epoch <= 75 else {})
    rows = [row if row["epoch"] % 60 == 0 else row | {"kid": None} for row in rows]
    assert told(rows) == [(120, "recovered at epoch 76")]


def test_long_epochs_shorten_the_patience():
    rows = history(epochs=4, wrong=lambda epoch: {"d_accuracy": 0.999, "step": epoch * 3750})
    alarm = only(rows)
    assert (alarm.kind, alarm.start) == (BALANCE, 3)
    assert alarms(rows[:3]) == ()


def test_scores_of_another_extractor_are_ignored():
    rows = [
        row | {"kid": 2.0 - row["epoch"] / 100, "extractor": "one"} if row["epoch"] > 60 and "kid" in row else row
        for row in history()
    ]
    rows = [row | {"extractor": "other"} if row["epoch"] <= 60 and "kid" in row else row for row in rows]
    assert alarms(rows) == ()
    assert only([{**row, "extractor": "one"} for row in rows]).kind == PLATEAU


def test_alarm_of_a_critic_does_not_advise_skip_above():
    rows = history(wrong=lambda epoch: {"g_gradient": 1e-4} if epoch > 90 else {})
    alarm = only([{name: value for name, value in row.items() if name != "d_accuracy"} for row in rows])
    assert alarm.kind == BALANCE
    assert "skip_above" not in alarm.text
