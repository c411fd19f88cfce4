"""A disk that is full, read-only or unreadable: every command gives a one-line error, and nothing is lost."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.home import Home

pytestmark = pytest.mark.slow

PAGE = 4096  # bytes by which a file takes up the room of a tmpfs


@pytest.fixture
def small_disk(finished, tmp_path) -> Iterator[Home]:
    """The finished folder on its own disk with some free space."""
    place = tmp_path / "disk"
    place.mkdir()
    size = sum(-(-path.lstat().st_size // PAGE) * PAGE + PAGE for path in finished.folder.rglob("*")) + (4 << 20)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes=0", "none", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a disk, which this user has not")
    try:
        yield finished.copy(place / "home")
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(home: Home) -> Path:
    """Fill the disk; returns the file that fills it."""
    path = home.folder.parent / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, PAGE, 1):
            try:
                while file.write(b"x" * size):
                    continue
            except OSError:
                continue
    return path


def told(said: str) -> str:
    """The output of a command, which must contain no traceback."""
    for word in ("Traceback", "Logging error", "Errno", ":("):
        assert word not in said, said
    return said


@pytest.mark.long
def test_full_disk_gives_one_line_error_and_gc_frees_space(small_disk: Home):
    before = small_disk.outputs()
    small_disk.run("--generate-seed", "5")  # something old, that gc may delete
    small_disk.run("--generate-seed", "0")
    fill(small_disk)
    assert "up to date" in told(small_disk.do("plan"))
    assert "last run" in told(small_disk.do("status"))
    assert "will run   labels changed" not in told(small_disk.do("plan", "--filter-threshold", "0.4"))
    said = told(small_disk.do("run", "--normalize-size", "24", code=1))
    assert said.count("No space left on device; free some space") >= 1
    said = told(small_disk.do("labels", "export", "sorted", code=2))
    assert "No space left on device" in said
    assert "MB freed" in told(small_disk.do("gc", "--keep", "0"))
    shutil.rmtree(small_disk.folder / "sorted", ignore_errors=True)
    small_disk.do("run", "--normalize-size", "16")
    assert small_disk.outputs() == before


def test_labels_on_a_full_disk_are_refused_and_earlier_ones_stay(small_disk: Home):
    before = small_disk.labels()
    taken = small_disk.folder / "taken" / "on"
    taken.mkdir(parents=True)
    square = next((small_disk.stage_folder("normalize") / "latest" / "images").glob("*.png"))
    for path in square.parent.glob("*.png"):
        shutil.copyfile(path, taken / path.name)
    fill(small_disk)
    said = told(small_disk.do("labels", "import", "--on", "taken/on", code=2))
    assert "nothing was added" in said
    assert small_disk.labels() == before


@pytest.mark.long
def test_read_only_disk_allows_plan_and_status(small_disk: Home):
    subprocess.run(["mount", "-o", "remount,ro", small_disk.folder.parent], check=True)
    assert "up to date" in told(small_disk.do("plan"))
    assert "last run" in told(small_disk.do("status", "--verify"))
    assert "MB would be freed" in told(small_disk.do("gc", "--dry-run"))
    assert "everything is up to date" in told(small_disk.do("run"))
    said = told(small_disk.do("run", "--gan-seed", "9", code=2))
    assert "Read-only file system; make the disk writable" in said
    assert "Read-only file system" in told(small_disk.do("labels", "repair", code=2))


# Root may read everything; without these two rights it is a user like others
COMMON = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
AS_COMMON = f"import os, sys; os.execvp('setpriv', {[*COMMON]!r} + [sys.executable, '-m', 'tasks', *sys.argv[1:]])"


@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv, to be a user that may not read everything")
@pytest.mark.long
def test_unreadable_dataset_gives_one_line_error_and_others_are_shown(home: Home):
    shutil.copytree(home.folder / "data" / "demo", home.folder / "data" / "other", symlinks=True)
    for path in (home.folder / "data" / "demo", home.folder / "data" / "other" / "labels.jsonl"):
        path.chmod(0)
    program = ("-c", AS_COMMON)
    said = told(home.do("status", program=program, code=1))
    assert "demo:" in said
    assert "other:" in said
    assert said.count("Permission denied; give this user the right") == 2
    for words in (("plan",), ("run",), ("gc",), ("labels",), ("rerun", "gan"), ("generate",), ("labels", "repair")):
        assert "Permission denied; give this user the right" in told(home.do(*words, program=program, code=2))
