"""The notebooks in the tree, and what is not kept of them: outputs, counts, and the machine that they ran on.

`python -m tests.notebooks.notebook_files` strips all of them, which CONTRIBUTING.md asks for before a commit.
"""

import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook in the file `path`, as JSON has it."""
    return json.loads(path.read_text(encoding="utf-8"))


def code_of(path: Path) -> list[str]:
    """The code cells of the notebook in the file `path`."""
    return ["".join(cell["source"]) for cell in read_notebook(path)["cells"] if cell["cell_type"] == "code"]


def stripped(tree: dict[str, Any]) -> dict[str, Any]:
    """The notebook `tree` without outputs, counts and metadata."""
    cells = []
    for cell in tree["cells"]:
        kept = {name: cell[name] for name in ("cell_type", "id", "source")} | {"metadata": {}}
        run = {"execution_count": None, "outputs": []} if cell["cell_type"] == "code" else {}
        cells.append(dict(sorted((kept | run).items())))
    return {"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def text_of(tree: dict[str, Any]) -> str:
    """The text of a notebook's file."""
    return json.dumps(tree, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in NOTEBOOKS:
        each.write_text(text_of(stripped(read_notebook(each))), encoding="utf-8")
