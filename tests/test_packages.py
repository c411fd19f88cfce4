"""Every package says in its `__init__` what is inside, and names only what is there; no two modules share a name."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
MODULES = [path for folder in ("pipeline", "tasks") for path in sorted((REPOSITORY / folder).rglob("*.py"))]
PACKAGES = [path.parent for path in MODULES if path.name == "__init__.py"]
# One name in two rooms, because it is the same thing in both
SAME_NAME = {
    "features": "what the filter learns from, and what samples are measured by: both turn squares into vectors",
}


def name_of(package: Path) -> str:
    return package.relative_to(REPOSITORY).as_posix()


def docstring(package: Path) -> str:
    return ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""


def is_there(package: Path, name: str) -> bool:
    """Whether `name` is a module or folder of the package, `module.function` of one, or the name of a whole package."""
    if name in ("pipeline", "tasks", package.name):
        return True
    module, _, function = name.partition(".")
    path = package / module
    if path.is_dir():
        return not function
    code = path.with_suffix(".py")
    return code.exists() and (not function or re.search(rf"^(def|class) {function}\b", code.read_text("utf-8"), re.M))


each_package = pytest.mark.parametrize("package", PACKAGES, ids=name_of)


@each_package
def test_a_package_says_what_is_inside_in_a_few_lines(package):
    assert 2 <= len(docstring(package).splitlines()) <= 9


@each_package
def test_a_package_names_only_what_it_holds(package):
    named = re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", docstring(package))
    folders = re.findall(r"\b(\w+)/(?!\w|<)", docstring(package))
    assert named
    assert [name for name in [*named, *folders] if not is_there(package, name)] == []


def test_modules_of_one_name_are_listed_with_a_reason():
    places = defaultdict(list)
    for path in MODULES:
        if path.stem != "__init__":
            places[path.stem].append(name_of(path))
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in SAME_NAME} == {}
