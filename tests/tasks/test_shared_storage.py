"""Two working folders that share a storage: what one has made the other uses, and every command tells the same."""

import json
import shutil

import numpy as np
import pytest
from filelock import Timeout

from pipeline.images.png import encode_png
from pipeline.labels import seed
from tasks import gc_command, machines
from tasks.cli import main
from tests.tasks.fake_stages import use_fakes


@pytest.fixture(autouse=True)
def no_flags():
    yield
    machines._flags.clear()


@pytest.fixture
def pictures(tmp_path):
    """A folder of eight pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(8):
        pixels = np.kron(random.integers(0, 256, (8, 8, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
        (folder / f"{number}.png").write_bytes(encode_png(pixels))
    return folder


@pytest.fixture
def command(tmp_path, monkeypatch, capsys, pictures):
    """Runs a command on the machine of a name; returns the exit code and what it printed."""

    def run(machine: str, *words: str, storage: str = "store") -> tuple[int, str]:
        (tmp_path / machine).mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / machine)
        flags = ["--dataset", "cats", "--storage", storage and str(tmp_path / storage)]
        flags += [] if words[0] == "gc" else ["--until", "normalize"]
        source = ["--download-sources", "folder", "--download-folder", str(pictures), "--normalize-processes", "1"]
        code = main([words[0], *flags, *source, *words[1:]])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def states(plan: str) -> dict[str, str]:
    return {step["stage"]: step["state"] for step in json.loads(plan)}


def test_what_one_machine_has_made_the_other_uses(command, tmp_path):
    assert states(command("a", "plan", "--json")[1]) == {"download": "will run", "normalize": "will run"}
    assert command("a", "run")[0] == 0
    assert states(command("b", "plan", "--json")[1]) == {"download": "up to date", "normalize": "up to date"}
    assert not (tmp_path / "b" / "data" / "cats" / "normalize").exists()
    code, said = command("b", "run")
    assert code == 0
    assert f"is fetched from {tmp_path / 'store'}" in said
    assert "everything up to normalize is up to date" in said
    here, there = (tmp_path / name / "data" / "cats" / "normalize" / "latest" for name in "ab")
    assert (
        json.loads((here / "manifest.json").read_text())["outputs"]
        == json.loads((there / "manifest.json").read_text())["outputs"]
    )
    assert sorted(path.name for path in (here / "images").iterdir()) == sorted(
        path.name for path in (there / "images").iterdir()
    )


def test_what_was_made_before_there_was_a_storage_is_copied_there(command, tmp_path):
    assert command("a", "run", storage="")[0] == 0
    assert not (tmp_path / "store").exists()
    code, said = command("a", "run")
    assert code == 0
    assert f"is copied to {tmp_path / 'store'}" in said
    assert states(command("b", "plan", "--json")[1]) == {"download": "up to date", "normalize": "up to date"}


def test_a_plan_knows_what_another_machine_made_from_labels_that_the_run_makes_first(command, monkeypatch):
    use_fakes(monkeypatch)
    labels = {f"{number:064x}": "on" if number % 2 else "off" for number in range(40)}
    monkeypatch.setattr(seed, "seed_from", lambda **folders: labels)
    demo = ("--download-sources", "demo", "--until", "filter")
    assert states(command("a", "plan", "--json", *demo)[1])["classifier"] == "will run"
    assert command("a", "run", *demo)[0] == 0
    steps = json.loads(command("b", "plan", "--json", *demo)[1])
    assert [(step["state"], step["reason"]) for step in steps] == [
        ("up to date", ""),
        ("up to date", ""),
        ("may run", "if the first labels are others"),
        ("may run", "if classifier makes something new"),
    ]
    assert command("b", "run", *demo)[0] == 0
    assert set(states(command("b", "plan", "--json", *demo)[1]).values()) == {"up to date"}


def test_what_only_the_storage_has_is_said_with_how_to_fetch_it(command, configure, tmp_path, monkeypatch, capsys):
    assert command("a", "run")[0] == 0
    (tmp_path / "b").mkdir()
    hint = f"storage {tmp_path / 'store'} has {{}}: `python -m tasks run --dataset cats` with the same settings fetches"

    def error(*words: str) -> str:
        assert main([*words]) == 2
        return str(capsys.readouterr().err)

    configure(f"[machines]\nstorage = {tmp_path / 'store'}\n")
    monkeypatch.chdir(tmp_path / "b")
    never = f"error: dataset 'cats' has not run on this machine; {hint.format('it')}"
    assert error("export", "squares", "out", "--dataset", "cats").startswith(never)
    assert error("status", "--dataset", "cats").startswith(never)
    (tmp_path / "b" / "data" / "cats" / "runs").mkdir(parents=True)
    missing = f"error: cats has no squares on this machine; {hint.format('some')}"
    assert error("export", "squares", "out", "--dataset", "cats").startswith(missing)
    assert hint.format("some") in error("trace", "abcdef12")


def test_copies_of_this_machine_may_be_deleted(command, tmp_path):
    assert command("a", "run")[0] == 0
    shutil.rmtree(tmp_path / "a" / "data" / "cats" / "normalize")
    assert states(command("a", "plan", "--json")[1])["normalize"] == "up to date"
    assert command("a", "run")[0] == 0
    assert len(list((tmp_path / "a" / "data" / "cats" / "normalize" / "latest" / "images").iterdir())) == 8


def test_a_storage_that_is_gone_is_one_line_and_what_is_made_stays(command, tmp_path):
    (tmp_path / "store").write_text("a file where a folder is needed")
    code, said = command("a", "run")
    assert code != 0
    assert "Traceback" not in said
    assert f"storage {tmp_path / 'store'}: " in said
    (tmp_path / "store").unlink()
    assert command("a", "run")[0] == 0
    assert states(command("b", "plan", "--json")[1])["normalize"] == "up to date"


def test_a_machine_that_is_at_work_holds_up_the_other(command, tmp_path, monkeypatch):
    lock = machines.RemoteLock
    waited = []

    class Held(lock):
        def acquire(self, timeout):
            waited.append(self)
            if len(waited) == 1:
                raise Timeout("held")
            return super().acquire(timeout)

    monkeypatch.setattr(machines, "RemoteLock", Held)
    code, said = command("a", "run")
    assert code == 0
    assert "waits: another machine makes the same" in said


def test_gc_deletes_from_the_storage_what_is_old(command, tmp_path, pictures):
    assert command("a", "run")[0] == 0
    (pictures / "0.png").unlink()
    assert command("a", "run")[0] == 0
    store = tmp_path / "store" / "cats" / "normalize"
    before = sorted(path.name for path in store.iterdir())
    code, said = command("a", "gc", "--shared", "--days", "9")
    assert code == 0
    assert f"0.0 MB freed in {tmp_path / 'store'}" in said
    code, said = command("a", "gc", "--shared", "--days", "1e-9", "--dry-run")
    assert f"would be freed in {tmp_path / 'store'}" in said
    assert sorted(path.name for path in store.iterdir()) == before
    assert command("a", "gc", "--shared", "--days", "1e-9")[0] == 0
    assert len(list(store.iterdir())) == len(before) - 1
    assert states(command("b", "plan", "--json")[1]) == {"download": "up to date", "normalize": "up to date"}


@pytest.mark.parametrize(("storage", "flags"), [("store", []), ("", ["--days", "9"])])
def test_gc_shared_needs_days_and_a_storage(command, storage, flags):
    code, said = command("a", "gc", "--shared", *flags, storage=storage)
    assert code != 0
    assert "give both, N above 0, and set storage" in said


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ["--shared", "--days", "1e12"],
            "--days 1000000000000.0: expected a number, at least 0, for example 10; at most 36,500",
        ),
        (["--shared", "--days", "inf"], "--days inf: expected"),
        (["--days", "nan"], "--days nan: expected"),
        (["--gib", "inf"], "--gib inf: expected a number"),
        (["--gib", "-1"], "--gib -1.0: expected"),
    ],
)
def test_gc_refuses_numbers_that_nobody_means(command, flags, says):
    code, said = command("a", "gc", *flags)
    assert code != 0
    assert says in said
    assert "Traceback" not in said


def test_gc_says_what_it_leaves_alone_and_prints_no_control_characters(command, tmp_path, monkeypatch):
    assert command("a", "run")[0] == 0
    normalize = tmp_path / "store" / "cats" / "normalize"
    (normalize / "locks").mkdir(exist_ok=True)
    (normalize / "locks" / "key").write_bytes(b"{}")
    (normalize / ".DS_Store").touch()
    (tmp_path / "store" / "cats" / "download" / "later\x1b[31m").mkdir()
    (tmp_path / "store" / "cats" / "download" / "later\x1b[31m" / "manifest.json").touch()
    code, said = command("a", "gc", "--shared", "--days", "9")
    assert code == 0
    assert "cats/normalize: left alone, a machine is at work" in said
    assert "cats/download/later [31m: left alone with all shards" in said
    monkeypatch.setattr(gc_command.cleanup, "delete_shared", lambda *_, **__: {"cats/\x1b[31m": 1})
    said = command("a", "gc", "--shared", "--days", "9")[1]
    assert "cats/ [31m" in said
    assert "\x1b" not in said
