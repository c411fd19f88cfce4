from pipeline.gan.training.schedule import Intervals, choose_intervals

AUTO = {"sample_every": None, "checkpoint_every": None}


def test_what_was_asked_for_is_kept_to():
    assert choose_intervals(sample_every=7, checkpoint_every=3, epochs=100, steps=2) == Intervals(look=7, save=3)


def test_small_epochs_are_taken_together():
    assert choose_intervals(**AUTO, epochs=1000, steps=14) == Intervals(look=72, save=36)


def test_large_epochs_are_looked_at_one_by_one():
    assert choose_intervals(**AUTO, epochs=20, steps=3750) == Intervals(look=1, save=1)


def test_a_long_training_is_looked_at_forty_times():
    assert choose_intervals(**AUTO, epochs=8000, steps=14).look == 200


def test_a_short_training_is_looked_at_ten_times():
    assert choose_intervals(**AUTO, epochs=100, steps=14).look == 10
    assert choose_intervals(**AUTO, epochs=3, steps=14).look == 1
