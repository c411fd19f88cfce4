"""What the tests of runs and of the queue share."""

import pytest


@pytest.fixture
def gate(tmp_path):
    """The file whose text lets a run of fake_tasks.py end."""
    return tmp_path / "gate"
