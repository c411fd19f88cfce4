import math

import numpy as np
import pytest

from pipeline.gan.evaluation.diagnostics import BALANCE, COLLAPSE, MEMORISING, PLATEAU, alarms, has_plateau, new_alarms

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


def only(rows):
    """The one alarm that `rows` raise."""
    found = alarms(rows)
    assert len(found) == 1, found
    assert "\n" not in found[0].text
    assert f"since epoch {found[0].epoch}: " in found[0].text
    return found[0]


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
    assert (alarm.kind, alarm.epoch) == (COLLAPSE, 90)
    assert "0.31 times" in alarm.text
    assert "augment" in alarm.text


def test_first_scores_raise_no_alarm():
    bad = {"diversity": 0.1, "recall": 0.0, "memorised": 0.9, "kid": 0.9, "d_accuracy": 1.0, "g_gradient": 20.0}
    assert alarms(history(epochs=19, wrong=lambda epoch: bad)) == ()


def test_recovered_collapse_raises_no_alarm():
    assert alarms(history(wrong=lambda epoch: {"diversity": 0.3} if epoch == 60 else {})) == ()


def test_recall_falling_three_times_to_under_half_is_mode_collapse():
    falling = {80: 0.52, 90: 0.40, 100: 0.31, 110: 0.2, 120: 0.2}
    alarm = only(history(wrong=lambda epoch: {"recall": falling.get(epoch, 0.5)}))
    assert (alarm.kind, alarm.epoch) == (COLLAPSE, 80)
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
    assert alarms(history(wrong=lambda epoch: {"recall": given.get(epoch, recalls[0])})) == ()


def test_perfect_discriminator_is_too_far_ahead():
    alarm = only(history(wrong=lambda epoch: {"d_accuracy": 0.995} if epoch > 70 else {}))
    assert (alarm.kind, alarm.epoch) == (BALANCE, 71)
    assert "99.5%" in alarm.text
    assert "balance.skip_above" in alarm.text


def test_discriminator_ahead_for_a_few_epochs_raises_no_alarm():
    assert alarms(history(wrong=lambda epoch: {"d_accuracy": 0.995} if epoch > 112 else {})) == ()
    assert alarms(history(wrong=lambda epoch: {"d_accuracy": 0.995} if epoch % 5 else {"d_accuracy": 0.97})) == ()


def test_vanishing_generator_gradient_raises_an_alarm():
    alarm = only(history(wrong=lambda epoch: {"g_gradient": 1e-4} if epoch > 90 else {}))
    assert (alarm.kind, alarm.epoch) == (BALANCE, 91)
    assert "gradient is 0.0001" in alarm.text


def test_discriminator_below_chance_cannot_keep_up():
    alarm = only(history(wrong=lambda epoch: {"d_accuracy": 0.2} if epoch > 90 else {}))
    assert (alarm.kind, alarm.epoch) == (BALANCE, 91)
    assert "right only 20% of the time: it cannot keep up" in alarm.text


def test_constant_discriminator_has_given_up():
    said = {"d_accuracy": 0.5, "d_real": 0.501, "d_fake": 0.499}
    alarm = only(history(wrong=lambda epoch: said if epoch > 100 else {}))
    assert (alarm.kind, alarm.epoch) == (BALANCE, 101)
    assert "given up" in alarm.text


def test_discriminator_near_chance_that_varies_raises_no_alarm():
    def pressed(epoch):
        wander = 0.02 * math.sin(epoch)
        return {"d_accuracy": 0.52, "d_real": 0.51 + wander, "d_fake": 0.50 + wander}

    assert alarms(history(wrong=pressed)) == ()


def test_memorised_samples_raise_an_alarm():
    alarm = only(history(wrong=lambda epoch: {"memorised": epoch / 200} if epoch > 60 else {}))
    assert (alarm.kind, alarm.epoch) == (MEMORISING, 70)
    assert "60% of the samples" in alarm.text


def test_memorised_samples_in_one_scored_epoch_raise_no_alarm():
    assert alarms(history(wrong=lambda epoch: {"memorised": 0.3} if epoch == 120 else {})) == ()


def test_constant_kid_is_a_plateau_that_names_the_best_epoch():
    noise = {10 * n: value for n, value in enumerate((1, -2, 2, -1, 0, 1, 2, -1), start=5)}
    alarm = only(history(wrong=lambda epoch: {"kid": 0.05 + 0.001 * noise[epoch]} if epoch in noise else {}))
    assert (alarm.kind, alarm.epoch) == (PLATEAU, 60)
    assert "epoch 60 was best" in alarm.text
    assert "0.0480 ± 0.0040" in alarm.text


