"""Measure a GPU in minutes: speed of the training step, bit-identical resume, and quality of samples.

    python benchmarks/gpu_check.py speed [--seconds 420] [--only WORD…] [--out FILE]
    python benchmarks/gpu_check.py quality FOLDER --weights FILE [--minutes 2,5] [--out FILE]

Uses JAX or TensorFlow, whichever is installed (KERAS_BACKEND decides if both are), and compares with PyTorch if that is
installed. Needs the libraries for training only, not Luigi; `quality` also needs Pillow and h5py. Uses no network.

`speed` measures the rows by priority until the budget of seconds ends: a row is started if the longest of its kind so
far would still fit, and killed 25 s after the budget at the latest. `quality` trains on the pictures of FOLDER, cropped
to the middle square, and scores samples with MobileNet's Keras weights in FILE (`model.save_weights`, without its top).

Each row is printed, and written to FILE as JSON, as soon as it is known. Without --out the file is gpu_speed.json or
gpu_quality.json in the folder of the environment variable OUT, if it is set; contact sheets of samples are beside it.
The last line of output is the same JSON. A row that fails gives the reason in one line.

`in step` is the share of time that the device works on steps: the time of a step whose inputs are on the device, over
the time of a step in a training. Peak memory is that of the GPU, or without a GPU of the process.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
from benchmarks.gpu_jobs import Budget, Found, Job, Outcome, run_job
from benchmarks.gpu_report import QUALITY, SPEED, Report, quality_cells, speed_cells, where
from benchmarks.gpu_rows import Row, Scale, chosen, ratios, speed_rows

LONGEST = 120.0  # seconds of one job, so that one that hangs does not use up the budget
FOR_QUALITY = {"PIL": "Pillow", "h5py": "h5py"}


def main() -> None:
    """Run one of the two commands."""
    given = parse()
    os.environ["KERAS_BACKEND"] = choose_backend()
    (speed if given.command == "speed" else quality)(given)


def parse() -> argparse.Namespace:
    """The arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("speed", help="images a second, and whether a training resumes exactly")
    one.add_argument("--only", nargs="+", default=[], metavar="WORD", help="rows whose names hold one of these")
    one.add_argument("--batches", type=numbers(int), default=[64, 512], help="two, such as 64,512")
    one.add_argument("--models", nargs="+", default=["wide", "sagan"], help="definitions of models/")
    one.add_argument("--turn", type=float, default=1.0, help="seconds that steps are timed for, five times")
    two = commands.add_parser("quality", help="KID after so many minutes of training")
    two.add_argument("folder", type=Path, metavar="FOLDER", help="pictures to learn from")
    two.add_argument("--weights", type=Path, required=True, help="Keras' weights of MobileNet, without its top")
    two.add_argument("--minutes", type=numbers(float), default=[2.0, 5.0], help="such as 2,5")
    two.add_argument("--models", nargs="+", default=["dcgan", "wide"], help="definitions of models/, in turn")
    two.add_argument("--samples", type=int, default=2000)
    two.add_argument("--precision", choices=["auto", "bfloat16", "float32"], default="auto")
    for command, seconds in ((one, 420.0), (two, 440.0)):
        command.add_argument("--seconds", type=float, default=seconds, help="budget (default: %(default)s)")
        command.add_argument("--side", type=int, default=64)
        command.add_argument("--width", type=int, help="of both networks; by default that of each definition")
        command.add_argument("--out", type=Path, metavar="FILE", help="for the JSON")
    return parser.parse_args()


def numbers(kind: type) -> object:
    """What reads numbers of a `kind` with commas between them."""
    return lambda text: [kind(part) for part in text.split(",")]


def choose_backend() -> str:
    """The backend that KERAS_BACKEND names; else the one that is installed, and of two JAX if it has a GPU's plugin."""
    if named := os.environ.get("KERAS_BACKEND"):
        return named
    installed = [name for name in ("jax", "tensorflow") if importlib.util.find_spec(name)]
    if not installed:
        sys.exit("there is neither JAX nor TensorFlow here: install one")
    return installed[0] if len(installed) == 1 or importlib.util.find_spec("jax_plugins") else "tensorflow"


