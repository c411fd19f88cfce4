"""docs/architecture.md against the tree: what it names exists, and no package and no stage is left out."""

import ast
import re
from functools import cache
from pathlib import Path

import luigi
import pytest

from pipeline.options import STAGE_OPTIONS
from tasks import Download, Filter, Generate, Normalize, Report, TrainClassifier, TrainGan

STAGES = (Download, Normalize, TrainClassifier, Filter, TrainGan, Generate, Report)
REPOSITORY = Path(__file__).parent.parent
PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([^`\n]+)`", PAGE)))
PATHS = [name for name in NAMED if "/" in name and "<" not in name and "…" not in name]
CODE = [path for folder in ("pipeline", "tasks") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
PACKAGES = sorted(path.parent.relative_to(REPOSITORY).as_posix() for path in CODE if path.name == "__init__.py")
FOLDERS_OF_STAGES = ("raw/", "images/", "sheets/", "samples/")  # below data/, models/ and generated/


@cache
def defined() -> dict[type, set[str]]:
    """The names of all classes and functions in the code."""
    found: dict[type, set[str]] = {ast.ClassDef: set(), ast.FunctionDef: set()}
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if type(node) in found:
                found[type(node)].add(node.name)
    return found


def rows_below(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    table = re.search(r"^\|.*\n\|[-|]+\|\n((?:\|.*\n)+)", section, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|\n").split("|")] for row in table[1].splitlines()]


@pytest.mark.parametrize("name", PATHS)
def test_every_path_exists(name):
    assert name in FOLDERS_OF_STAGES or (REPOSITORY / name).exists()


@pytest.mark.parametrize("name", [name for name in NAMED if re.fullmatch(r"\w+\(\)", name)])
def test_every_function_exists_in_the_code_or_in_luigi(name):
    assert name[:-2] in defined()[ast.FunctionDef] or hasattr(luigi.Task, name[:-2])


@pytest.mark.parametrize("name", [name for name in NAMED if re.fullmatch(r"([A-Z][a-z]+)+", name)])
def test_every_class_exists(name):
    assert name in defined()[ast.ClassDef]


@pytest.mark.parametrize("name", [name for name in NAMED if re.fullmatch(r"(pipeline|tasks)(\.\w+)+(:\w+)?", name)])
def test_every_module_and_its_function_exist(name):
    module, _, function = name.partition(":")
    path = REPOSITORY / module.replace(".", "/")
    assert path.is_dir() or path.with_suffix(".py").exists()
    assert not function or f"\ndef {function}(" in path.with_suffix(".py").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_named(package):
    assert package == "pipeline" or f"`{package}/`" in PAGE or f"`{package.replace('/', '.')}`" in PAGE


def test_the_table_of_stages_is_the_chain():
    found = [(stage.strip("`"), path.strip("`")) for stage, path, *_ in rows_below("The chain")]
    modules = [task.function.partition(":")[0] for task in STAGES]
    assert found == [
        (task.stage, f"{module.replace('.', '/')}.py") for task, module in zip(STAGES, modules, strict=True)
    ]


def test_every_stage_has_a_row_on_its_content_key():
    rows = rows_below("The store and its content keys")
    assert [stage.strip("`") for stage, _ in rows] == list(STAGE_OPTIONS)


@pytest.mark.parametrize("task", STAGES, ids=lambda task: task.stage)
def test_the_digests_in_a_content_key_are_those_that_the_task_reads(task):
    words = {
        "images": "pictures" if task.stage == "normalize" else "squares",
        "classes": "classes",
        "model": "classifier",
        "kept": "kept squares",
        "generator": "generator",
        "folder": "folders of all stages",
    }
    row = dict(rows_below("The store and its content keys"))[f"`{task.stage}`"]
    for outputs in task(dataset="demo").reads().values():
        for output in outputs:
            assert words[output] in row
