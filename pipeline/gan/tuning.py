"""Choose the precision and threads in which this processor computes a step fastest, by measuring.

Instructions for bfloat16 do not tell whether it is faster: on some processors it is slower. So a step of the given
definition is timed in each compute mode, in alternation, once for each machine and shape. The result is cached for the
user. Another mode than the default must be faster by `MARGIN`. A checkpoint records the compute mode of its training,
and a resumed training uses it.
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
    BACKEND_DEFAULT_THREADS,
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
from pipeline.gan.config import Definition, as_tree
from pipeline.gan.config.resolutions import Resolutions
from pipeline.gan.step_timer import ForkedTimer, InProcessTimer
from pipeline.gan.training.state import TrainState
from pipeline.gan.training.step_inputs import Batches, StepPlanner
from pipeline.gan.training.train_step import compile_step
from pipeline.gan.validation import MIN_IMAGES
from pipeline.machine import usable_cores
from pipeline.store.atomic import write_whole

MARGIN = 1.10  # factor by which another mode must be faster: less is noise, and results would not be bit-identical
MIN_ROUNDS, MAX_ROUNDS = 3, 7  # of each mode, in alternation: a load on the machine slows all modes alike
ROUND_SECONDS, BUDGET_SECONDS = 0.3, 4.0  # of one round, approximately, and of all rounds after the first few
MAX_LOAD_PER_CORE = 2.0  # waiting processes for each core, above which the machine is too busy to measure
MIN_OPERATIONS = 1e13  # of a training, below which a measurement would take longer than it saves
BACKWARD = 3  # work of a step relative to its forward pass, approximately: one forward, two backward
FORWARD_PASSES = 3  # of the discriminator in one step: reals, fakes, and fakes for the generator
MEASURE_VARIABLE = "GANMILL_MEASURE"  # environment variable that forbids measuring if it is 0
FILE = "ways.json"
MAX_FILE_BYTES = 1 << 20
LOCK_SECONDS = 2.0  # to wait for another process that writes the file
MAX_ENTRIES = 200  # the newest are kept
KERNEL_AREA = 16  # of the 4x4 convolutions, which do nearly all the work
# Floating-point operations of the heaviest layer. Above this it is faster to compute one layer at a time on all cores.
# Up to this it is faster to compute two layers at once (D on reals, D on fakes), each on half of the cores: up to twice
# as fast at 32 px and 16 pictures in a step
HEAVY_LAYER = 1.5e9

Notice = Callable[[str], None]


def default_compute_mode(definition: Definition, *, size: int) -> ComputeMode:
    """The compute mode without a measurement: on a processor float32, with threads that suit the size of a step."""
    return ComputeMode(dtype=choose_dtype(definition.precision), threads=share_cores(definition, size=size))


def choose_compute_mode(
    definition: Definition,
    *,
    size: int,
    channels: int,
    steps: int = 1000,
    notify: Notice = lambda line: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ComputeMode:
    """The fastest compute mode for steps of `definition` on pictures of `size` pixels on this machine.

    It comes from the cache, or is measured now if `steps` are worth the seconds that this takes; `notify` gets a line
    about it. GPUs, JAX, and systems without fork use the default mode. Errors: `UserError` for a size that no network
    can be built for.
    """
    default = default_compute_mode(definition, size=size)
    forbidden = os.environ.get(MEASURE_VARIABLE) == "0"
    alternatives = [] if forbidden or backend() != "tensorflow" or has_gpu() else _alternatives(definition, default)
    if not alternatives:
        return default
    name = _cache_key(definition, size=size, channels=channels)
    if (known := _read_cached(name)) and known in _possible_modes(default, alternatives):
        return known
    if steps * step_operations(definition, size=size, channels=channels) < MIN_OPERATIONS or is_busy():
        return default
    notify("measures which precision and number of threads train fastest on this machine")
    best = default
    for change in alternatives:
        modes = (best, replace(best, **change))
        rounds = _measure_in_turn(modes, definition, size=size, channels=channels, should_stop=should_stop)
        if rounds is None:  # stopped, or the step cannot be timed: cache nothing
            return default
        best = modes[_is_faster(*rounds)]
    _write_cached(name, best)
    notify(f"trains in {best}")
    return best


def _possible_modes(default: ComputeMode, alternatives: list[dict[str, Any]]) -> list[ComputeMode]:
    """All modes that a measurement can choose."""
    found = [default]
    for change in alternatives:
        found += [replace(compute_mode, **change) for compute_mode in found]
    return found


def is_busy() -> bool:
    """Whether other processes load this machine so much that a measurement would mean little."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > MAX_LOAD_PER_CORE * usable_cores()


