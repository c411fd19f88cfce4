"""Working folders in which all stages have run."""

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from tests.end_to_end.home import SETTINGS, STAGES, Home


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Home:
    """A folder in which the whole chain ran once, undisturbed. Copy it before changing anything.

    All testers of one `pytest -n` share it: the first makes it, the others wait.
    """
    top = tmp_path_factory.getbasetemp()
    home = Home((top.parent if "PYTEST_XDIST_WORKER" in os.environ else top) / "finished")
    with FileLock(f"{home.folder}.lock"):
        if not home.folder.exists():
            try:
                _finish(home)
            except BaseException:  # else the others would take it for whole
                shutil.rmtree(home.folder)
                raise
    return home


def _finish(home: Home) -> None:
    (home.folder / "models").mkdir(parents=True)
    (home.folder / "luigi.cfg").write_text(SETTINGS)
    shutil.copyfile(Path(__file__).parent / "tiny.json", home.folder / "models" / "tiny.json")
    assert home.run() == list(STAGES)


@pytest.fixture
def home(finished, tmp_path) -> Home:
    """A copy of the finished folder, which the test may change."""
    return finished.copy(tmp_path / "home")
