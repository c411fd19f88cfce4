"""CONTRIBUTING.md names files, make targets and names in the code that are there."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
TEXT = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\n]+)`", TEXT)
IS_PATH = re.compile(r"[\w./-]+(/|\.(py|txt|toml|json|js|jinja|yaml|md))")
PATHS = sorted({word for word in CODE if IS_PATH.fullmatch(word)} - {"__init__.py"})
TARGETS = sorted({name for words in CODE for name in re.findall(r"^make ([a-z-]+)", words)})
# Names of the code, each with the file that a step sends the reader to for it
NAMES = {
    "FAST": "tests/conftest.py",
    "MAY_READ": "tests/test_imports.py",
    "WebSource": "pipeline/crawl/sources/base.py",
    "Source": "pipeline/options.py",
    "LOSSES": "pipeline/gan/training/losses.py",
    "STAGE_OPTIONS": "pipeline/options.py",
    "STAGE_TASKS": "tasks/stages.py",
    "VIEWS": "pipeline/web/labelling/views.py",
    "Result": "pipeline/result.py",
    "UserError": "pipeline/errors.py",
}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_is_there(path):
    assert (REPOSITORY / path).exists()


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_is_there(target):
    assert re.search(rf"^{target}:", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("name", "path"), NAMES.items())
def test_every_name_is_where_a_step_looks_for_it(name, path):
    assert path in TEXT
    assert re.search(rf"\b{name}\b", (REPOSITORY / path).read_text(encoding="utf-8"))


def test_the_guide_names_paths_and_targets():
    assert len(PATHS) > 20
    assert {"test", "test-fast", "lock"} <= set(TARGETS)
