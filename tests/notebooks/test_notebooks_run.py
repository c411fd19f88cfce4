"""Every notebook runs from its first cell to its last, in a folder of its own, in two minutes of two cores."""

import contextlib
import os
import re
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from pipeline.demo.picture import draw
from tests.notebooks.notebook_files import NOTEBOOKS, REPOSITORY

MINUTES, CORES = 2, 2
MARK = "GANMILL_NOTEBOOK"
TIMEOUT = 1800  # seconds for one cell, on a machine that does other things too


class ProcessorTime(threading.Thread):
    """Adds up the processor time of the kernel and all that it starts, also of processes that outlive their parent."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._seconds: dict[tuple[int, float], float] = {}  # of each process
        self._done = threading.Event()

    @property
    def seconds(self) -> float:
        """Seconds on one core, of all processes together."""
        return sum(self._seconds.values())

    def run(self) -> None:
        """Look at all processes twice a second; those of the notebook have MARK in their environment."""
        while not self._done.wait(0.5):
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error, OSError):
                    if MARK in process.environ():
                        times = process.cpu_times()
                        self._seconds[process.pid, process.create_time()] = times.user + times.system

    def __enter__(self) -> "ProcessorTime":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self.join()


def run(path: Path, folder: Path, monkeypatch):
    """The notebook in the file `path`, executed in `folder` with this repository's ganmill."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    found = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYTHONPATH", found)
    monkeypatch.setenv(MARK, path.stem)
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(folder)}}
    # Bars are drawn again and again over one line: streams in one piece keep the last drawing
    nbclient.NotebookClient(notebook, timeout=TIMEOUT, coalesce_streams=True, resources=place).execute()
    if out := os.environ.get("EXECUTED_NOTEBOOKS"):  # a folder, for a person who wants to read them
        nbformat.write(notebook, Path(out) / path.name)
    return notebook


def texts(notebook) -> str:
    """All that the cells printed."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs if output.get("name") == "stdout")


def pictures(notebook) -> int:
    """How many pictures the cells show."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_within_its_time(path, tmp_path, monkeypatch):
    data = REPOSITORY.parent / "shared" / "data" / "fashion-mnist"
    if data.is_dir():
        monkeypatch.setenv("FASHION_MNIST", str(data))
    began = time.monotonic()
    with ProcessorTime() as used:
        notebook = run(path, tmp_path, monkeypatch)
    elapsed, shown = time.monotonic() - began, pictures(notebook)
    print(f"{path.stem}: {elapsed:.0f} s, {used.seconds:.0f} s of processor time, {shown} pictures\n{texts(notebook)}")
    assert shown >= 3
    # Alone on two cores it takes at most as long as here, and at least half of its processor time
    assert 0 < used.seconds < 60 * MINUTES * CORES
    assert min(elapsed, used.seconds) < 60 * MINUTES
    CHECKS[path.stem](texts(notebook))


def check_fashion_mnist(printed: str) -> None:
    assert printed.count("same samples: True") == 2
    found = dict(re.findall(r"^(training pictures|samples|noise) +([\d.]+)$", printed, re.MULTILINE))
    assert float(found["training pictures"]) > max(float(found["samples"]), float(found["noise"]))


def check_own_subject(printed: str) -> None:
    assert "240 of 240 pictures made 32 px squares" in printed
    assert "80 files: 80 labels new or changed" in printed
    assert re.search(r"filter +kept \d+ of 240", printed)
    assert "A generator that was trained on" in printed  # of the model card


def check_remedies(printed: str) -> None:
    """What the text says: it collapses, the alarm names it, and equal learning rates cure it best."""
    assert "mode collapse, a few pictures again and again" in printed
    found = re.findall(r"^(\w.*?) +diversity ([\d.]+)$", printed, re.MULTILINE)
    measured = {name: float(value) for name, value in found}
    assert max(measured, key=measured.get) == "equal learning rates"
    assert measured["none"] < 0.2 < measured["augmentation"]
    assert measured["minibatch standard deviation"] < 0.2
    assert measured["equal learning rates"] > 0.5


def check_style_transfer(printed: str) -> None:
    """As the text says, the loss of the style falls."""
    first, last = re.search(r"loss of the style at 64 pixels: (\S+) at first, (\S+) at the end", printed).groups()
    assert float(last) < float(first) / 2


CHECKS = {
    "fashion-mnist": check_fashion_mnist,
    "own-subject": check_own_subject,
    "remedies": check_remedies,
    "style-transfer": check_style_transfer,
}


@pytest.mark.long
def test_own_pictures_wait_to_be_sorted_and_are_then_used(tmp_path, monkeypatch):
    """First nothing is sorted, and the notebook says so; the second time, in the same folder, it runs to its end."""
    nbclient = pytest.importorskip("nbclient")
    random = np.random.default_rng(0)
    path = next(each for each in NOTEBOOKS if each.stem == "own-subject")
    for subject, count in {"toadstool": 60, "umbrella": 40}.items():
        (tmp_path / "mine").mkdir(exist_ok=True)
        for number in range(count):
            Image.fromarray(draw(subject, random, (96, 96))).save(tmp_path / "mine" / f"{subject}-{number}.png")
    monkeypatch.setenv("PICTURES", "mine")  # relative to where the notebook is
    monkeypatch.setenv("WORK", str(tmp_path / "work"))
    with pytest.raises(
        nbclient.exceptions.CellExecutionError, match="ganmill run ended with exit code 3; its last line says why"
    ):
        run(path, tmp_path, monkeypatch)
    for label, subject in {"on": "toadstool", "off": "umbrella"}.items():
        for number in range(15):
            name = f"{subject}-{number}.png"
            shutil.copyfile(tmp_path / "mine" / name, tmp_path / "work" / "sorted" / label / name)
    printed = texts(run(path, tmp_path, monkeypatch))
    assert "30 files: 30 labels new or changed" in printed
    assert re.search(r"filter +kept \d+ of 100", printed)


@pytest.mark.long
def test_fashion_mnist_runs_without_its_data(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_MNIST", raising=False)
    path = next(each for each in NOTEBOOKS if each.stem == "fashion-mnist")
    printed = texts(run(path, tmp_path, monkeypatch))
    assert "from the demo (2000, 28, 28) uint8" in printed
    assert printed.count("same samples: True") == 2
