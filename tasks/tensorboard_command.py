"""The command `python -m tasks tensorboard`: show the trainings of a dataset in TensorBoard.

TensorBoard names a training by its folder, so it is given a folder with a link for each one: 001-dcgan-64px. A training
that wrote no events gets them from its statistics and sheets.
"""

import contextlib
import importlib.util
import subprocess
import sys
import tempfile
from argparse import Namespace
from pathlib import Path

from pipeline.errors import UserError
from pipeline.gan.stats_log import STATS
from pipeline.gan.tensorboard_events import event_files, write_events
from pipeline.options import dataset_flag
from pipeline.report.trainings import SHEETS, Trainings
from tasks import paths

COMMAND = (sys.executable, "-m", "tensorboard.main")
PORT = 6006  # TensorBoard's own
EVERY = 5.0  # seconds between two looks for new trainings


def tensorboard(arguments: Namespace) -> int:
    """Serve TensorBoard on this machine until ctrl-C."""
    dataset, port = paths.existing_dataset(arguments.dataset), arguments.port
    if not 0 < port < 65536:
        raise UserError(f"--port {port}: expected a number from 1 to 65535, for example {PORT}")
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(
            "TensorBoard is not installed: `make tensorboard` installs it, or `pip install -r"
            " requirements-tensorboard.txt`"
        )
    with tempfile.TemporaryDirectory(prefix="ganmill-tensorboard-") as view:
        found = link_trainings(dataset, Path(view))
        if not found:
            raise UserError(
                f"{dataset} has no training to show yet; `python -m tasks run{dataset_flag(dataset)}"
                " --gan-tensorboard true` trains one that can be watched"
            )
        # Where links are not possible a training has the name of its folder, and the newest is there twice, as latest
        shown = Path(view) if any(Path(view).iterdir()) else paths.generated_folder(dataset) / SHEETS
        return _serve(dataset, shown, Path(view), port)


def _serve(dataset: str, shown: Path, view: Path, port: int) -> int:
    """Run TensorBoard on the folder `shown`, and link new trainings into `view`; returns its exit code."""
    command = [*COMMAND, "--logdir", str(shown), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command) as process:
        while True:
            try:
                return process.wait(EVERY)
            except subprocess.TimeoutExpired:
                link_trainings(dataset, view)
            except KeyboardInterrupt:  # TensorBoard got it too
                process.wait()
                return 0


def link_trainings(dataset: str, view: Path) -> int:
    """Let each training with events have a link in `view`, by its name; returns how many there are.

    One without events gets them, unless it is running: then a line says how it can be watched.
    """
    trainings, store = Trainings(paths.generated_folder(dataset)), paths.artifact_store(dataset, "gan")
    found = 0
    for training in trainings.all():
        folder, link = trainings.sheets(training).absolute(), view / training.name
        if not event_files(folder) and (folder / STATS).is_file():
            if store.is_in_use(training.key):
                print(f"{training.name} runs without gan.tensorboard: it is shown when it has ended", file=sys.stderr)
                continue
            write_events(folder)
        if event_files(folder):
            found += 1
            with contextlib.suppress(OSError):  # there already, or a system without links
                link.symlink_to(folder, target_is_directory=True)
    return found