def test_rising_kid_is_a_plateau():
    alarm = only(history(wrong=lambda epoch: {"kid": 0.05 + abs(epoch - 60) / 500}))
    assert (alarm.kind, alarm.epoch) == (PLATEAU, 60)


def test_five_scored_epochs_are_too_few_for_a_plateau():
    assert alarms(history(epochs=59, wrong=lambda epoch: {"kid": 0.05})) == ()
    assert only(history(epochs=60, wrong=lambda epoch: {"kid": 0.05})).kind == PLATEAU


def test_plateau_is_in_the_last_third_of_the_training_not_of_the_sheets():
    scored = [5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 80, 115]
    kids = {epoch: 0.3 if epoch < 50 else 0.05 for epoch in scored}
    rows = history(epochs=115, wrong=lambda epoch: {"kid": kids.get(epoch)} if epoch % EVERY == 0 else {})
    for row in rows:
        row |= {"kid": kids[row["epoch"]], "kid_error": 0.004} if row["epoch"] in kids else {"kid": None}
    assert not has_plateau(rows[:50])  # it has just fallen
    assert has_plateau(rows)  # and has not fallen since


def test_sheets_of_another_extractor_late_in_a_training_are_no_plateau():
    rows = history(epochs=120, wrong=lambda epoch: {"kid": 0.05})
    for row in rows:
        row |= {"extractor": "old" if row["epoch"] < 90 else "new"} if "kid" in row else {}
    assert not has_plateau(rows)
    late = [{**rows[-1], "epoch": 1000 + number} for number in range(10)]
    assert not has_plateau([*rows[:1], *late])


def test_one_sheet_in_the_last_third_is_no_plateau():
    rows = history(epochs=60, wrong=lambda epoch: {"kid": 0.05})
    assert has_plateau(rows)
    assert not has_plateau([*rows, {**rows[-1], "epoch": 200}])


def test_small_gain_in_the_last_third_is_a_plateau():
    def falls_by(errors: float) -> list[dict]:
        return history(epochs=60, wrong=lambda epoch: {"kid": 0.05 - (epoch > 40) * errors * 0.004})

    assert has_plateau(falls_by(1.9))
    assert not has_plateau(falls_by(2.1))


def test_several_alarms_can_be_raised_at_once():
    wrong = {"diversity": 0.2, "d_accuracy": 1.0, "kid": 0.4, "memorised": 0.7}
    assert [alarm.kind for alarm in alarms(history(wrong=lambda epoch: wrong))] == [
        COLLAPSE,
        BALANCE,
        MEMORISING,
        PLATEAU,
    ]


def test_alarm_keeps_its_epoch_while_training_continues():
    rows = history(wrong=lambda epoch: {"diversity": 0.3} if epoch > 60 else {})
    assert only(rows[:80]) == only(rows[:89])
    assert only(rows[:110]).epoch == only(rows[:80]).epoch == 70


def announced(rows):
    """The new alarms during a training: the epochs and kinds."""
    ends = [index for index, row in enumerate(rows, start=1) if row.get("kid") is not None]
    return [(end, alarm.kind) for end in ends for alarm in new_alarms(rows[:end])]


@pytest.mark.parametrize("onset", [1, 71, 74])
@pytest.mark.parametrize("every", [10, 30, 60])
def test_alarm_between_two_scored_epochs_is_new_at_the_next_only(onset, every):
    rows = history(wrong=lambda epoch: {"d_accuracy": 0.999} if epoch >= onset else {})
    rows = [row if row["epoch"] % every == 0 else row | {"kid": None} for row in rows]
    first = max(onset + 9, 20)  # after ten epochs in a row, not counting the first ten
    assert announced(rows) == [(-(-first // every) * every, BALANCE)]


def test_recurring_problem_raises_a_new_alarm():
    rows = history(wrong=lambda epoch: {"d_accuracy": 0.999} if 30 <= epoch <= 55 or epoch > 80 else {})
    assert announced(rows) == [(40, BALANCE), (90, BALANCE)]


def test_long_epochs_shorten_the_patience():
    rows = history(epochs=4, wrong=lambda epoch: {"d_accuracy": 0.999, "step": epoch * 3750})
    alarm = only(rows)
    assert (alarm.kind, alarm.epoch) == (BALANCE, 3)
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
