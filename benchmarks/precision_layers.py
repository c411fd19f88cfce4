"""Measure how near a training step comes to the processor's limit, in float32 and bfloat16: each convolution of the
DCGAN of 2016, forward and backward, and the step as a whole.

    .venv/bin/python benchmarks/precision_layers.py [--side 64] [--batch 64] [--width 64]

The limit is a product of two large matrices in the same precision (GEMM), which is measured first. Each line is one
layer and one of its three computations: forward, gradient by the input, gradient by the kernel. Float32 and bfloat16
are timed in turn: milliseconds, the ratio of medians, and the share of the rate of the matrix product, in
floating-point operations a second, that each reaches. Next to these are the oneDNN kernels of each (from
ONEDNN_VERBOSE): a `brgconv` or `jit` with `bf16` or `amx` in its name computes in bfloat16, a `ref` or `gemm` does not,
and a `reorder` first copies the numbers to another layout. Then come the time for the casts that bfloat16 needs, and
the step as gan_step.py measures it, with the share of the rate of the matrix product that its convolutions reach, and
the share that they would reach if a step were nothing else.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from pipeline.machine import BACKEND_ENVIRONMENT

os.environ |= BACKEND_ENVIRONMENT | os.environ  # before TensorFlow is loaded

KERNEL, STRIDE, TURNS = 4, 2, 7
TURN_SECONDS = 0.05  # about
MATRIX = 2048  # rows and columns of the matrix product
PRECISIONS = ("float32", "bfloat16")
# How often a step computes it for each picture of a batch: D sees reals and fakes and the fakes again in G's turn, in
# which G's transposed convolutions, forward and backward, are these computations too
PASSES = {"forward": 4, "by input": 4, "by kernel": 3}
PASSES_OF_PICTURES = PASSES | {"by input": 2}  # of the layer that sees pictures, by which D needs no gradient
MARKER = "computes "  # printed before oneDNN's lines about one computation
VERBOSE = re.compile(r"^onednn_verbose,(?:v1,)?primitive,exec,cpu,(\w+),([^,]*),")

Run = Callable[[], None]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64, help="of the squares, in pixels")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=64, help="channels of the layer with the highest resolution")
    parser.add_argument("--kernels", action="store_true", help=argparse.SUPPRESS)  # for the subprocess
    arguments = parser.parse_args()
    shape = {"side": arguments.side, "batch": arguments.batch, "width": arguments.width}
    if arguments.kernels:
        return name_kernels(**shape)
    print(f"{machine()}; {arguments.side} px, batch {arguments.batch}, width {arguments.width}")
    kernels = kernels_by_computation(**shape)
    limit = {precision: 2 * MATRIX**3 / seconds for precision, seconds in in_turn(matrix_product()).items()}
    print("product of two matrices:", *(f"{limit[each] / 1e9:.0f} GFLOP/s in {each}" for each in PRECISIONS))
    print(f"{'layer':<16}{'computes':<10}{'float32':>9}{'bfloat16':>10}{'ratio':>7}{'share of product':>18}  kernels")
    totals, operations = dict.fromkeys(PRECISIONS, 0.0), 0.0
    for layer, what, runs in computations(**shape):
        seconds, flop = in_turn(runs), operations_of(layer, batch=arguments.batch)
        passes = (PASSES_OF_PICTURES if layer.side == arguments.side else PASSES)[what]
        operations += passes * flop
        for precision in PRECISIONS:
            totals[precision] += passes * seconds[precision]
        name = computation_name(layer, what)
        kernel_names = " / ".join(kernels.get(f"{name} {precision}", "unknown") for precision in PRECISIONS)
        print(f"{name:<26}{row(seconds)}{shares(flop, seconds, limit)}  {kernel_names}", flush=True)
    print(f"{'casts of an activation':<26}{row(in_turn(casts(**shape)))}")
    print(f"{'convolutions of a step':<26}{row(totals)}{shares(operations, totals, limit)}")
    steps = {precision: step_seconds(precision, **shape) for precision in PRECISIONS}
    print(f"{'the step':<26}{row(steps)}{shares(operations, steps, limit)}")


class Layer(NamedTuple):
    """A convolution of the discriminator; the generator has the same ones transposed."""

    side: int  # of its input, in pixels
    into: int  # channels of its input
    out: int  # channels of its output


def operations_of(layer: Layer, *, batch: int) -> float:
    """Floating-point operations of each computation of a layer: a product and a sum for each weight and place."""
    return 2 * batch * (layer.side // STRIDE) ** 2 * KERNEL**2 * layer.into * layer.out


def computation_name(layer: Layer, what: str) -> str:
    """For example `32 px 64→128   by input`."""
    return f"{f'{layer.side} px {layer.into}→{layer.out}':<16}{what}"


def row(seconds: dict[str, float]) -> str:
    """Milliseconds in each precision, and how many times faster bfloat16 is."""
    first, second = (seconds[precision] for precision in PRECISIONS)
    return f"{1000 * first:>7.2f}ms{1000 * second:>8.2f}ms{first / second:>7.2f}"


def shares(operations: float, seconds: dict[str, float], limit: dict[str, float]) -> str:
    """What share of the rate of the matrix product the operations reach in each precision."""
    return "".join(f"{operations / seconds[each] / limit[each]:>9.2f}" for each in PRECISIONS)


def step_seconds(precision: str, *, side: int, batch: int, width: int) -> float:
    """Seconds of one training step."""
    command = [sys.executable, str(Path(__file__).parent / "gan_step.py"), "--side", str(side), "--batch", str(batch)]
    words = [*command, "--width", str(width), "--precision", precision]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return batch / statistics.median(json.loads(done.stdout)["rates"])


def layers(*, side: int, width: int) -> Iterator[Layer]:
    """Each layer from the picture down to 4 px."""
    into, out = 3, width
    while side > KERNEL:
        yield Layer(side, into, out)
        side, into, out = side // STRIDE, out, 2 * out


def computations(*, side: int, batch: int, width: int) -> Iterator[tuple[Layer, str, dict[str, Run]]]:
    """Each computation of each layer, compiled in both precisions; the generator's forward pass is the discriminator's
    gradient by input."""
    import tensorflow as tf

    for layer in layers(side=side, width=width):
        size, into, out = layer
        arguments = {"strides": STRIDE, "padding": "SAME"}
        strides = {"strides": [1, STRIDE, STRIDE, 1], "padding": "SAME"}
        runs: dict[str, dict[str, Run]] = {"forward": {}, "by input": {}, "by kernel": {}}
        for precision in PRECISIONS:
            x, kernel, y = (
                tf.cast(tf.random.stateless_normal(dimensions, (0, 1)), precision)
                for dimensions in (
                    (batch, size, size, into),
                    (KERNEL, KERNEL, into, out),
                    (batch, size // STRIDE, size // STRIDE, out),
                )
            )
            runs["forward"][precision] = compiled(tf.nn.conv2d, x, kernel, **arguments)
            raw = tf.raw_ops
            runs["by input"][precision] = compiled(
                raw.Conv2DBackpropInput, input_sizes=tf.shape(x), filter=kernel, out_backprop=y, **strides
            )
            runs["by kernel"][precision] = compiled(
                raw.Conv2DBackpropFilter, input=x, filter_sizes=tf.shape(kernel), out_backprop=y, **strides
            )
        for what, both in runs.items():
            yield layer, what, both


def matrix_product() -> dict[str, Run]:
    """A large matrix product in each precision."""
    import tensorflow as tf

    matrix = tf.random.stateless_normal((MATRIX, MATRIX), (0, 1))
    return {each: compiled(tf.matmul, *[tf.cast(matrix, each)] * 2) for each in PRECISIONS}


def casts(*, side: int, batch: int, width: int) -> dict[str, Run]:
    """Casts of the largest activation to each precision and back."""
    import tensorflow as tf

    pixels = tf.random.stateless_normal((batch, side // STRIDE, side // STRIDE, width), (0, 1))

    def cast(precision: str) -> Run:
        return compiled(lambda x: tf.cast(tf.cast(x + 1, precision) * 2, "float32"), pixels)

    return {precision: cast(precision) for precision in PRECISIONS}


def compiled(function: Callable, *arguments, **keywords) -> Run:
    """A traced function with these arguments, after one warm-up run."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # it warns of many functions
    traced = tf.function(lambda *given: function(*given, **keywords), autograph=False)

    def run() -> None:
        traced(*arguments)  # on a processor TensorFlow returns when it has the result

    run()
    return run


