"""What all tests share."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # the testers have the cores among them; before NumPy loads
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

from pipeline.machine import BACKEND_ENVIRONMENT

os.environ["GANMILL_MEASURE"] = "0"  # what is fastest is measured in its own tests
os.environ.update(BACKEND_ENVIRONMENT)  # before any test loads TensorFlow: as in a stage's own process

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture
def shared_data() -> Path:
    """Pictures that nobody here made; not part of the project, so a test that wants them may have to do without."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data, which is not here")
    return folder