def step_operations(definition: Definition, *, size: int, channels: int) -> float:
    """Floating-point operations of one step, approximately: those of D's convolutions, and as many for G's."""
    resolutions, network = Resolutions.of(size), definition.discriminator
    widths = [channels, *(resolutions.width(network, level) for level in reversed(range(resolutions.levels)))]
    areas = [resolutions.map_side(level) ** 2 for level in reversed(range(resolutions.levels))]
    forward = sum(area * into * out for area, into, out in zip(areas, widths, widths[1:], strict=False))
    batches = definition.batch * definition.balance.discriminator_steps
    return 2.0 * KERNEL_AREA * batches * forward * BACKWARD * (FORWARD_PASSES + 1)


def share_cores(definition: Definition, *, size: int, cores: int | None = None) -> Threads:
    """The threads that suit a step on pictures of `size` pixels, on `cores` cores, by default all usable ones.

    Errors: `UserError` for a size that no network can be built for.
    """
    cores = cores or usable_cores()
    if cores == 1 or heaviest_layer(definition, size=size) > HEAVY_LAYER:
        return BACKEND_DEFAULT_THREADS
    return side_by_side(cores)


def side_by_side(cores: int) -> Threads:
    """Threads that let two layers run at once."""
    return Threads(within=max(1, cores // 4), between=2)


def heaviest_layer(definition: Definition, *, size: int) -> float:
    """Floating-point operations of the discriminator's heaviest layer on one batch of pictures of `size` pixels."""
    resolutions, network = Resolutions.of(size), definition.discriminator
    widths = [resolutions.width(network, level) for level in range(resolutions.levels)]
    areas = [resolutions.map_side(level) ** 2 for level in range(resolutions.levels)]
    works = [area * into * out for area, into, out in zip(areas, widths[1:], widths, strict=False)]
    return 2.0 * definition.batch * KERNEL_AREA * max(works)


def make_stepper(
    definition: Definition, compute_mode: ComputeMode, *, size: int, channels: int
) -> Callable[[int], None]:
    """A function that runs a number of training steps of `definition` on noise in `compute_mode`."""
    prepare_devices(compute_mode.threads)
    count = max(MIN_IMAGES, definition.batch)
    turns = definition.balance.discriminator_steps
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, channels), np.uint8)
    batches = Batches(count=count, max_batch=definition.batch, seed=0, turns=turns)
    state = TrainState(definition, size=size, channels=channels, seed=0, dtype=compute_mode.dtype)
    stages = len(state.generator.settled)
    step_planner = StepPlanner(definition=definition, images=images, batches=batches, steps=10**9, stages=stages)
    step = compile_step(state)
    last = 10**9 - 1  # a growing GAN is at full size for all but the first minutes
    plan, inputs = step_planner.plan(last, learn=True), step_planner.inputs(last)

    def take(number: int) -> None:
        for _ in range(number):
            step(plan, inputs)

    return take


