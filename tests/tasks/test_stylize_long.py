"""The command in its own process: killed and stopped at any moment, it leaves the same bytes in the end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.images.png import encode_png
from tests.conftest import REPOSITORY
from tests.style.drawn_pictures import checks, disc

pytestmark = pytest.mark.long
FLAGS = ["--network=EfficientNetLite0", "--size=64", "--levels=2", "--steps=60", "--checkpoint-every=7", "--sheets=5"]


def start(folder: Path) -> subprocess.Popen:
    words = [sys.executable, "-m", "tasks", "stylize", "rose.png", "style.png", "--out", "art", *FLAGS]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def prepare(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, picture in {"rose.png": disc(64), "style.png": checks(64)}.items():
        (folder / name).write_bytes(encode_png(picture))
    return folder


def wait_for_lines(folder: Path, count: int, process: subprocess.Popen) -> None:
    """Wait until the statistics of the work in progress have `count` lines."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        found = [*folder.glob("art/.work-*/stats.jsonl")]
        if found and len(found[0].read_text().splitlines()) >= count:
            return
        time.sleep(0.01)
    pytest.fail(f"no {count} lines: {process.communicate()}")


def made(folder: Path) -> dict[str, bytes]:
    (artifact,) = {path.parent.resolve() for path in folder.glob("art/[0-9a-f]*/manifest.json")}
    names = ("picture.png", "stats.jsonl", "card.json", "README.md", "film.gif")
    sheets = sorted(path.relative_to(artifact).as_posix() for path in (artifact / "sheets").iterdir())
    return {name: (artifact / name).read_bytes() for name in (*names, *sheets)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = prepare(tmp_path_factory.mktemp("whole"))
    process = start(folder)
    out, err = process.communicate(timeout=500)
    assert process.returncode == 0, err
    assert out == "art/rose.png\n"
    return made(folder)


@pytest.mark.parametrize("lines", [1, 5, 8, 12])
def test_a_killed_command_goes_on_bit_exactly(tmp_path, whole, lines):
    folder = prepare(tmp_path)
    process = start(folder)
    wait_for_lines(folder, lines, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not [*folder.glob("art/[0-9a-f]*/manifest.json")]
    again = start(folder)
    _, err = again.communicate(timeout=500)
    assert again.returncode == 0, err
    assert made(folder) == whole


def test_ctrl_c_says_so_in_one_line_and_the_next_call_goes_on(tmp_path, whole):
    folder = prepare(tmp_path)
    process = start(folder)
    wait_for_lines(folder, 3, process)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=500)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "stopped after" in err
    again = start(folder)
    again.communicate(timeout=500)
    assert made(folder) == whole
    third = start(folder)
    _, err = third.communicate(timeout=500)
    assert "rose: finished already" in err
