"""Where bfloat16 gains and where it loses on this processor: each convolution of the DCGAN of 2016, ahead and back.

    .venv/bin/python benchmarks/precision_layers.py [--side 64] [--batch 64] [--width 64]

Each line is one layer and one of its three computations: forward, by the input, by the kernel. Float32 and bfloat16 are
timed in turn; beside the ratio of medians stand the kernels that oneDNN took for each (ONEDNN_VERBOSE tells them): a
`brgconv` or `jit` with `bf16` or `amx` in its name computes in bfloat16, a `ref` or `gemm` does not, a `reorder` beside
it copies the numbers into another layout first. The last lines are the processor's own limit: a product of two large
matrices in each precision, and how long the casts take that bfloat16 needs.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.machine import machine
from pipeline.machine import BACKEND_ENVIRONMENT

os.environ |= BACKEND_ENVIRONMENT | os.environ  # before TensorFlow is loaded

KERNEL, STRIDE, TURNS = 4, 2, 7
TURN = 0.05  # seconds of one turn, about
MATRIX = 2048  # rows and columns of the product that shows the processor's limit
PRECISIONS = ("float32", "bfloat16")
MARK = "computes "  # begins the line after which oneDNN's are those of one computation
VERBOSE = re.compile(r"^onednn_verbose,(?:v1,)?primitive,exec,cpu,(\w+),([^,]*),")

Run = Callable[[], None]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=64, help="of the pictures, in pixels")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--width", type=int, default=64, help="channels of the layer of the largest pictures")
    parser.add_argument("--kernels", action="store_true", help=argparse.SUPPRESS)  # what the subprocess is asked
    given = parser.parse_args()
    shape = {"side": given.side, "batch": given.batch, "width": given.width}
    if given.kernels:
        return name_kernels(**shape)
    print(f"{machine()}; {given.side} px, batch {given.batch}, width {given.width}")
    kernels = kernels_by_computation(**shape)
    print(f"{'layer':<16}{'computes':<10}{'float32':>9}{'bfloat16':>10}{'ratio':>7}  kernels")
    totals = dict.fromkeys(PRECISIONS, 0.0)
    for name, runs in computations(**shape):
        seconds = in_turn(runs)
        for precision in PRECISIONS:
            totals[precision] += seconds[precision]
        told = " / ".join(kernels.get(f"{name} {precision}", "not told") for precision in PRECISIONS)
        print(f"{name:<26}{row(seconds)}  {told}", flush=True)
    print(f"{'all convolutions':<26}{row(totals)}")
    for name, runs in limits(given.batch, given.side, given.width):
        print(f"{name:<26}{row(in_turn(runs))}", flush=True)


def row(seconds: dict[str, float]) -> str:
    """Milliseconds in each precision, and how many times as fast bfloat16 is."""
    first, second = (seconds[precision] for precision in PRECISIONS)
    return f"{1000 * first:>7.2f}ms{1000 * second:>8.2f}ms{first / second:>7.2f}"


def layers(*, side: int, width: int) -> Iterator[tuple[int, int, int]]:
    """Side of what comes in, and channels in and out, of each layer from the picture down to 4 px."""
    into, out = 3, width
    while side > KERNEL:
        yield side, into, out
        side, into, out = side // STRIDE, out, 2 * out


def computations(*, side: int, batch: int, width: int) -> Iterator[tuple[str, dict[str, Run]]]:
    """Each computation by name, ready to run in both precisions. G's are D's by the input, and the other way round."""
    import tensorflow as tf

    for at, into, out in layers(side=side, width=width):
        arguments = {"strides": STRIDE, "padding": "SAME"}
        strides = {"strides": [1, STRIDE, STRIDE, 1], "padding": "SAME"}
        runs: dict[str, dict[str, Run]] = {"forward": {}, "by input": {}, "by kernel": {}}
        for precision in PRECISIONS:
            x, kernel, y = (
                tf.cast(tf.random.stateless_normal(dimensions, (0, 1)), precision)
                for dimensions in (
                    (batch, at, at, into),
                    (KERNEL, KERNEL, into, out),
                    (batch, at // STRIDE, at // STRIDE, out),
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
            yield f"{f'{at} px {into}→{out}':<16}{what}", both


def limits(batch: int, side: int, width: int) -> Iterator[tuple[str, dict[str, Run]]]:
    """A large matrix product in each precision; and a cast of the largest activation to it and back."""
    import tensorflow as tf

    matrix = tf.random.stateless_normal((MATRIX, MATRIX), (0, 1))
    yield f"product of {MATRIX}²", {each: compiled(tf.matmul, *[tf.cast(matrix, each)] * 2) for each in PRECISIONS}
    pixels = tf.random.stateless_normal((batch, side // STRIDE, side // STRIDE, width), (0, 1))

    def cast(precision: str) -> Run:
        return compiled(lambda x: tf.cast(tf.cast(x + 1, precision) * 2, "float32"), pixels)

    yield "casts of an activation", {precision: cast(precision) for precision in PRECISIONS}


def compiled(function: Callable, *arguments, **keywords) -> Run:
    """`function` of these arguments, traced; it has run once."""
    import tensorflow as tf

    traced = tf.function(lambda *given: function(*given, **keywords), autograph=False)

    def run() -> None:
        traced(*arguments).numpy()

    run()
    return run


def in_turn(runs: dict[str, Run]) -> dict[str, float]:
    """Median seconds of each, timed in turn."""
    counts = {name: max(1, round(TURN / max(timed(run, 1), 1e-6))) for name, run in runs.items()}
    turns = [{name: timed(run, counts[name]) for name, run in runs.items()} for _ in range(TURNS)]
    return {name: statistics.median(turn[name] for turn in turns) for name in runs}


def timed(run: Run, count: int) -> float:
    """Seconds of one of `count` runs."""
    began = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - began) / count


def name_kernels(**shape: int) -> None:
    """Run each computation once more, after a line that names it; oneDNN prints its own lines between."""
    for name, runs in computations(**shape):
        for precision, run in runs.items():
            print(f"{MARK}{name} {precision}", flush=True)
            run()
            print(f"{MARK}nothing", flush=True)


def kernels_by_computation(**shape: int) -> dict[str, str]:
    """What oneDNN says that it took for each computation and precision, in a process that it tells so."""
    flags = [word for name, value in shape.items() for word in (f"--{name}", str(value))]
    environment = os.environ | {"ONEDNN_VERBOSE": "1"}
    done = subprocess.run(
        [sys.executable, __file__, "--kernels", *flags], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, list[str]] = {}
    current = ""
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            current = line.removeprefix(MARK)
        elif told := VERBOSE.match(line):
            kind, kernel = told.groups()
            found.setdefault(current, []).append(kernel if kind != "reorder" else "reorder")
    return {name: " + ".join(dict.fromkeys(kernels)) for name, kernels in found.items()}


if __name__ == "__main__":
    main()
