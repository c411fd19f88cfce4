"""Working folders in which the chain has run."""

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.home import SETTINGS, STAGES, Home


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Home:
    """A folder in which the whole chain ran once, undisturbed. Copy it before changing anything."""
    home = Home(tmp_path_factory.mktemp("finished"))
    (home.folder / "luigi.cfg").write_text(SETTINGS)
    (home.folder / "models").mkdir()
    shutil.copyfile(Path(__file__).parent / "tiny.json", home.folder / "models" / "tiny.json")
    assert home.run() == list(STAGES)
    return home


@pytest.fixture
def home(finished, tmp_path) -> Home:
    """A copy of the finished folder, to do with as one likes."""
    return finished.copy(tmp_path / "home")
