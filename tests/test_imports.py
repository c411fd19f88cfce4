"""The house rules on imports: one way only, and TensorFlow in two rooms alone."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
# Each room of pipeline/ and the rooms it may read from; every room may read the ground floor
GROUND = {"errors", "machine", "neighbours", "progress", "result", "option_types", "options", "dataset_names", "text"}
GROUND |= {"fork_server"}
MAY_READ = {
    "options": set(),
    "dataset_names": set(),
    "store": set(),
    "cluster": {"store"},
    "images": {"store", "cluster"},
    "demo": {"store", "images"},
    "labels": {"store", "images", "demo"},
    "crawl": {"store", "images", "demo"},
    "devices": set(),
    "efficientnet": {"devices"},
    "lite_network": set(),
    "pretrained": {"store"},
    "filter": {"store", "cluster", "images", "labels", "devices", "lite_network", "pretrained"},
    "gan": {"store", "cluster", "images", "labels", "filter", "devices", "efficientnet", "lite_network", "pretrained"},
    "style": {"store", "images", "filter", "gan", "devices", "efficientnet", "pretrained"},
    "report": {"store", "images", "labels", "filter", "gan", "demo", "night_record", "run_record"},
    "night_record": {"store"},
    "run_record": {"store"},
    "run_process": {"run_record"},
    "web": {"store", "images", "labels", "filter", "gan", "pretrained", "style", "report", "night_record", "run_record"}
    | {"run_process"},
}
NETWORKS = {"tensorflow", "keras", "jax", "torch"}


def modules(folder: str) -> list[Path]:
    return sorted((REPOSITORY / folder).rglob("*.py"))


@cache
def imports(path: Path) -> list[str]:
    """Every module that a file imports, wherever in the file."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module)
            if node.module == "pipeline":
                found += [f"pipeline.{alias.name}" for alias in node.names]
    return found


def rooms_read(path: Path) -> set[str]:
    parts = [name.split(".") for name in imports(path)]
    return {part[1] for part in parts if part[0] == "pipeline" and len(part) > 1}


def test_every_room_is_in_the_rules():
    packages = {path.parent.name for path in (REPOSITORY / "pipeline").glob("*/__init__.py")}
    assert packages <= set(MAY_READ)


@pytest.mark.parametrize("path", modules("pipeline"), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_room_reads_only_from_the_rooms_before_it(path):
    room = path.relative_to(REPOSITORY / "pipeline").parts[0].removesuffix(".py")
    allowed = GROUND | MAY_READ.get(room, set()) | {room}
    assert rooms_read(path) <= allowed


@pytest.mark.parametrize("path", modules("pipeline"), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_pipeline_knows_nothing_of_luigi_or_tasks(path):
    assert not {name.split(".")[0] for name in imports(path)} & {"luigi", "tasks"}


@pytest.mark.parametrize(
    "path", modules("pipeline") + modules("tasks"), ids=lambda path: str(path.relative_to(REPOSITORY))
)
def test_only_filter_and_gan_import_a_network_library(path):
    used = {name.split(".")[0] for name in imports(path)} & NETWORKS
    rooms = {"filter", "gan", "style", "devices", "lite_network"}
    assert not used or rooms & {path.stem, *(parent.name for parent in path.parents)}


def test_keras_comes_from_devices_alone_which_sets_its_environment_first():
    paths = modules("pipeline") + modules("tasks")
    found = [path for path in paths if "keras" in {name.split(".")[0] for name in imports(path)}]
    assert found == [REPOSITORY / "pipeline" / "devices.py"]


def test_loading_the_web_server_loads_no_network_library():
    code = f"import sys, pipeline.web.server; print(sorted(set(sys.modules) & {NETWORKS | {'matplotlib'}}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_loading_the_tasks_and_the_command_line_loads_no_network_library():
    code = f"import sys, tasks, tasks.cli; print(sorted(set(sys.modules) & {NETWORKS | {'sklearn', 'matplotlib'}}))"
    found = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
