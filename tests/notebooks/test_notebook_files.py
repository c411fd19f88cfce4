"""The notebooks in the tree: nothing of the machine that they ran on, and ready for Colab."""

import ast
import re

import pytest

from tests.notebooks.notebook_files import NOTEBOOKS, REPOSITORY, code_of, read_notebook, stripped, text_of

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_are_notebooks():
    assert {"fashion-mnist", "own-subject", "remedies"} <= {path.stem for path in NOTEBOOKS}


@each_notebook
def test_a_notebook_has_no_outputs_counts_or_metadata(path):
    assert path.read_text(encoding="utf-8") == text_of(stripped(read_notebook(path)))


def test_stripping_removes_outputs_counts_and_metadata():
    cell = {"cell_type": "code", "id": "a", "source": ["1"], "metadata": {"collapsed": True}, "execution_count": 3,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1"]}]}  # fmt: skip
    tree = {"cells": [cell], "metadata": {"kernelspec": {"name": "mine"}, "colab": {}}, "nbformat": 4}
    found = stripped(tree)
    assert found["cells"] == [
        {"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [], "source": ["1"]}
    ]
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    assert "colab" not in found["metadata"]


@each_notebook
def test_the_first_code_cell_installs_from_one_address_only_where_ganmill_is_missing(path):
    first, *others = code_of(path)
    assert first.startswith('REPOSITORY = "https://')
    *before, last = ast.parse(first).body
    assert isinstance(last, ast.If)
    assert ast.unparse(last.test) == "importlib.util.find_spec('pipeline') is None"
    assert [type(each) for each in before] == [ast.Assign, *[ast.Import] * 3, ast.ImportFrom]
    assert "REPOSITORY" in ast.unparse(last)
    assert not any("pip" in re.findall(r"\w+", code) for code in others)


@each_notebook
def test_a_notebook_explains_time_limit_resume_and_drive(path):
    text = "".join("".join(cell["source"]) for cell in read_notebook(path)["cells"])
    for words in ("folder=", 'drive.mount("/content/drive")'):
        assert words in text
    assert "minutes=" in text or "should_stop=" in text


@each_notebook
def test_no_cell_names_a_folder_of_this_machine(path):
    assert str(REPOSITORY.parent) not in path.read_text(encoding="utf-8")
    assert not re.search(r'"/(?!content/drive)[a-z]+/', "\n".join(code_of(path)))


@each_notebook
def test_the_page_names_the_notebook(path):
    assert f"notebooks/{path.name}" in (REPOSITORY / "docs" / "notebooks.md").read_text(encoding="utf-8")
