"""A hundred kills at random moments: nothing is lost, and the result is bit-identical."""

import random
import resource
import shutil
import signal
import time
from collections import Counter

import pytest

from tests.end_to_end.home import STAGES, Home
from tests.end_to_end.test_kill import unmake

pytestmark = pytest.mark.long

ROUNDS, KILLS = 10, 8  # runs that are let finish, and kills before each of them
COMMANDS = 21  # kills of `labels import`, `labels export` and `rerun`, by turns


def killed_after(home: Home, seconds: float, *words: str) -> bool:
    """Start a command and kill it after so many seconds; false if it ended before."""
    process = home.start(*words)
    time.sleep(seconds)
    process.kill()
    said, _ = process.communicate(timeout=60)
    assert "Traceback" not in said, said
    return process.returncode == -signal.SIGKILL


def told(what: str, began: float, **figures: object) -> None:
    """Print one line of the table."""
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    words = ", ".join(f"{name} {value}" for name, value in figures.items())
    print(f"\n{what:<24}{time.monotonic() - began:>6.0f} s, largest process {peak:.0f} MiB; {words}", flush=True)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_repeatedly_killed_runs_are_bit_identical(home: Home, number: int):
    chance, began = random.Random(number), time.monotonic()
    expected, stages = home.outputs(), chance.sample(STAGES, 3)
    for stage in stages:
        unmake(home, stage)
    kills = sum(killed_after(home, chance.uniform(0.2, 12.0), "run") for _ in range(KILLS))
    home.do("run")
    assert home.outputs() == expected
    assert home.run() == []
    assert "damaged" not in home.do("status", "--verify")
    told(f"run, round {number}", began, kills=f"{kills} of {KILLS}", stages="+".join(stages))


def test_repeatedly_killed_labels_and_reruns_lose_nothing(home: Home):
    chance, began = random.Random(0), time.monotonic()
    expected, kills = home.outputs(), Counter()
    before = {row["id"]: row["label"] for row in home.labels()}
    squares = [path.stem for path in (home.stage_folder("normalize") / "latest" / "images").glob("*.png")]
    free = sorted(set(squares) - before.keys())
    for number in range(COMMANDS):
        command = ("import", "export", "rerun")[number % 3]
        if command == "import":
            folder = home.folder / f"on-{number}"
            folder.mkdir()
            for name in chance.sample(free, 5):
                shutil.copyfile(
                    home.stage_folder("normalize") / "latest" / "images" / f"{name}.png", folder / f"{name}.png"
                )
            words = ("labels", "import", "--unsure", folder.name)
        else:
            words = (
                ("rerun", chance.choice(STAGES[:4])) if command == "rerun" else ("labels", "export", f"sorted-{number}")
            )
        kills[command] += killed_after(home, chance.uniform(0.05, 10.0 if command == "rerun" else 1.6), *words)
        home.do("labels")  # the log can be read; nothing torn has to be repaired
        now = {row["id"]: row["label"] for row in home.labels()}
        assert before.items() <= now.items()
        if command == "export":  # resumes from what the killed one left
            home.do(*words)
            assert sorted(path.stem for path in (home.folder / words[2]).rglob("*.png")) == sorted(squares)
    home.label(*({"id": id, "label": None} for id in now.keys() - before.keys()))  # as it was
    home.do("run")
    found = home.outputs()
    assert {stage: set(each) for stage, each in found.items()} == {stage: set(each) for stage, each in expected.items()}
    content = {"download": "images", "normalize": "images", "filter": "kept", "gan": "generator", "generate": "samples"}
    assert {s: found[s][name] for s, name in content.items()} == {s: expected[s][name] for s, name in content.items()}
    told("labels and rerun", began, **{f"{name} killed": count for name, count in kills.items()})
