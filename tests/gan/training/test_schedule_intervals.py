from pipeline.gan.training.schedule import Intervals, choose_intervals

AUTO = {"sample_every": None, "checkpoint_every": None}


def test_requested_intervals_are_used():
    assert choose_intervals(sample_every=7, checkpoint_every=3, epochs=100, steps=2) == Intervals(
        sample_every=7, checkpoint_every=3
    )


def test_small_epochs_give_long_intervals():
    assert choose_intervals(**AUTO, epochs=1000, steps=14) == Intervals(sample_every=72, checkpoint_every=36)


def test_large_epochs_give_intervals_of_one_epoch():
    assert choose_intervals(**AUTO, epochs=20, steps=3750) == Intervals(sample_every=1, checkpoint_every=1)


def test_long_training_is_sampled_forty_times():
    assert choose_intervals(**AUTO, epochs=8000, steps=14).sample_every == 200


def test_short_training_is_sampled_ten_times():
    assert choose_intervals(**AUTO, epochs=100, steps=14).sample_every == 10
    assert choose_intervals(**AUTO, epochs=3, steps=14).sample_every == 1
