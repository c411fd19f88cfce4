"""The command `python -m tasks generate`."""

from pathlib import Path

import pytest

from pipeline.store import artifacts
from tasks import paths
from tasks.cli import main
from tests.tasks.fake_stages import use_fakes


@pytest.fixture
def generator(configure, monkeypatch) -> Path:
    """The folder of the generator that a run has trained in a new working folder."""
    configure("[frogs.download]\nquery = frog\n[filter]\nmethod = none\n[gan]\nextractor = own\n")
    use_fakes(monkeypatch)
    assert main(["run", "--dataset", "frogs"]) == 0
    return paths.artifact_store("frogs", "gan").latest().folder


def test_damaged_generator_is_not_called_missing(generator, capsys):
    (generator / "made.txt").write_text("cut")
    artifacts._load.cache_clear()  # as in a new process
    capsys.readouterr()
    assert main(["generate", "--dataset", "frogs"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: the generator of frogs is damaged: {generator}/made.txt has 3 bytes where ")
    assert line.endswith("; `python -m tasks run --dataset frogs` trains it again")


def test_generator_of_other_settings_is_missing(generator, capsys):
    capsys.readouterr()
    assert main(["generate", "--dataset", "frogs", "--gan-seed", "8"]) == 2
    assert "frogs has no generator trained with these settings" in capsys.readouterr().err
