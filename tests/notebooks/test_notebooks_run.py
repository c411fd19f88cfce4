"""Every notebook runs from its first cell to its last, in a folder of its own, in two minutes of two cores."""

import os
import resource
from pathlib import Path

import pytest

from tests.notebooks.notebook_files import NOTEBOOKS, REPOSITORY

MINUTES, CORES = 2, 2
TIMEOUT = 1800  # seconds for one cell, on a machine that does other things too


def spent() -> float:
    """Seconds of processor time that finished child processes took."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def run(path: Path, folder: Path, monkeypatch):
    """The notebook in the file `path`, executed in `folder` with this repository's ganmill."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    found = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYTHONPATH", found)
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=TIMEOUT, resources={"metadata": {"path": str(folder)}}).execute()
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
    before = spent()
    notebook = run(path, tmp_path, monkeypatch)
    seconds = spent() - before
    print(f"{path.stem}: {seconds:.0f} s of processor time, {pictures(notebook)} pictures\n{texts(notebook)}")
    assert pictures(notebook) >= 3
    assert seconds < 60 * MINUTES * CORES


@pytest.mark.long
def test_fashion_mnist_runs_without_its_data(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_MNIST", raising=False)
    path = next(each for each in NOTEBOOKS if each.stem == "fashion-mnist")
    printed = texts(run(path, tmp_path, monkeypatch))
    assert "from the demo (2000, 28, 28) uint8" in printed
    assert printed.count("same samples: True") == 2
