"""Images per second of the training step in this process, and the share of the time that is spent in the step.

    .venv/bin/python benchmarks/gan_step.py [--side 64] [--batch 64] [--width 64] [--precision float32]
        [--xla] [--model NAME]

KERAS_BACKEND=jax measures the step on JAX. benchmarks/gan_speed.py runs this for all backends and a peer, in turn.
"""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import numpy as np

from pipeline.devices import prepare_devices
from pipeline.gan.config import Definition, parse_definition, read_definition
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import Batches, Prefetcher, StepPlanner
from pipeline.gan.training.train_step import Step, compile_step
from pipeline.gan.tuning import choose_compute_mode

MODELS = Path(__file__).parent.parent / "models"
PICTURES, WARM_UP, STEPS, TURNS = 2000, 3, 4, 5
# As in Radford et al. 2016: batch norm in both networks, no augmentation, no average of the weights
ADAM = {"learning_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999}
PLAIN = {"width": 64, "norm": "batch", "initial": "dcgan", "optimizer": ADAM}  # whatever the defaults are


def main() -> None:
    """Print one line of JSON: the rates of several turns, and the share of time in the step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=PLAIN["width"], help="of the DCGAN of 2016")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--xla", action="store_true")
    parser.add_argument("--model", help="a definition of models/; without it the DCGAN of 2016")
    given = parser.parse_args()
    definition = load_definition(given.model, batch=given.batch, width=given.width)
    definition = definition.model_copy(update={"precision": given.precision})
    compute_mode = choose_compute_mode(
        definition, size=given.side, channels=3, steps=10**6, notify=lambda line: print(line, file=sys.stderr)
    )
    prepare_devices(compute_mode.threads)
    step_planner = plan_on_noise(definition, side=given.side)
    shape = {"size": given.side, "channels": 3}
    state = TrainState(definition, **shape, seed=0, dtype=compute_mode.dtype)
    rates, share = measure(step_planner, compile_step(state, xla=given.xla))
    print(json.dumps({"rates": rates, "share_in_step": round(share, 3), "way": str(compute_mode)}))


def load_definition(name: str | None, *, batch: int, width: int = PLAIN["width"]) -> Definition:
    """The definition called `name`, or the plain DCGAN of `width` with `batch` pictures in a step."""
    if name:
        return read_definition(MODELS / f"{name}.json")
    network = PLAIN | {"width": width}
    tree = {
        "generator": network | {"upsample": "transposed"},
        "discriminator": network,
        "augment": {"policies": [], "flip": "never"},
        "ema": {"half_life": 0},
    }
    return parse_definition(json.dumps({**tree, "loss": "non_saturating", "batch": batch}), "the DCGAN of 2016")


def plan_on_noise(definition: Definition, *, side: int) -> StepPlanner:
    """The step planner of a training on noise: the contents of pictures do not affect the speed."""
    images = np.random.default_rng(0).integers(0, 256, (PICTURES, side, side, 3), np.uint8)
    turns = definition.balance.discriminator_steps
    batches = Batches(count=PICTURES, max_batch=definition.batch, seed=0, turns=turns)
    return StepPlanner(definition=definition, images=images, batches=batches, steps=1000, stages=1)


def measure(step_planner: StepPlanner, step: Step) -> tuple[list[float], float]:
    """Images per second in each of TURNS turns, and the share of the time in the step."""
    seconds: list[float] = []  # of each turn; the first warms up
    within, number = 0.0, 0

    with Prefetcher(step_planner.inputs) as prefetcher:
        for turn in range(-1, TURNS):
            started = time.perf_counter()
            for _ in range(WARM_UP if turn < 0 else STEPS):
                plan, inputs = step_planner.plan(number, learn=True), prefetcher.take(number)
                before = time.perf_counter()
                step(plan, inputs)
                if turn >= 0:
                    within += time.perf_counter() - before
                number += 1
            seconds.append(time.perf_counter() - started)
    timed = seconds[1:]
    return [round(STEPS * step_planner.batches.images_per_step / each, 1) for each in timed], within / sum(timed)


if __name__ == "__main__":
    main()
