"""Every notebook runs from its first cell to its last, in a folder of its own, in two minutes of two cores."""

import os
import re
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
    before = spent()
    notebook = run(path, tmp_path, monkeypatch)
    seconds = spent() - before
    print(f"{path.stem}: {seconds:.0f} s of processor time, {pictures(notebook)} pictures\n{texts(notebook)}")
    assert pictures(notebook) >= 3
    assert seconds < 60 * MINUTES * CORES
    CHECKS[path.stem](texts(notebook))


def check_fashion_mnist(printed: str) -> None:
    assert printed.count("same samples: True") == 2
    found = dict(re.findall(r"^(training pictures|samples|noise) +([\d.]+)$", printed, re.MULTILINE))
    assert float(found["training pictures"]) > max(float(found["samples"]), float(found["noise"]))


def check_own_subject(printed: str) -> None:
    assert "240 of 240 pictures made 32 px squares" in printed
    assert "80 files: 80 labels new or changed" in printed
    assert re.search(r"filter +kept \d+ of 240", printed)


def check_remedies(printed: str) -> None:
    """What the text says: it collapses, the alarm names it, and only the lower learning rate cures it."""
    assert "mode collapse, a few pictures again and again" in printed
    found = re.findall(r"^(\w.*?) +diversity ([\d.]+)$", printed, re.MULTILINE)
    assert [name for name, value in found if float(value) > 0.5] == ["lower learning rate"]
    assert len(found) == 4


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
def test_fashion_mnist_runs_without_its_data(tmp_path, monkeypatch):
    monkeypatch.delenv("FASHION_MNIST", raising=False)
    path = next(each for each in NOTEBOOKS if each.stem == "fashion-mnist")
    printed = texts(run(path, tmp_path, monkeypatch))
    assert "from the demo (2000, 28, 28) uint8" in printed
    assert printed.count("same samples: True") == 2