def _is_faster(default: list[float], alternative: list[float]) -> bool:
    """Whether `alternative` is faster by more than `MARGIN`, in nearly all rounds; both are seconds by round."""
    won = sum(second < first for first, second in zip(default, alternative, strict=True))
    return statistics.median(default) > MARGIN * statistics.median(alternative) and won >= len(default) - 1


def _alternatives(definition: Definition, default: ComputeMode) -> list[dict[str, Any]]:
    """The changes to the `default` mode to measure, one after the other."""
    alternatives: list[dict[str, Any]] = []
    if definition.precision == "auto" and has_bfloat16():
        alternatives.append({"dtype": BFLOAT16})
    if usable_cores() > 1 and not tensorflow_has_started() and ForkedTimer.is_possible():
        other = BACKEND_DEFAULT_THREADS if default.threads != BACKEND_DEFAULT_THREADS else side_by_side(usable_cores())
        alternatives.append({"threads": other})
    return alternatives


def _measure_in_turn(
    modes: Sequence[ComputeMode], definition: Definition, *, size: int, channels: int, should_stop: Callable[[], bool]
) -> list[list[float]] | None:
    """Seconds of a step by round for each of `modes`, infinite for one that failed.

    None if the first mode failed, or on a request to stop.
    """
    kind = ForkedTimer if ForkedTimer.is_possible() and not tensorflow_has_started() else InProcessTimer
    timers = [
        kind(partial(make_stepper, definition, compute_mode, size=size, channels=channels), should_stop)
        for compute_mode in modes
    ]
    try:
        for timer in timers:
            timer.seconds(1)  # the first step is traced and compiled
        once, start = timers[0].seconds(1), time.monotonic()
        if once is None or should_stop():
            return None
        rounds: list[list[float]] = [[] for _ in modes]
        while len(rounds[0]) < MIN_ROUNDS or (
            len(rounds[0]) < MAX_ROUNDS and time.monotonic() - start < BUDGET_SECONDS
        ):
            for timer, found in zip(timers, rounds, strict=True):
                if should_stop():
                    return None
                seconds = timer.seconds(max(1, round(ROUND_SECONDS / max(once, 1e-4))))
                found.append(math.inf if seconds is None else seconds)
        return rounds
    finally:
        for timer in timers:
            timer.close()


def _cache_key(definition: Definition, *, size: int, channels: int) -> str:
    """The key of a measurement: the machine, its software, and the parts of the definition that a step depends on."""
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
            **({"multi_scale": True} if definition.multi_scale else {}),
            **networks,
            **{part: tree[part] for part in parts},
        },
        sort_keys=True,
    )


def _cache_path() -> Path:
    """The cache file of the user, not of the working folder: the machine is the same. Errors: `OSError`."""
    try:
        root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:  # a user without a home, as in some containers
        raise FileNotFoundError(str(error)) from None
    return root / "ganmill" / FILE


def _read_cached(name: str) -> ComputeMode | None:
    """The cached measurement; None if there is none, or it is damaged."""
    return _parse_mode(_read_cache().get(name))


def _read_cache() -> dict[str, Any]:
    try:
        path = _cache_path()
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:  # reading a pipe would block
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _parse_mode(row: Any) -> ComputeMode | None:
    try:
        dtype, within, between = row
    except (TypeError, ValueError):
        return None
    whole = isinstance(dtype, str) and type(within) is type(between) is int
    return ComputeMode(dtype=dtype, threads=Threads(within=within, between=between)) if whole else None


def _write_cached(name: str, compute_mode: ComputeMode) -> None:
    """Cache `compute_mode`; if the home cannot be written to, the next training measures again."""
    try:
        path = _cache_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=LOCK_SECONDS):
            entries = _read_cache()
            entries.pop(name, None)
            row = [compute_mode.dtype, compute_mode.threads.within, compute_mode.threads.between]
            rows = [*entries.items(), (name, row)][-MAX_ENTRIES:]
            write_whole(path, json.dumps(dict(rows), indent=1).encode())
    except OSError:
        return
