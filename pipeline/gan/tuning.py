"""Choose the precision and the threads in which this processor computes a step fastest: by measuring.

What a processor says that it can do does not tell what is faster: some that have instructions for bfloat16 are slower
in it. So a step of the given definition is timed in each mode, the modes in turn, once for a machine and a shape. The
result is kept for the user. A mode other than the usual one must be faster by `MARGIN`. A checkpoint records the
mode of its training, and a resumed training uses it.
"""

import json
import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from pipeline import devices
from pipeline.devices import (
    AS_IT_LIKES,
    BFLOAT16,
    ComputeMode,
    Threads,
    backend,
    choose_dtype,
    has_bfloat16,
    has_gpu,
    prepare_devices,
    tensorflow_has_started,
)
from pipeline.gan.config.__init__ import Definition, as_tree
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.step_timer import InProcess, OwnProcess
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import FEWEST, Batches, StepPlanner
from pipeline.gan.training.train_step import compile_step
from pipeline.machine import usable_cores
from pipeline.store.atomic import write_whole

MARGIN = 1.10  # how many times as fast another way must be: less is noise, and not worth other bits
FEWEST_TURNS, TURNS = 3, 7  # of each way, in turn: a machine that is busy for a moment slows all alike
TURN, BUDGET = 0.3, 4.0  # seconds of one turn, about, and of all of them unless there were too few
BUSY = 2.0  # processes that wait for each core, above which the machine is not this training's own
WORTH = 1e13  # operations of a training below which it is over before a measurement has paid
BACKWARD = 3  # times the work of looking at pictures that a step is, about: once ahead, twice back
LOOKS = 3  # of the discriminator at a batch in one step: reals, fakes, and fakes for the generator
SWITCH = "GANMILL_MEASURE"  # the variable of the environment that forbids measuring, by 0
FILE = "ways.json"
LARGEST = 1 << 20  # bytes of that file
SECONDS = 2.0  # for which another process is waited for that writes it
MOST = 200  # ways that are kept, the newest

Notice = Callable[[str], None]


def usual_compute_mode(definition: Definition, *, size: int) -> ComputeMode:
    """What is taken where nothing was measured: on a processor float32, and the cores shared by the size of a step."""
    return ComputeMode(dtype=choose_dtype(definition.precision), threads=share_cores(definition, size=size))


def choose_compute_mode(
    definition: Definition,
    *,
    size: int,
    channels: int,
    steps: int = 1000,
    say: Notice = lambda line: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ComputeMode:
    """The fastest way for steps of `definition` on pictures of `size` pixels on this machine.

    It was measured before, or is measured now if `steps` are worth the seconds that this takes; `say` is told so. GPUs,
    JAX, and systems where no process can be forked have the usual way. Errors: `UserError` for a size that fits no
    network.
    """
    usual = usual_compute_mode(definition, size=size)
    told = os.environ.get(SWITCH) == "0"
    rivals = [] if told or backend() != "tensorflow" or has_gpu() else _rivals(definition, usual)
    if not rivals:
        return usual
    name = _name(definition, size=size, channels=channels)
    if (known := _read(name)) and known in _possible(usual, rivals):
        return known
    if steps * work(definition, size=size, channels=channels) < WORTH or is_busy():
        return usual
    say("measures in which precision and with how many threads this machine trains fastest")
    best = usual
    for change in rivals:
        ways = (best, replace(best, **change))
        turns = _in_turn(ways, definition, size=size, channels=channels, should_stop=should_stop)
        if turns is None:  # stopped, or nothing here can be timed: nothing is to be kept
            return usual
        best = ways[_is_faster(*turns)]
    _write(name, best)
    say(f"trains in {best}")
    return best


def _possible(usual: ComputeMode, rivals: list[dict[str, Any]]) -> list[ComputeMode]:
    """Every way that a measurement may have come to."""
    found = [usual]
    for change in rivals:
        found += [replace(way, **change) for way in found]
    return found


def is_busy() -> bool:
    """Whether others keep this machine so busy that what is measured now says little."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > BUSY * usable_cores()


def _is_faster(usual: list[float], rival: list[float]) -> bool:
    """Whether `rival` is faster by more than `MARGIN`, and not by the luck of a few turns; seconds, turn by turn."""
    won = sum(second < first for first, second in zip(usual, rival, strict=True))
    return statistics.median(usual) > MARGIN * statistics.median(rival) and won >= len(usual) - 1


def work(definition: Definition, *, size: int, channels: int) -> float:
    """Floating-point operations of one step, about: those of D's convolutions, and as many again for G's."""
    sides, network = Resolutions.of(size), definition.discriminator
    widths = [channels, *(sides.width(network, level) for level in reversed(range(sides.levels)))]
    places = [sides.map(level) ** 2 for level in reversed(range(sides.levels))]
    look = sum(area * into * out for area, into, out in zip(places, widths, widths[1:], strict=False))
    batches = definition.batch * definition.balance.discriminator_steps
    return 2.0 * KERNEL_AREA * batches * look * BACKWARD * (LOOKS + 1)


def _rivals(definition: Definition, usual: ComputeMode) -> list[dict[str, Any]]:
    """What may be otherwise than in the `usual` way, one after the other."""
    rivals: list[dict[str, Any]] = []
    if definition.precision == "auto" and has_bfloat16():
        rivals.append({"dtype": BFLOAT16})
    if usable_cores() > 1 and not tensorflow_has_started() and OwnProcess.is_possible():
        other = AS_IT_LIKES if usual.threads != AS_IT_LIKES else side_by_side(usable_cores())
        rivals.append({"threads": other})
    return rivals


def _in_turn(
    ways: Sequence[ComputeMode], definition: Definition, *, size: int, channels: int, should_stop: Callable[[], bool]
) -> list[list[float]] | None:
    """Seconds of a step in each turn of each of `ways`, infinite for one that failed; None where the first failed, or
    when asked to stop."""
    kind = OwnProcess if OwnProcess.is_possible() and not tensorflow_has_started() else InProcess
    timed = [kind(partial(stepper, definition, way, size=size, channels=channels), should_stop) for way in ways]
    try:
        for each in timed:
            each.seconds(1)  # the first step is traced and compiled
        once, began = timed[0].seconds(1), time.monotonic()
        if once is None or should_stop():
            return None
        turns: list[list[float]] = [[] for _ in ways]
        while len(turns[0]) < FEWEST_TURNS or (len(turns[0]) < TURNS and time.monotonic() - began < BUDGET):
            for each, found in zip(timed, turns, strict=True):
                if should_stop():
                    return None
                seconds = each.seconds(max(1, round(TURN / max(once, 1e-4))))
                found.append(math.inf if seconds is None else seconds)
        return turns
    finally:
        for each in timed:
            each.close()


def stepper(definition: Definition, way: ComputeMode, *, size: int, channels: int) -> Callable[[int], None]:
    """A function that takes so many steps of a training of `definition` on noise, computed in `way`."""
    prepare_devices(way.threads)
    count = max(FEWEST, definition.batch)
    turns = definition.balance.discriminator_steps
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, channels), np.uint8)
    batches = Batches(count=count, wanted=definition.batch, seed=0, turns=turns)
    state = TrainState(definition, size=size, channels=channels, seed=0, dtype=way.dtype)
    stages = len(state.generator.settled)
    director = StepPlanner(definition=definition, images=images, batches=batches, steps=10**9, stages=stages)
    step = compile_step(state)
    last = 10**9 - 1  # of a growing GAN all but the first minutes are steps of full size
    plan, inputs = director.plan(last, learn=True), director.inputs(last)

    def take(number: int) -> None:
        for _ in range(number):
            step(plan, inputs)

    return take


def _name(definition: Definition, *, size: int, channels: int) -> str:
    """What a measurement holds for: the machine and its software, and all of the definition that a step's work is."""
    tree = as_tree(definition)
    networks = {
        name: {key: value for key, value in tree[name].items() if key != "optimizer"}
        for name in ("generator", "discriminator")
    }
    parts = ("latent", "loss", "feature_matching", "penalties", "balance", "batch", "precision")
    return json.dumps(
        {
            "machine": devices.device(),
            "cores": usable_cores(),
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""),
            **{name: value for name, value in devices.versions().items() if name in ("keras", "tensorflow")},
            "pictures": [size, size, channels],
            "augment": tree["augment"]["policies"],
            "growing": tree["growing"]["start"],
            **networks,
            **{part: tree[part] for part in parts},
        },
        sort_keys=True,
    )


