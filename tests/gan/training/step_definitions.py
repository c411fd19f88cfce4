"""Definitions that together use every part of a step. Run as a program, it prints the metrics of some steps of those
that it is given."""

import json
import sys
from collections.abc import Sequence

from pipeline.gan.config import Definition
from tests.gan.step_runner import BATCH, StepRunner, define

STEPS = range(2, 5)  # a growing GAN is fading in
PLAIN = {"norm": "none", "initial": "he"}
R3 = PLAIN | {"blocks": "residual"}

DEFINITIONS = {
    "dcgan": define({"discriminator": {"vision_aided": True}}),
    "defaults": define(),
    "wgan-gp": define({
        "generator": {"optimizer": {"schedule": {"kind": "drop", "factor": 0.5, "at": [3 * 2 * BATCH]}}},
        "discriminator": {"norm": "layer", "minibatch": "discrimination"},
        "loss": "wasserstein",
        "penalties": {"gradient": {"weight": 10}},
        "balance": {"discriminator_steps": 2},
    }),
    "multi-scale": define({
        "generator": {"norm": "layer", "upsample": "resize"},
        "discriminator": PLAIN | {"minibatch": "stddev"},
        "penalties": {"r1": {"weight": 1}},
        "augment": {"target": 0, "flip": "always"},
        "multi_scale": True,
    }),
    "sn-hinge": define({
        "generator": {"weights": "spectral", "attention": [8]},
        "discriminator": PLAIN | {"weights": "spectral", "attention": [8], "minibatch": "stddev"},
        "loss": "hinge",
    }),
    "relativistic": define({
        "generator": R3,
        "discriminator": R3,
        "loss": "relativistic",
        "penalties": {"r1": {"weight": 1}, "r2": {"weight": 1}},
    }),
    "least squares": define({
        "generator": {"norm": "layer", "weights": "weight", "optimizer": {"name": "sgd", "learning_rate": 0.01}},
        "discriminator": {"norm": "none", "weights": "weight"},
        "loss": "least_squares",
        "smoothing": {"real": 0.1, "fake": 0.05},
        "feature_matching": 1.0,
        "augment": {"flip": "always"},
    }),
    "growing": define({
        "generator": {"norm": "layer", "upsample": "resize"},
        "discriminator": PLAIN | {"minibatch": "stddev"},
        "penalties": {"r1": {"weight": 1}},
        "growing": {"start": 8, "fade": 64, "hold": 8},
    }),
    "adaptive": define({
        "augment": {"target": 0.6, "ramp": 100}, "loss": "minimax", "penalties": {"lecam": {"weight": 0.3}},
    }),
    "conditional": define({
        "generator": {"norm": "layer", "upsample": "resize"},
        "discriminator": PLAIN | {"weights": "spectral"},
        "loss": "hinge",
        "penalties": {"r1": {"weight": 1}},
        "balance": {"discriminator_steps": 2},
        "growing": {"start": 8, "fade": 64, "hold": 8},
        "conditional": True,
    }),
    "vision-aided": define({"discriminator": PLAIN | {"vision_aided": True}}),
    "excited": define({"generator": {"norm": "layer", "skip_excitation": True}, "discriminator": PLAIN}),
    "reconstructing": define({"discriminator": PLAIN | {"reconstruction": 1.0}}),
    "clipped": define({
        "generator": {"optimizer": {"name": "rmsprop", "learning_rate": 5e-5, "beta_2": 0.9}},
        "discriminator": {"norm": "none", "optimizer": {"name": "rmsprop", "learning_rate": 5e-4, "beta_2": 0.9}},
        "loss": "wasserstein",
        "penalties": {"clip": 0.01},
        "balance": {"discriminator_steps": 2},
    }),
}  # fmt: skip


def metrics(names: Sequence[str]) -> dict[str, list[dict[str, float]]]:
    """The metrics of STEPS of the definitions `names`, on the Keras backend of this process, and the learning rates."""
    chosen = {name: DEFINITIONS[name] for name in names}
    return {name: _metrics(_runner(each)) for name, each in chosen.items()}


def _runner(definition: Definition) -> StepRunner:
    size = 128 if definition.generator.skip_excitation else 16  # the least that has it
    return StepRunner(definition, classes=3 * definition.conditional, size=size, traced=True)


def _metrics(runner: StepRunner) -> list[dict[str, float]]:
    found = []
    for number in STEPS:
        (values,) = runner.run([number])
        optimizers = {"g_rate": runner.state.generator_optimizer, "d_rate": runner.state.discriminator_optimizer}
        found.append(values | {name: float(each.learning_rate) for name, each in optimizers.items()})
    return found


if __name__ == "__main__":
    print(json.dumps(metrics(sys.argv[1:])))
