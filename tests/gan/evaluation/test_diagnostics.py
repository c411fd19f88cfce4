import json
import math

import numpy as np
import pytest

from pipeline.gan.evaluation.diagnostics import (
    BALANCE,
    COLLAPSE,
    MEMORISING,
    PLATEAU,
    alarm_events,
    alarm_summary,
    alarms,
    plateau_epoch,
)

EPOCHS, EVERY = 120, 10


def history(*, epochs=EPOCHS, wrong=lambda epoch: {}, seed=0):
    """The rows of a good training, with the values that `wrong(epoch)` replaces."""
    draw = np.random.default_rng(seed)
    rows = []
    for epoch in range(1, epochs + 1):
        early = math.exp(-epoch / 12)
        row = {
            "epoch": epoch,
            "step": epoch * 10,
            "images_seen": epoch * 640,
            "d_loss": 0.9 + 0.1 * draw.normal(),
            "g_loss": 1.6 + 0.2 * draw.normal(),
            "d_accuracy": min(0.8 + 0.19 * early + 0.03 * draw.normal(), 1.0),
            "d_real": 0.68 + 0.2 * early + 0.02 * draw.normal(),
            "d_fake": 0.31 - 0.2 * early + 0.02 * draw.normal(),
            "d_gradient": 2.0 + 0.3 * draw.normal(),
            "g_gradient": 1.5 * (0.3 + early) * math.exp(0.3 * draw.normal()),
            "images_per_second": 50.0,
            "seconds": 12.8,
        }
        if epoch % EVERY == 0:
            row |= {
                "kid": 0.3 * math.exp(-epoch / 40) + 0.001 * draw.normal(),
                "kid_error": 0.004,
                "precision": 0.8 - 0.7 * early,
                "recall": 0.6 - 0.6 * math.exp(-epoch / 30) + 0.02 * draw.normal(),
                "diversity": 1 - 0.7 * early + 0.02 * draw.normal(),
                "memorised": max(0.0, 0.01 + 0.01 * draw.normal()),
            }
        rows.append(row | {name: value for name, value in wrong(epoch).items() if name in row})
    return rows


def lasting(rows):
    """The alarms that last at the end of `rows`."""
    return tuple(alarm for alarm in alarms(rows) if alarm.end is None)


def only(rows):
    """The one alarm that `rows` raise; it lasts."""
    (alarm,) = alarms(rows)
    assert (alarm.end, alarm.recovered) == (None, None)
    assert "\n" not in alarm.text
    assert alarm.text.startswith(f"alarm since epoch {alarm.start}: ")
    return alarm


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


def test_plateau_ends_where_the_kid_falls_again():
    rows = scores(*FALLS, *[0.05] * 4, 0.03, *[0.03] * 6)
    before, after = alarms(rows)
    assert (before.kind, before.start, before.end, before.told) == (PLATEAU, 60, 110, 90)
    assert before.text == "recovered at epoch 110: a plateau, which began at epoch 60"
    assert (after.start, after.end) == (110, None)
    assert "the lowest is 0.0300 ± 0.0040 at epoch 110" in after.text


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


def test_constant_kid_is_a_plateau_that_names_the_best_epoch():
    noise = {10 * n: value for n, value in enumerate((1, -2, 2, -1, 0, 1, 2, -1), start=5)}
    alarm = only(history(wrong=lambda epoch: {"kid": 0.05 + 0.001 * noise[epoch]} if epoch in noise else {}))
    assert (alarm.kind, alarm.start) == (PLATEAU, 50)
    assert "the lowest is 0.0480 ± 0.0040 at epoch 60" in alarm.text


def test_rising_kid_is_a_plateau():
    alarm = only(history(wrong=lambda epoch: {"kid": 0.05 + abs(epoch - 60) / 500}))
    assert (alarm.kind, alarm.start) == (PLATEAU, 60)


def scores(*kids, error=0.004, **more):
    """Rows with these KIDs, at epochs 10, 20, …"""
    given = {"kid_error": error, "extractor": "one", **more}
    return [{"epoch": 10 * number, "kid": kid, **given} for number, kid in enumerate(kids, start=1)]


FALLS = [0.1 - number / 100 for number in range(6)]  # by more than the error, down to 0.05 at epoch 60


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
