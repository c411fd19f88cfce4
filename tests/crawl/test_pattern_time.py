"""No text makes a pattern or parser of the crawl slow: `re` holds the interpreter lock, so one match could
block all.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.crawl import image_type
from tests.crawl.linear import patterns

REPOSITORY = Path(__file__).parents[2]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
MODULES = sorted((REPOSITORY / "pipeline" / "crawl").rglob("*.py"))


def slow_patterns(*given):
    """The slow patterns, from a process that can be killed even while it is in `re`."""
    command = [sys.executable, "-m", "tests.crawl.linear", *given]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_pattern_or_parser_is_slow_on_repeated_tokens():
    modules = {name.split(" ")[0].rpartition(".")[0] for name in patterns()}
    assert {"pipeline.crawl.image_type", "pipeline.crawl.sources.google"} <= modules
    assert slow_patterns() == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!.*?>\s*)*<svg\b",
        r"(\S*[^\s,])(?:\s+(\d+(?:\.\d+)?)[^\s,]*)?\s*(?:,|$)",
    ],
)
def test_backtracking_patterns_are_reported_as_slow(pattern):
    assert [name for name, _ in slow_patterns(pattern)] == [pattern]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_pattern_is_a_module_constant(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "re"]
    within = {id(node) for function in ast.walk(tree) if isinstance(function, FUNCTIONS) for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "re":
            assert node.attr in ("compile", "escape", "IGNORECASE", "DOTALL"), f"line {node.lineno}: re.{node.attr}"
            assert node.attr != "compile" or id(node) not in within, f"line {node.lineno}: compiled in a function"


def test_detect_type_of_repeated_declarations_is_fast():
    code = "from pipeline.crawl.image_type import detect_type; print(detect_type(b'<!>' * 60))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    assert done.stdout.strip() == image_type.detect_type(b"text") == "text"