def speed(given: argparse.Namespace) -> None:
    """Measure row after row."""
    budget = Budget(given.seconds)
    report = Report(SPEED, where(given.out, "gpu_speed.json"))
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as folder:
        scale = Scale(
            side=given.side,
            batches=tuple(given.batches),
            width=given.width,
            seconds=given.turn,
            models=tuple(given.models),
            folder=folder,
        )
        rows = chosen(speed_rows(scale, backend=os.environ["KERAS_BACKEND"]), given.only)
        for row in rows:
            _measure(row, budget, report)
        if not _has_torch():
            report.row("PyTorch", "is not here", {"not_begun": "is not here"}, seconds=budget.spent)
    report.end(seconds=budget.spent, times_of_pytorch=ratios(report.found["rows"], rows))


def _measure(row: Row, budget: Budget, report: Report) -> None:
    """Add one row to the report, unless it does not fit into the budget or on this device."""
    if (row.beside and not _has_torch()) or (row.gpu_only and not report.on_gpu):
        return None
    if (needed := budget.expected(row.kind, row.weight)) > budget.left:
        note = f"{max(budget.left, 0):.0f} s are left, and it may take {needed:.0f}"
        return report.row(row.name, f"not begun: {note}", {"not_begun": note}, seconds=budget.spent)
    started, outcome = budget.spent, Outcome()
    for job in row.jobs:
        outcome = run_job(job, limit=budget.limit(LONGEST), on_finding=lambda found: _on_device(found, report))
        if outcome.failed:
            return report.row(row.name, f"failed: {outcome.failed}", {"failed": outcome.failed}, seconds=budget.spent)
    budget.took(row.kind, row.weight, budget.spent - started)
    found = outcome.found[-1]
    cells = speed_cells(found) if "images_per_second" in found else resumed(found)
    return report.row(row.name, cells, found, seconds=budget.spent)


def _has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def resumed(found: Found) -> str:
    """Whether the training that was taken up came to the same bits, in words."""
    if found["bit_identical"]:
        return f"bit-identical: {found['arrays']} arrays, {found['steps']} steps after it was taken up"
    differ = f"{found['arrays_that_differ']} of {found['arrays']} arrays"
    return f"differs in {differ}, by {found['largest_difference']:.3g} at most"


def quality(given: argparse.Namespace) -> None:
    """Train and score in one process, and report what it tells."""
    budget = Budget(given.seconds)
    if missing := [name for module, name in FOR_QUALITY.items() if not importlib.util.find_spec(module)]:
        sys.exit(f"quality needs {' and '.join(missing)} (to enlarge pictures, and to read weights): install it")
    report = Report(QUALITY, where(given.out, "gpu_quality.json"))
    note = {
        "pictures": str(given.folder),
        "weights": str(given.weights),
        "sheets": str(report.path.parent) if report.path else None,
        "budget": given.seconds,
        **{name: getattr(given, name) for name in ("side", "width", "minutes", "models", "samples", "precision")},
    }
    job = Job(kind="quality", given=note)
    outcome = run_job(
        job, limit=budget.limit(given.seconds + 20), on_finding=lambda found: _on_finding(found, report, budget)
    )
    if outcome.failed:
        report.row("quality", f"failed: {outcome.failed}", {"failed": outcome.failed}, seconds=budget.spent)
    report.end(seconds=budget.spent)


def _on_finding(found: Found, report: Report, budget: Budget) -> None:
    """Report one thing that the training has told."""
    _on_device(found, report)
    if "pictures" in found:
        report.row(f"{found['pictures']} pictures", f"scored by {found['extractor']}", found, seconds=budget.spent)
    elif "not_begun" in found:
        report.row(found["name"], f"not begun: {found['not_begun']}", found, seconds=budget.spent)
    elif "name" in found:
        report.row(found["name"], quality_cells(found), found, seconds=budget.spent)


def _on_device(found: Found, report: Report) -> None:
    if "device" in found:
        report.device(found["device"])


if __name__ == "__main__":
    main()
