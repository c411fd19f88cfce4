"""Trainings and runs need no squares."""

import pytest


@pytest.fixture
def fake_dataset(bare_dataset):
    """These tests need no squares."""
    return bare_dataset