def in_turn(runs: dict[str, Run]) -> dict[str, float]:
    """Median seconds of each, timed in turn."""
    counts = {name: max(1, round(TURN_SECONDS / max(timed(run, 1), 1e-6))) for name, run in runs.items()}
    turns = [{name: timed(run, counts[name]) for name, run in runs.items()} for _ in range(TURNS)]
    return {name: statistics.median(turn[name] for turn in turns) for name in runs}


def timed(run: Run, count: int) -> float:
    """Mean seconds of `count` runs."""
    began = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - began) / count


def name_kernels(**shape: int) -> None:
    """Run each computation after printing its name; oneDNN prints its own lines in between."""
    for layer, what, runs in computations(**shape):
        for precision, run in runs.items():
            print(f"{MARKER}{computation_name(layer, what)} {precision}", flush=True)
            run()
            print(f"{MARKER}nothing", flush=True)


def kernels_by_computation(**shape: int) -> dict[str, str]:
    """The oneDNN kernels of each computation and precision, from a subprocess with ONEDNN_VERBOSE."""
    flags = [word for name, value in shape.items() for word in (f"--{name}", str(value))]
    environment = os.environ | {"ONEDNN_VERBOSE": "1"}
    done = subprocess.run(
        [sys.executable, __file__, "--kernels", *flags], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = {}
    current = ""
    for line in done.stdout.splitlines():
        if line.startswith(MARKER):
            current = line.removeprefix(MARKER)
        elif kernel_names := VERBOSE.match(line):
            kind, kernel = kernel_names.groups()
            found.setdefault(current, []).append(kernel if kind != "reorder" else "reorder")
    return {name: " + ".join(dict.fromkeys(kernels)) for name, kernels in found.items()}


if __name__ == "__main__":
    main()
