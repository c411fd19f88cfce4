import itertools

import pytest

from pipeline.gan.config import Growing, Optimizer, Schedule
from pipeline.gan.training.schedule import ema_share, images_until_full_size, rate_at, stage_at


def rates(*seen: int, total: int = 1000, **schedule) -> list[float]:
    """The learning rate relative to its maximum, after each number of images."""
    optimizer = Optimizer(learning_rate=0.01, schedule=Schedule(**schedule))
    return [rate_at(optimizer, seen=images, total=total) / 0.01 for images in seen]


def test_constant_rate_does_not_change():
    assert rates(0, 500, 10_000) == [1, 1, 1]


def test_warmup_rises_from_near_zero():
    assert rates(0, 49, 99, 100, 5000, warmup=100) == pytest.approx([0.01, 0.5, 1, 1, 1])


def test_linear_schedule_falls_to_final_and_stays():
    assert rates(0, 250, 500, 1000, 2000, kind="linear", final=0.2) == pytest.approx([1, 0.8, 0.6, 0.2, 0.2])


def test_cosine_schedule_is_flat_at_both_ends():
    found = rates(0, 10, 500, 990, 1000, 2000, kind="cosine", final=0.25)
    assert found == pytest.approx([1, 1, 0.625, 0.25, 0.25, 0.25], abs=1e-3)


def test_schedule_may_end_before_the_training():
    assert rates(100, 200, 1000, kind="linear", over=200) == pytest.approx([0.5, 0, 0])


def test_warmup_and_decay_multiply():
    assert rates(49, 500, kind="linear", warmup=100) == pytest.approx([0.5 * (1 - 0.049), 0.5])


def test_drop_multiplies_the_rate_at_each_number_of_images():
    drop = {"kind": "drop", "factor": 0.2, "at": (100, 300)}
    assert rates(0, 99, 100, 299, 300, 10_000, **drop) == pytest.approx([1, 1, 0.2, 0.2, 0.04, 0.04])
    assert rates(100, total=0, **drop) == rates(100, total=10**9, **drop)  # whatever the length of the training


def test_warmup_and_drop_multiply():
    assert rates(0, 49, 100, kind="drop", at=(100,), warmup=100) == pytest.approx([0.01, 0.5, 0.1])


@pytest.mark.parametrize(
    ("seen", "index", "fade"),
    [
        (0, 0, 1),
        (99, 0, 1),
        (100, 1, 0),
        (110, 1, 0.25),
        (139, 1, 0.975),
        (140, 1, 1),
        (239, 1, 1),
        (240, 2, 0),
        (279, 2, 0.975),
        (280, 2, 1),
        (10**9, 2, 1),
    ],
)
def test_each_side_is_held_and_the_next_faded_in(seen, index, fade):
    stage = stage_at(Growing(start=8, fade=40, hold=100), seen=seen, stages=3)
    assert (stage.index, stage.fade, stage.fading) == (index, pytest.approx(fade), fade < 1)


@pytest.mark.parametrize(("fade", "hold"), [(40, 100), (0, 100), (40, 0), (0, 0), (1, 1)])
@pytest.mark.parametrize("stages", [1, 2, 4])
def test_images_until_full_size_is_exact(fade, hold, stages):
    growing = Growing(start=8, fade=fade, hold=hold)
    when = images_until_full_size(growing, stages=stages)
    full = [
        (stage := stage_at(growing, seen=seen, stages=stages)).index == stages - 1 and not stage.fading
        for seen in range(600)
    ]
    assert full == [seen >= when for seen in range(600)]


def test_stages_never_decrease():
    stages = [stage_at(Growing(start=8, fade=30, hold=20), seen=seen, stages=4) for seen in range(0, 400, 7)]
    assert all((a.index, a.fade) <= (b.index, b.fade) or a.index < b.index for a, b in itertools.pairwise(stages))


def test_ema_share_moves_half_way_in_a_half_life():
    assert ema_share(half_life=640, ramp=1.0, seen=10**6, batch=640) == pytest.approx(0.5)
    share = ema_share(half_life=640, ramp=1.0, seen=10**6, batch=64)
    assert (1 - share) ** 10 == pytest.approx(0.5)


def test_ema_ramp_limits_the_half_life_early():
    assert ema_share(half_life=20_000, ramp=0.05, seen=1000, batch=50) == pytest.approx(0.5)
    assert ema_share(half_life=0, ramp=0.05, seen=1000, batch=50) == 1


def test_ema_without_ramp_has_the_full_half_life_from_the_start():
    assert ema_share(half_life=20_000, ramp=0, seen=0, batch=20_000) == pytest.approx(0.5)