def _path() -> Path:
    """Kept for the user, not for the folder that a run is in: the machine is the same. Errors: `OSError`."""
    try:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:  # a user without a home, as in some containers
        raise FileNotFoundError(str(error)) from None
    return root / "ganmill" / FILE


def _read(name: str) -> ComputeMode | None:
    """What was measured before; None if nothing was, or the file is not what was written."""
    return _way(_all().get(name))


def _all() -> dict[str, Any]:
    try:
        path = _path()
        if not path.is_file() or path.stat().st_size > LARGEST:  # a pipe would be waited for
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _way(row: Any) -> ComputeMode | None:
    try:
        dtype, within, between = row
    except (TypeError, ValueError):
        return None
    whole = isinstance(dtype, str) and type(within) is type(between) is int
    return ComputeMode(dtype=dtype, threads=Threads(within=within, between=between)) if whole else None


def _write(name: str, way: ComputeMode) -> None:
    """Keep `way`; a home that cannot be written to costs the next training the same seconds, and nothing else."""
    try:
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=SECONDS):
            kept = _all()
            kept.pop(name, None)
            rows = [*kept.items(), (name, [way.dtype, way.threads.within, way.threads.between])][-MOST:]
            write_whole(path, json.dumps(dict(rows), indent=1).encode())
    except OSError:
        return


KERNEL_AREA = 16  # of the 4x4 convolutions that nearly all the work is in
# Floating-point operations of one layer above which two cores do better side by side in it. Below, D on reals and D on
# fakes run side by side, each on one core: up to twice as fast at 32 px and 16 pictures in a step
HEAVY = 1.5e9


def share_cores(definition: Definition, *, size: int, cores: int | None = None) -> Threads:
    """What suits a step on pictures of `size` pixels, on so many `cores`; by default those it may use.

    Errors: `UserError` for a size that no network fits.
    """
    cores = cores or usable_cores()
    if cores == 1 or heaviest(definition, size=size) > HEAVY:
        return AS_IT_LIKES
    return side_by_side(cores)


def side_by_side(cores: int) -> Threads:
    """What lets two layers be at work at once."""
    return Threads(within=max(1, cores // 4), between=2)


def heaviest(definition: Definition, *, size: int) -> float:
    """Floating-point operations of the discriminator's heaviest layer on one batch of pictures of `size` pixels."""
    sides, network = Resolutions.of(size), definition.discriminator
    widths = [sides.width(network, level) for level in range(sides.levels)]
    places = [sides.map(level) ** 2 for level in range(sides.levels)]
    works = [place * into * out for place, into, out in zip(places, widths[1:], widths, strict=False)]
    return 2.0 * definition.batch * KERNEL_AREA * max(works)
