"""The command `python -m tasks tensorboard`: show the trainings of a dataset in TensorBoard.

TensorBoard names a training by its folder, so it is given a folder with a link for each one: 001-dcgan-64px. A training
that wrote no events gets them from its statistics and sheets.
"""

import contextlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from pipeline.dataset_names import dataset_flag
from pipeline.errors import UserError
from pipeline.gan.stats_log import STATS
from pipeline.gan.tensorboard_events import event_files, write_events
from pipeline.report.trainings import SHEETS, Training, Trainings
from pipeline.text import to_plain_line
from tasks import paths, signals
from tasks.isolation import output_into

COMMAND = (sys.executable, "-m", "tensorboard.main")
PORT = 6006  # TensorBoard's own
EVERY, TICK = 5.0, 0.2  # seconds between two looks for new trainings, and for a signal
MAX_LINE = 300


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command to its parser."""
    parser.set_defaults(function=tensorboard)
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")


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
    with signals.listening(), tempfile.TemporaryDirectory(prefix="ganmill-tensorboard-") as view:
        links = TrainingLinks(dataset, Path(view))
        if not links.update() and not signals.should_stop():
            raise UserError(
                f"{dataset} has no training to show yet; `python -m tasks run{dataset_flag(dataset)}"
                " --gan-tensorboard true` trains one that can be watched"
            )
        # Where links are not possible a training has the name of its folder, and the newest is there twice, as latest
        shown = Path(view) if any(Path(view).iterdir()) else paths.generated_folder(dataset) / SHEETS
        return _serve(links, shown, port)


class TrainingLinks:
    """A link in the folder `view` for each training of `dataset` that has events, by the name of the training."""

    def __init__(self, dataset: str, view: Path) -> None:
        self._trainings, self._store = Trainings(paths.generated_folder(dataset)), paths.artifact_store(dataset, "gan")
        self._view = view
        self._said: set[str] = set()

    def update(self) -> int:
        """Link trainings that are new; returns how many have events.

        One without events gets them, unless it is running: then a line says when it is shown. A signal ends it between
        two trainings.
        """
        linked = 0
        for training in self._trainings.all():
            if signals.should_stop():
                break
            linked += self._link(training)
        return linked

    def _link(self, training: Training) -> bool:
        folder = self._trainings.sheets(training).absolute()
        if not event_files(folder):
            if not (folder / STATS).is_file():
                return False
            if self._store.is_in_use(training.key):
                self._say_once(f"{training.name} runs without gan.tensorboard: it is shown when it has ended")
                return False
            try:
                with output_into(Path(os.devnull)):  # TensorFlow says a lot about itself while it loads
                    write_events(folder)
            except OSError as error:
                self._say_once(f"{training.name} is not shown: its events cannot be written ({error})")
                return False
        with contextlib.suppress(OSError):  # there already, or a system without links
            (self._view / training.name).symlink_to(folder, target_is_directory=True)
        return True

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            print(to_plain_line(line, MAX_LINE), file=sys.stderr)
        self._said.add(line)


def _serve(links: TrainingLinks, shown: Path, port: int) -> int:
    """Run TensorBoard on the folder `shown`, with links to new trainings, until ctrl-C or SIGTERM; returns its code."""
    command = [*COMMAND, "--logdir", str(shown), "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command) as process:
        looked = time.monotonic()
        try:
            while not signals.should_stop():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return process.wait(TICK)
                if time.monotonic() > looked + EVERY:
                    links.update()
                    looked = time.monotonic()
            return 0
        finally:
            process.terminate()  # does nothing if it has ended, as by the same ctrl-C
            process.wait()
