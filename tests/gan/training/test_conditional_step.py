"""Steps of a conditional GAN: fakes have the classes of the reals, and D judges pictures with their classes."""

import numpy as np
import pytest

from pipeline.gan.latents import choose_classes
from tests.gan.step_runner import StepRunner, define, same

CLASSES = 3
KINDS = {
    "default": {},
    "one pass for both": {"discriminator": {"norm": "none", "initial": "he"}, "penalties": {"r1": {"weight": 1}}},
    "paired, two turns": {
        "discriminator": {"norm": "none", "initial": "he", "weights": "spectral"},
        "loss": "relativistic",
        "balance": {"discriminator_steps": 2},
    },
    "gradient penalty": {
        "discriminator": {"norm": "layer"},
        "loss": "wasserstein",
        "penalties": {"gradient": {"weight": 10}},
    },
    "growing, minibatch": {
        "generator": {"norm": "layer", "blocks": "residual"},
        "discriminator": {"norm": "none", "initial": "he", "minibatch": "stddev"},
        "growing": {"start": 8, "fade": 16, "hold": 8},
    },
    "multi-scale, matched, reconstructing": {
        "discriminator": {"norm": "none", "initial": "he", "reconstruction": 1.0},
        "penalties": {"lecam": {"weight": 0.3}},
        "feature_matching": 1.0,
        "multi_scale": True,
    },
}


def runner(kind: dict, **options) -> StepRunner:
    return StepRunner(define({"conditional": True, **kind}), classes=CLASSES, **options)


def test_a_latent_gets_its_class_and_keeps_its_numbers():
    latents = np.random.default_rng(0).standard_normal((2, 50, 7)).astype(np.float32)
    classes = np.random.default_rng(1).integers(0, CLASSES, (2, 50))
    chosen = choose_classes(latents, classes, CLASSES)
    assert np.array_equal(chosen[..., -CLASSES:].argmax(-1), classes)
    assert np.array_equal(chosen[..., :-CLASSES], latents[..., :-CLASSES])
    assert np.array_equal(np.sort(chosen[..., -CLASSES:]), np.sort(latents[..., -CLASSES:]))


def test_fakes_have_the_classes_of_the_reals():
    made = runner({"balance": {"discriminator_steps": 2}})
    inputs = made.step_planner.inputs(3)
    assert np.array_equal(inputs.classes, made.step_planner.batches.batch_indices(3) % CLASSES)
    assert np.array_equal(inputs.noise.latents[..., -CLASSES:].argmax(-1), inputs.classes)


LONG = ("paired, two turns", "growing, minibatch", "multi-scale, matched, reconstructing")


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, id=name, marks=pytest.mark.long if name in LONG else ()) for name, kind in KINDS.items()],
)
def test_conditional_steps_move_both_networks_and_resume_exactly(kind):
    first = runner(kind)
    start = first.state.arrays()
    first.run(range(2))
    half = first.state.arrays()
    metrics = first.run(range(2, 4))
    assert all(np.isfinite(list(each.values())).all() for each in metrics)
    for name in ("class_head/000", "generator/000"):
        assert not np.array_equal(start[name], half[name]), name
    again = runner(kind, start=half)
    assert again.run(range(2, 4)) == metrics
    assert same(again.state.arrays(), first.state.arrays())


def test_the_loss_is_of_logits_with_the_class():
    quiet = {"augment": {"policies": []}, "discriminator": {"norm": "none", "initial": "he"}}
    made = runner(quiet)
    inputs, state = made.step_planner.inputs(0), made.state
    classes = np.eye(CLASSES, dtype=np.float32)[inputs.classes[0]]
    reals = inputs.reals[0].astype(np.float32) / 127.5 - 1
    logits = []
    for pictures in (reals, state.generator.whole(inputs.noise.latents[0], training=True)):
        alone, features = state.discriminator.whole(pictures)
        logits.append(np.asarray(alone) + np.asarray(state.class_head.logit(features, classes)))
    expected = np.logaddexp(0, -logits[0]).mean() + np.logaddexp(0, logits[1]).mean()
    assert made.run([0])[0]["d_loss"] == pytest.approx(expected, rel=1e-4)


def test_clipping_is_for_the_vectors_of_the_classes_too():
    clipped = {"discriminator": {"norm": "none"}, "loss": "wasserstein", "penalties": {"clip": 0.003}}
    made = runner(clipped)
    made.run([0])
    (vectors,) = made.state.class_head.variables
    assert 0 < np.abs(np.asarray(vectors)).max() <= np.float32(0.003)


def test_networks_of_another_training_include_its_class_head():
    first, other = runner({}), runner({}, seed=5)
    first.run([0])
    assert other.state.restore_networks(first.state.arrays())
    given, found = first.state.arrays(), other.state.arrays()
    parts = ("generator/", "average/", "discriminator/", "class_head/")
    assert {name.split("/")[0] for name in given if name.startswith(parts)} == {part[:-1] for part in parts}
    assert all(np.array_equal(given[name], found[name]) for name in given if name.startswith(parts))
