"""When a training ends, and which schedules depend on that."""

import pytest

from pipeline.errors import UserError
from pipeline.gan.config import Definition
from pipeline.gan.training.ending import (
    MIN_STEPS,
    MOST_STEPS,
    Length,
    automatic_end,
    check_automatic,
    end_dependent_schedules,
    full_size_after,
    most_epochs,
)
from pipeline.gan.training.phase import Clock
from pipeline.options import STAGE_OPTIONS

STEPS = 100  # of an epoch, which gets a sheet
LEAST = MIN_STEPS // STEPS  # epochs


def rows(kids: list[float | None], **values) -> list[dict]:
    """Rows of epochs with these KIDs."""
    scores = {"kid_error": 0.01, "extractor": "eyes", **values}
    return [
        {
            "epoch": n,
            "step": n * STEPS,
            "images_seen": n * STEPS * 16,
            **({} if kid is None else {"kid": kid, **scores}),
        }
        for n, kid in enumerate(kids, start=1)
    ]


def falling_until(epoch: int, *, epochs: int = 60) -> list[float]:
    """KIDs that fall until `epoch`, and stay then."""
    return [1.0 + max(epoch - n, 0) for n in range(1, epochs + 1)]


def test_automatic_training_never_ends_before_its_least_steps():
    assert automatic_end(rows([1.0] * (LEAST - 1))) is None
    assert automatic_end(rows([1.0] * 60)) == LEAST


def test_automatic_training_ends_once_the_last_third_is_no_better():
    end = automatic_end(rows(falling_until(30)))
    assert end == 44
    assert automatic_end(rows(falling_until(30)[: end - 1])) is None


def test_automatic_training_goes_on_while_the_kid_falls():
    assert automatic_end(rows(falling_until(60))) is None


def test_later_rows_do_not_move_an_end():
    found = rows(falling_until(30))
    assert {automatic_end(found[:count]) for count in range(44, 61)} == {44}


def test_epochs_without_a_sheet_do_not_end_a_training():
    kids = [1.0 if n % 7 == 0 else None for n in range(1, 61)]
    assert automatic_end(rows(kids)) == 42  # the sixth sheet


def test_score_that_only_the_end_of_a_training_asked_for_does_not_count():
    found = rows([1.0] * LEAST)
    assert automatic_end(found) == LEAST
    assert automatic_end([*found[:-1], {**found[-1], "last": 1}]) is None


def test_growing_gan_is_judged_by_what_it_does_at_full_size():
    kids = [5.0] * 30 + falling_until(30)
    grown = 30 * STEPS * 16
    assert automatic_end(rows(kids)) == LEAST
    assert automatic_end(rows(kids), full_size_after=grown) > 30 + LEAST


def test_length_knows_its_steps_only_with_a_number_of_epochs():
    known, automatic = Length(epochs=7, clock=Clock(steps=20)), Length(epochs=None, clock=Clock(steps=21))
    assert (known.steps, known.known_steps, str(known)) == (140, 140, "of 7")
    assert (automatic.known_steps, str(automatic)) == (0, f"of at most {most_epochs(21)}")
    assert MOST_STEPS <= automatic.steps < MOST_STEPS + 21
    assert STAGE_OPTIONS["gan"].model_fields["most_steps"].description.startswith("about ")  # as it is rounded up:
    short = Length(epochs=None, clock=Clock(steps=21), most_steps=50)
    assert (short.steps, str(short)) == (63, "of at most 3")
    flat = rows([1.0] * LEAST)
    assert (known.is_at_plateau(flat), automatic.is_at_plateau(flat)) == (False, True)


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_learning_rates_that_decay_to_the_end_are_refused_without_a_number_of_epochs(kind):
    decays = Definition.model_validate({"discriminator": {"optimizer": {"schedule": {"kind": kind}}}})
    assert end_dependent_schedules(decays) == ["discriminator.optimizer.schedule"]
    with pytest.raises(UserError, match=r"models/mine\.json .*discriminator.*set gan\.epochs to a number, for example"):
        check_automatic(decays, "mine")


def test_schedules_that_count_images_are_allowed_without_a_number_of_epochs():
    schedule = {"kind": "cosine", "over": 1000, "warmup": 10}
    tree = {"generator": {"optimizer": {"schedule": schedule}}, "discriminator": {"norm": "none"}}
    check_automatic(definition := Definition.model_validate(tree | {"growing": {"start": 8}}), "mine")
    check_automatic(Definition(), "mine")
    assert full_size_after(definition, 16) == 60_000
    assert full_size_after(Definition(), 16) == 0
